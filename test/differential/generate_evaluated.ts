/** Random SELECT statements that Cassandra evaluates on plain values and the proxy by itself: filters, functions, groups, JSON. */
import {
  join,
  tableText,
  term,
  type GenColumn,
  type GenTable,
  type Piece,
  type Statement,
} from './model.ts';
import { ckRestriction, draw, inPieces, pkRestriction } from './generate_select.ts';
import type { Prng } from './prng.ts';
import type { GenType, GenValue } from './types.ts';
import { randomValue } from './values.ts';

/** Types of whole numbers. */
export const WHOLE = ['bigint', 'int', 'smallint', 'tinyint', 'varint'];
const NUMBERS = [...WHOLE, 'decimal', 'double', 'float'];
/** Types of which two values that compare equal are the same bytes: which of them min and max give is no matter of order. */
const EXACT = [
  'ascii',
  'bigint',
  'blob',
  'date',
  'int',
  'smallint',
  'text',
  'time',
  'timestamp',
  'tinyint',
  'uuid',
];

export function isOf(names: readonly string[], { type }: GenColumn): boolean {
  return type.kind === 'scalar' && names.includes(type.name);
}

function keyPool(t: GenTable, column: GenColumn): readonly GenValue[] | undefined {
  const pk = t.pk.indexOf(column);
  if (pk >= 0) return t.pkPool[pk];
  const ck = t.ck.indexOf(column);
  return ck >= 0 ? t.ckPool[ck] : undefined;
}

function valueFor(rng: Prng, t: GenTable, column: GenColumn, type: GenType): GenValue {
  const pool = type === column.type ? keyPool(t, column) : undefined;
  return pool === undefined || pool.length === 0 ? randomValue(rng, type) : rng.pick(pool);
}

/** One restriction of a column, as only filtering can judge it. */
export function filter(rng: Prng, t: GenTable, column: GenColumn): Piece[] {
  const { type, text } = column;
  if (type.kind === 'list' || type.kind === 'set' || type.kind === 'map') {
    const dice = rng.int(10);
    if (type.kind === 'map' && dice < 3)
      return [`${text} CONTAINS KEY `, term(randomValue(rng, type.key))];
    if (dice < 7) return [`${text} CONTAINS `, term(randomValue(rng, type.of))];
  }
  if (rng.chance(0.15))
    return inPieces(
      rng,
      text,
      draw(rng, keyPool(t, column) ?? [valueFor(rng, t, column, type)], 3),
    );
  const operator = rng.pick(['=', '<', '<=', '>', '>=', '>', '>=']);
  return [`${text} ${operator} `, term(valueFor(rng, t, column, type))];
}

function where(rng: Prng, t: GenTable): { pieces: Piece[]; scan: boolean; many: boolean } {
  const cells = [...t.statics, ...t.regular];
  const parts: Piece[][] = [];
  let many = false;
  const scan = rng.chance(0.4);
  if (!scan) {
    const pk = pkRestriction(rng, t, rng.chance(0.4));
    many = pk.many;
    parts.push(pk.pieces, ...ckRestriction(rng, t, rng.chance(0.5)));
  }
  const others = rng.sample(scan ? [...t.ck, ...cells] : cells, rng.between(scan ? 1 : 0, 2));
  if (scan && rng.chance(0.2)) others.push(rng.pick(t.pk));
  for (const column of others) parts.push(filter(rng, t, column));
  return { pieces: parts.length === 0 ? [] : [' WHERE ', ...join(parts, ' AND ')], scan, many };
}

function page(rng: Prng): { pageSize?: number } {
  return rng.chance(0.4) ? {} : { pageSize: rng.chance(0.7) ? rng.between(1, 6) : 100 };
}

/** Clustering columns are read back canonical: what a decimal's scale or the sign of a NaN shows in is left out (docs/compatibility.md). */
export function exactClustering(t: GenTable): GenColumn[] {
  return t.ck.filter((column) => !isOf(['decimal', 'double', 'float'], column));
}

/** A selection with functions; the key first, so that rows of a scan can be told apart. */
function selection(rng: Prng, t: GenTable): string {
  const cells = [...t.pk, ...exactClustering(t), ...t.statics, ...t.regular];
  const chosen = rng.sample(cells, rng.between(1, 3)).map((column): string => {
    const { text } = column;
    const dice = rng.int(6);
    if (column.type.kind === 'udt') {
      const field = rng.pick(column.type.fields);
      return `${text}.${field.name}`;
    }
    if (isOf(NUMBERS, column)) {
      return rng.pick([
        text,
        `${text} + ${text}`,
        `-${text}`,
        `abs(${text})`,
        `cast(${text} as text)`,
        `${text} * 2`,
      ]);
    }
    if (dice === 0) return `toJson(${text})`;
    if (isOf(['text', 'ascii'], column) && dice === 1) return `${text} AS aliased`;
    if (isOf(['timestamp'], column) && dice < 3) return `toDate(${text}), cast(${text} as date)`;
    if (column.type.kind === 'scalar' && column.type.name !== 'blob' && dice === 4)
      return `${column.type.name}_as_blob(${text})`;
    return text;
  });
  return [...[...t.pk, ...t.ck].map((column) => column.text), ...chosen].join(', ');
}

/** Aggregates whose result does not depend on the order of rows. */
export function aggregates(rng: Prng, columns: readonly GenColumn[], isOrdered: boolean): string[] {
  const made = columns.flatMap((column) => {
    const { text } = column;
    const fit = [`count(${text})`];
    if (isOf(isOrdered ? NUMBERS : WHOLE, column)) fit.push(`sum(${text})`, `avg(${text})`);
    if (isOf(EXACT, column)) fit.push(`min(${text})`, `max(${text})`);
    return column.type.kind === 'scalar' && column.type.name !== 'duration' ? [rng.pick(fit)] : [];
  });
  return ['count(*)', ...made.slice(0, 4)];
}

/** ALLOW FILTERING, functions, aggregates, GROUP BY or JSON. */
export function randomEvaluated(rng: Prng, t: GenTable): Statement {
  const restriction = where(rng, t);
  const { scan } = restriction;
  const tail = (): Piece[] => [
    ...(rng.chance(0.1) ? [` PER PARTITION LIMIT ${rng.between(1, 3)}`] : []),
    ...(rng.chance(0.1) && !scan ? [` LIMIT ${rng.between(1, 6)}`] : []),
    ...(rng.chance(0.95) ? [' ALLOW FILTERING'] : []),
  ];
  const from = ` FROM ${tableText(rng, t)}`;
  const exact = exactClustering(t);
  const cells = [...exact, ...t.statics, ...t.regular];
  const dice = rng.int(100);
  if (dice < 20) {
    const chosen = aggregates(rng, rng.sample(cells, 3), !scan && !restriction.many);
    const pieces: Piece[] = [`SELECT ${chosen.join(', ')}${from}`, ...restriction.pieces];
    return {
      kind: 'select aggregates',
      pieces: [...pieces, ' ALLOW FILTERING'],
      compare: 'rows',
      ...page(rng),
    };
  }
  if (dice < 40) {
    const keys = t.ck.slice(0, rng.int(t.ck.length + 1));
    const by = [...t.pk, ...keys].map((column) => column.text);
    const chosen = aggregates(rng, rng.sample(cells, 2), true);
    const pieces: Piece[] = [
      `SELECT ${[...by, ...chosen].join(', ')}${from}`,
      ...restriction.pieces,
      ` GROUP BY ${by.join(', ')}`,
    ];
    return {
      kind: 'select groups',
      pieces: [...pieces, ...tail()],
      compare: scan ? 'scan' : 'rows',
      ...page(rng),
    };
  }
  if (dice < 50 && exact.length === t.ck.length) {
    const pieces: Piece[] = [`SELECT JSON *${from}`, ...restriction.pieces];
    return {
      kind: 'select json',
      pieces: [...pieces, ...tail()],
      compare: scan ? 'scan' : 'rows',
      ...page(rng),
    };
  }
  const what = dice < 75 ? selection(rng, t) : '*';
  return {
    kind: `select filter ${scan ? 'scan' : 'partition'}`,
    pieces: [`SELECT ${what}${from}`, ...restriction.pieces, ...tail()],
    compare: scan ? 'scan' : 'rows',
    ...page(rng),
  };
}
