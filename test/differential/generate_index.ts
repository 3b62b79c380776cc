/** CREATE and DROP INDEX on columns of a table, and reads by them. */
import {
  KS,
  concretise,
  tableText,
  term,
  type GenColumn,
  type GenTable,
  type Step,
} from './model.ts';
import type { Prng } from './prng.ts';
import { isMulti } from './types.ts';
import { randomValue } from './values.ts';

/** Equal decimals of another scale are different values for Cassandra's own kind of index (docs/compatibility.md). */
const LEFT_OUT: ReadonlySet<string> = new Set(['decimal', 'vector']);

function isIndexed({ type }: GenColumn): boolean {
  // Indexes on columns of several cells are refused (docs/compatibility.md).
  return !isMulti(type) && !LEFT_OUT.has(type.kind === 'scalar' ? type.name : type.kind);
}

/** A statement about an index; some are refused by both sides. */
export function randomIndexChange(rng: Prng, t: GenTable): Step {
  const column = rng.pick([...t.regular, ...t.regular, ...t.statics, ...t.ck, ...t.pk]);
  const full =
    column.type.kind === 'list' || column.type.kind === 'set' || column.type.kind === 'map';
  const target = full && rng.chance(0.8) ? `full(${column.text})` : column.text;
  const name = `${t.name}_i${String(rng.int(6))}`;
  // A key column takes one index, of either class (docs/compatibility.md).
  const isKey = t.pk.includes(column) || t.ck.includes(column);
  const cql =
    !isIndexed(column) || rng.chance(0.3)
      ? `DROP INDEX ${rng.chance(0.5) ? 'IF EXISTS ' : ''}${KS}.${name}`
      : `CREATE INDEX ${rng.chance(0.3) ? 'IF NOT EXISTS ' : ''}${name} ON ${tableText(rng, t)} (${target})${rng.chance(0.3) && !isKey ? " USING 'sai'" : ''}`;
  return { kind: 'index', form: 'query', cql, compare: 'rows' };
}

/** A read by equality of a column outside the primary key: by an index where there is one, else refused. */
export function randomIndexRead(rng: Prng, t: GenTable): Step {
  const columns = [...t.regular, ...t.statics].filter(isIndexed);
  const [fallback] = t.pk;
  const column = columns.length === 0 ? fallback : rng.pick(columns);
  if (column === undefined) return randomIndexChange(rng, t);
  const value = term(randomValue(rng, column.type));
  const filtering = rng.chance(0.2) ? ' ALLOW FILTERING' : '';
  return concretise(rng, {
    kind: 'select by index',
    pieces: [`SELECT * FROM ${tableText(rng, t)} WHERE ${column.text} = `, value, filtering],
    compare: 'scan',
  });
}
