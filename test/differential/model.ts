/** What the generator knows of one table, and how a generated statement becomes a request. */
import { canonicalValue, padNestedFields, parseTypeText } from '../../src/values/index.ts';
import type { RawValue } from '../support/raw_codec.ts';
import type { Prng } from './prng.ts';
import {
  NULL_VALUE,
  randomColumnType,
  randomWideKeyType,
  scalar,
  typeText,
  KEY_SCALARS,
  type GenType,
  type GenValue,
} from './types.ts';
import { ownType, type OwnType } from './generate_types.ts';
import { allowsEmpty, randomValue } from './values.ts';

/** Stands for the keyspace in generated text; each side has its own name. */
export const KS = '@KS@';

/** One column. `text` is the name as CQL writes it (quoted where it must be). */
export interface GenColumn {
  readonly text: string;
  readonly type: GenType;
  readonly desc?: boolean;
  /** It was dropped and added again: writes with earlier write times are nothing. */
  readonly isAgain?: boolean;
}

/** One table under test, changed as DDL succeeds. */
export interface GenTable {
  readonly name: string;
  readonly udts: readonly GenType[];
  pk: GenColumn[];
  ck: GenColumn[];
  statics: GenColumn[];
  regular: GenColumn[];
  dropped: GenColumn[];
  /** Values that keys are drawn from, by position; small, so that statements meet each other's rows. */
  readonly pkPool: readonly (readonly GenValue[])[];
  readonly ckPool: readonly (readonly GenValue[])[];
  /** Who gives write times: Cassandra, the statements, or both. */
  readonly clock: 'server' | 'client' | 'mixed';
  nextTimestamp: number;
  nextColumn: number;
  /** Values written last, by column, for conditions that hold. */
  readonly written: Map<string, GenValue[]>;
  /** Columns that had an empty value, and columns with a storage-attached index: together they are a listed difference. */
  readonly emptied: Set<string>;
  readonly attached: Set<string>;
  /** Partition key columns that had an index. */
  readonly indexedKeys: Set<string>;
  /** A user type that no other table has. */
  readonly ownType?: OwnType;
  /** All cells are counters. */
  readonly counters?: boolean;
}

/** A value at its place in a statement. */
export interface Term {
  readonly value: GenValue | 'unset';
  /** Always written as literal (false: always bound). */
  readonly force?: 'bound' | 'literal';
}

/** Text and values of a statement in order. */
export type Piece = string | Term;

/** How the rows of the two sides are compared. */
export type Comparison = 'rows' | 'scan' | 'count' | 'metadata' | 'error_only';

/** A generated statement before it has a form. */
export interface Statement {
  readonly kind: string;
  readonly pieces: readonly Piece[];
  readonly compare: Comparison;
  readonly pageSize?: number;
  readonly timestamp?: bigint;
  readonly onOk?: () => void;
}

/** One concrete request, the same for both sides but for the keyspace. */
export interface Step {
  readonly kind: string;
  readonly form: 'query' | 'prepared' | 'batch';
  readonly cql: string;
  readonly values?: readonly RawValue[];
  readonly names?: readonly string[];
  readonly compare: Comparison;
  readonly pageSize?: number;
  readonly skipMetadata?: boolean;
  readonly timestamp?: bigint;
  readonly batchKind?: number;
  readonly children?: readonly {
    readonly cql: string;
    readonly prepared: boolean;
    readonly values: readonly RawValue[];
  }[];
  /** Token ranges: run all of `cqls` and compare the union. */
  readonly union?: readonly string[];
  readonly onOk?: () => void;
}

/** A value that may be bound or written. */
export function term(value: GenValue): Term {
  return { value };
}

/** Text pieces and values joined: t`... ${term}`. */
export function join(parts: readonly (readonly Piece[])[], separator: string): Piece[] {
  return parts.flatMap((part, i) => (i === 0 ? [...part] : [separator, ...part]));
}

function makeColumn(prefix: string, n: number, type: GenType, rng: Prng, desc = false): GenColumn {
  const text = rng.chance(0.08) ? `"${prefix}${n} Q"` : `${prefix}${n}`;
  return { text, type, ...(desc ? { desc } : {}) };
}

function pool(rng: Prng, type: GenType, n: number, empties: boolean): GenValue[] {
  const out = Array.from({ length: n }, () => randomValue(rng, type));
  if (empties && allowsEmpty(type) && rng.chance(0.15))
    out[0] = { bytes: Buffer.alloc(0), literal: null };
  return out;
}

/** The same number with a digit more: equal for a comparison, and another partition. */
function otherScale({ bytes }: GenValue): GenValue[] {
  if (bytes === null || bytes.length < 5 || bytes.length > 12) return [];
  const unscaled = BigInt.asIntN(64, BigInt(`0x${bytes.subarray(4).toString('hex')}`));
  const width = BigInt(8 * (bytes.length - 4));
  const tenfold = BigInt.asIntN(Number(width), unscaled) * 10n;
  const out = Buffer.alloc(14);
  out.writeInt32BE(bytes.readInt32BE(0) + 1);
  out.writeInt16BE(tenfold < 0n ? -1 : 0, 4);
  out.writeBigInt64BE(BigInt.asIntN(64, tenfold), 6);
  // The shortest form: no byte more than the sign needs.
  let start = 4;
  while (
    start < 13 &&
    ((out[start] === 0 && (out[start + 1] as number) < 0x80) ||
      (out[start] === 0xff && (out[start + 1] as number) >= 0x80))
  )
    start++;
  return [{ bytes: Buffer.concat([out.subarray(0, 4), out.subarray(start)]), literal: null }];
}

/** Values of a partition key; `wide`: also such that are equal and not the same. */
function keyPool(values: GenValue[], type: GenType, wide: boolean): GenValue[] {
  if (!wide || type.kind !== 'scalar' || type.name !== 'decimal') return values;
  return [...values, ...values.slice(0, 2).flatMap(otherScale)];
}

/** A random table over the UDTs given. `wide`: keys may also be frozen collections and tuples. */
export function randomTable(
  rng: Prng,
  name: string,
  udts: readonly GenType[],
  wide = false,
): GenTable {
  const pkCount = rng.pick([1, 1, 1, 2, 2, 3]);
  const ckCount = rng.pick([0, 1, 1, 2, 2, 3]);
  const key = (): GenType =>
    wide && rng.chance(0.3) ? randomWideKeyType(rng) : scalar(rng.pick(KEY_SCALARS));
  const pk = Array.from({ length: pkCount }, (_, i) => makeColumn('p', i, key(), rng));
  const ck = Array.from({ length: ckCount }, (_, i) => {
    const type = key();
    // Cassandra takes sets and maps that descend for something else (docs/compatibility.md).
    const canDescend = type.kind !== 'set' && type.kind !== 'map';
    return makeColumn('c', i, type, rng, rng.chance(0.4) && canDescend);
  });
  const counters = rng.chance(0.1);
  const own = !counters && rng.chance(0.3) ? ownType(rng, name) : undefined;
  const cellType = (): GenType => (counters ? scalar('counter') : randomColumnType(rng, udts));
  const statics =
    ckCount === 0
      ? []
      : Array.from({ length: rng.pick([0, 0, 1, 2]) }, (_, i) =>
          makeColumn('s', i, cellType(), rng),
        );
  const regular = Array.from(
    { length: rng.between(ckCount === 0 || counters ? 1 : 0, 5) },
    (_, i) => makeColumn('v', i, cellType(), rng),
  );
  if (own !== undefined) {
    regular.push({ text: 'w0', type: own.type });
    const isStatic = ckCount > 0 && rng.chance(0.3);
    (isStatic ? statics : regular).push({ text: 'w1', type: { ...own.type, multi: true } });
  }
  return {
    name,
    udts,
    pk,
    ck,
    statics,
    regular,
    dropped: [],
    pkPool: pk.map((c) =>
      keyPool(
        pool(rng, c.type, pkCount === 1 ? 5 : pkCount === 2 ? 3 : 2, pkCount > 1),
        c.type,
        wide,
      ),
    ),
    ckPool: ck.map((c) =>
      asReadBack(pool(rng, c.type, ckCount === 1 ? 8 : ckCount === 2 ? 4 : 3, true), c.type),
    ),
    clock: counters ? 'server' : rng.pick(['server', 'server', 'client', 'mixed']),
    nextTimestamp: 1_000_000,
    nextColumn: 10,
    written: new Map(),
    emptied: new Set(),
    attached: new Set(),
    indexedKeys: new Set(),
    ...(own === undefined ? {} : { ownType: own }),
    ...(counters ? { counters } : {}),
  };
}

/**
 * As clustering values are read back: tuples with all their fields. Sets and maps with their elements in order: Cassandra does not sort
 * those in a tuple that is bound for several columns.
 */
function asReadBack(values: readonly GenValue[], type: GenType): readonly GenValue[] {
  if (type.kind === 'scalar') return values;
  const cqlType = parseTypeText(typeText(type, KS), () => undefined, KS);
  return values.map((value) => ({
    ...value,
    bytes:
      value.bytes && Buffer.from(padNestedFields(cqlType, canonicalValue(cqlType, value.bytes))),
  }));
}

/** CREATE TABLE for it. */
export function createTable(rng: Prng, t: GenTable): string {
  const columns = [
    ...t.pk.map((c) => `${c.text} ${typeText(c.type, KS)}`),
    ...t.ck.map((c) => `${c.text} ${typeText(c.type, KS)}`),
    ...t.statics.map((c) => `${c.text} ${typeText(c.type, KS)} static`),
    ...t.regular.map((c) => `${c.text} ${typeText(c.type, KS)}`),
  ];
  const pk = t.pk.map((c) => c.text).join(', ');
  const key = [
    t.pk.length > 1 || rng.chance(0.5) ? `(${pk})` : pk,
    ...t.ck.map((c) => c.text),
  ].join(', ');
  const options: string[] = [];
  if (t.ck.some((c) => c.desc === true) || (t.ck.length > 0 && rng.chance(0.3))) {
    options.push(
      `CLUSTERING ORDER BY (${t.ck.map((c) => `${c.text} ${c.desc === true ? 'DESC' : 'ASC'}`).join(', ')})`,
    );
  }
  if (rng.chance(0.3)) options.push(`comment = 'it''s a table'`);
  if (rng.chance(0.1)) options.push('default_time_to_live = 7000000');
  const tail = options.length > 0 ? ` WITH ${options.join(' AND ')}` : '';
  return `CREATE TABLE ${KS}.${t.name} (${rng.shuffle(columns).join(', ')}, PRIMARY KEY (${key}))${tail}`;
}

/** A value for a cell: mostly fresh, now and then null, unset, empty or oddly encoded. */
export function cellTerm(rng: Prng, type: GenType, unset: boolean): Term {
  const dice = rng.int(100);
  if (dice < 8) return { value: NULL_VALUE };
  if (dice < 12 && unset) return { value: 'unset', force: 'bound' };
  if (dice < 15 && allowsEmpty(type))
    return { value: { bytes: Buffer.alloc(0), literal: null }, force: 'bound' };
  if (dice < 17 && type.kind === 'scalar' && type.name === 'varint')
    return { value: { bytes: Buffer.from([0, 0, 7]), literal: null }, force: 'bound' };
  return { value: randomValue(rng, type) };
}

/** A timestamp that no other write of the table has. */
export function freshTimestamp(rng: Prng, t: GenTable): number {
  t.nextTimestamp += 1000;
  // Out of order now and then: up to 20 steps back, never on another one.
  return t.nextTimestamp - (rng.chance(0.2) ? rng.int(20) * 1000 : 0) + rng.between(1, 998);
}

/** Name of the table in text: qualified or by the connection's USE. */
export function tableText(rng: Prng, t: GenTable): string {
  return rng.chance(0.6) ? `${KS}.${t.name}` : t.name;
}

/** Gives a statement its form: literals, bound, named or prepared. `v4`: unset exists. */
export function concretise(rng: Prng, s: Statement): Step {
  const mode = rng.pick([
    'literal',
    'literal',
    'bound',
    'named',
    'prepared',
    'prepared',
    'prepared',
    'prepared_named',
    'mixed',
  ] as const);
  const { cql, values, names } = render(rng, s.pieces, mode);
  const prepared = mode === 'prepared' || mode === 'prepared_named' || mode === 'mixed';
  return {
    kind: s.kind,
    form: prepared ? 'prepared' : 'query',
    cql,
    ...(values.length > 0 ? { values } : {}),
    ...(names.length > 0 ? { names } : {}),
    compare: s.compare,
    ...(s.pageSize !== undefined ? { pageSize: s.pageSize } : {}),
    ...(s.timestamp !== undefined ? { timestamp: s.timestamp } : {}),
    ...(prepared && rng.chance(0.3) ? { skipMetadata: true } : {}),
    ...(s.onOk !== undefined ? { onOk: s.onOk } : {}),
  };
}

/** Text and values of one form. */
export function render(
  rng: Prng,
  pieces: readonly Piece[],
  mode: 'literal' | 'bound' | 'named' | 'prepared' | 'prepared_named' | 'mixed',
): { cql: string; values: RawValue[]; names: string[] } {
  const values: RawValue[] = [];
  const names: string[] = [];
  // Markers of one statement are all named or all positional.
  const named = mode === 'named' || mode === 'prepared_named';
  let cql = '';
  for (const piece of pieces) {
    if (typeof piece === 'string') {
      cql += piece;
      continue;
    }
    const literal = piece.value === 'unset' ? null : piece.value.literal;
    const write =
      piece.force === 'literal' || mode === 'literal' || (mode === 'mixed' && rng.chance(0.5));
    if (literal !== null && piece.force !== 'bound' && write) {
      cql += literal;
      continue;
    }
    values.push(piece.value === 'unset' ? 'unset' : piece.value.bytes);
    if (named) {
      const name = `m${values.length}`;
      cql += `:${name}`;
      names.push(name);
    } else {
      cql += '?';
    }
  }
  // Named markers may also be given values by position; names may come in any order.
  if (named && rng.chance(0.3)) names.length = 0;
  if (names.length > 1 && rng.chance(0.5)) {
    values.reverse();
    names.reverse();
  }
  return { cql, values, names };
}
