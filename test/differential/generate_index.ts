/** CREATE and DROP INDEX on columns of a table, and reads by them. */
import {
  KS,
  concretise,
  tableText,
  term,
  type GenColumn,
  type GenTable,
  type Piece,
  type Step,
} from './model.ts';
import type { Prng } from './prng.ts';
import { isMulti, typeText, type GenType, type GenValue } from './types.ts';
import { randomValue } from './values.ts';

/** Equal decimals of another scale are different values for Cassandra's own kind of index (docs/compatibility.md). */
const LEFT_OUT = /\b(decimal|vector)\b/;

/** What of a column of several cells an index is on. */
type Part = 'values' | 'keys' | 'entries';

function isIndexed({ text, type, isAgain }: GenColumn, wide: boolean): boolean {
  // Of a user type that gets fields; Cassandra cannot flush, nor truncate, a table with such an index after that.
  if (wide && text.startsWith('w')) return false;
  // What was written before the drop may keep rows alive (docs/compatibility.md, Dropped columns).
  if (isAgain === true) return false;
  if (!isMulti(type)) return !LEFT_OUT.test(type.kind === 'scalar' ? type.name : type.kind);
  return wide && type.kind !== 'udt' && !LEFT_OUT.test(typeText(type, KS));
}

function partsOf(type: GenType): readonly Part[] {
  return type.kind === 'map' ? ['keys', 'entries', 'values'] : ['values'];
}

/** A statement about an index; some are refused by both sides. `wide`: also on parts of columns of several cells. */
export function randomIndexChange(rng: Prng, t: GenTable, wide: boolean): Step {
  const column = rng.pick([...t.regular, ...t.regular, ...t.statics, ...t.ck, ...t.pk]);
  const { type } = column;
  const full = type.kind === 'list' || type.kind === 'set' || type.kind === 'map';
  let target = full && rng.chance(0.8) ? `full(${column.text})` : column.text;
  const name = `${t.name}_i${String(rng.int(6))}`;
  let needsSai = false;
  if (isMulti(type) && isIndexed(column, wide)) {
    const part = rng.pick(partsOf(type));
    target = part === 'values' && rng.chance(0.3) ? column.text : `${part}(${column.text})`;
    // Cassandra's own kind forgets values that a row has twice (docs/compatibility.md).
    needsSai = part === 'values' && type.kind !== 'set';
  }
  // A key column takes one index, of either class (docs/compatibility.md).
  const isKey = t.pk.includes(column) || t.ck.includes(column);
  const cql =
    !isIndexed(column, wide) || rng.chance(0.3)
      ? `DROP INDEX ${rng.chance(0.5) ? 'IF EXISTS ' : ''}${KS}.${name}`
      : `CREATE INDEX ${rng.chance(0.3) ? 'IF NOT EXISTS ' : ''}${name} ON ${tableText(rng, t)} (${target})${(rng.chance(0.3) && !isKey) || needsSai ? " USING 'sai'" : ''}`;
  const onOk = (): void => {
    if (cql.includes("'sai'")) t.attached.add(column.text);
    if (cql.startsWith('CREATE') && t.pk.includes(column)) t.indexedKeys.add(column.text);
  };
  return { kind: 'index', form: 'query', cql, compare: 'rows', onOk };
}

/** A read by equality of a column outside the primary key: by an index where there is one, else refused. */
export function randomIndexRead(rng: Prng, t: GenTable, wide: boolean): Step {
  const columns = [...t.regular, ...t.statics].filter((one) => isIndexed(one, wide));
  const [fallback] = t.pk;
  const column = columns.length === 0 ? fallback : rng.pick(columns);
  if (column === undefined) return randomIndexChange(rng, t, wide);
  const isPart = isMulti(column.type);
  const restriction = isPart
    ? partRestriction(rng, t, column)
    : [`${column.text} = `, term(randomValue(rng, column.type))];
  const filtering = rng.chance(0.2) ? ' ALLOW FILTERING' : '';
  return concretise(rng, {
    kind: isPart ? 'select by index of a part' : 'select by index',
    pieces: [`SELECT * FROM ${tableText(rng, t)} WHERE `, ...restriction, filtering],
    compare: 'scan',
  });
}

/** `c CONTAINS v`, `c CONTAINS KEY k` or `c[k] = v`, mostly of what was written. */
function partRestriction(rng: Prng, t: GenTable, { text, type }: GenColumn): Piece[] {
  if (type.kind !== 'list' && type.kind !== 'set' && type.kind !== 'map') return [`${text} = 1`];
  const written = (t.written.get(text) ?? []).map(({ bytes }) => partsIn(bytes));
  const parts = rng.pick([...written, []]);
  if (type.kind !== 'map') {
    const value = parts.length > 0 ? rng.pick(parts) : randomValue(rng, type.of);
    return [`${text} CONTAINS `, term(value)];
  }
  const at = parts.length < 2 ? 0 : 2 * rng.int(parts.length / 2);
  const key = parts[at] ?? randomValue(rng, type.key);
  const value = parts[at + 1] ?? randomValue(rng, type.of);
  switch (rng.pick(partsOf(type))) {
    case 'keys':
      return [`${text} CONTAINS KEY `, term(key)];
    case 'values':
      return [`${text} CONTAINS `, term(value)];
    case 'entries':
      return [`${text}[`, term(key), '] = ', term(value)];
  }
}

/** The elements of a collection, or its keys and values in turn. */
function partsIn(bytes: Buffer | null): GenValue[] {
  const parts: GenValue[] = [];
  for (let at = 4; bytes !== null && at + 4 <= bytes.length;) {
    const end = at + 4 + bytes.readInt32BE(at);
    parts.push({ bytes: bytes.subarray(at + 4, end), literal: null });
    at = end;
  }
  return parts;
}
