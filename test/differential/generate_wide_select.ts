/** Random SELECTs that put restrictions, selections, groups, orders and limits together in more ways. Only with `--wide`. */
import {
  ckRestriction,
  equalOrIn,
  pkRestriction,
  tuplePieces,
  tupleText,
} from './generate_select.ts';
import { aggregates, exactClustering, filter, isOf, WHOLE } from './generate_evaluated.ts';
import {
  join,
  tableText,
  term,
  type GenColumn,
  type GenTable,
  type Piece,
  type Statement,
} from './model.ts';
import type { Prng } from './prng.ts';
import { randomValue } from './values.ts';

const LESS = ['<', '<='];
const GREATER = ['>', '>='];

interface Where {
  readonly parts: readonly Piece[][];
  /** Which partitions: one, those of an IN, or whatever a scan meets. */
  readonly of: 'one' | 'many' | 'scan';
}

/** Restrictions of the partition key: whole, of some of its columns, or none. */
function partitions(rng: Prng, t: GenTable): Where {
  const dice = rng.int(10);
  if (dice < 6) {
    const { pieces, many } = pkRestriction(rng, t, dice < 2);
    return { parts: [pieces], of: many ? 'many' : 'one' };
  }
  if (dice < 8 || t.pk.length === 1) return { parts: [], of: 'scan' };
  const some = t.pk.flatMap((column, i): Piece[][] =>
    rng.chance(0.5) ? [equalOrIn(rng, column, t.pkPool[i] ?? [], 0.3)] : [],
  );
  return { parts: some.slice(0, t.pk.length - 1), of: 'scan' };
}

/** Each clustering column restricted by itself, or several as a tuple: mostly not what one slice of rows is. */
function clustering(rng: Prng, t: GenTable): Piece[][] {
  if (rng.chance(0.2)) return ckRestriction(rng, t, true);
  const parts: Piece[][] = [];
  for (let i = 0; i < t.ck.length; i++) {
    const column = t.ck[i] as GenColumn;
    const values = t.ckPool[i] ?? [];
    const dice = rng.int(100);
    if (dice < 30) continue;
    if (dice < 55) {
      parts.push(equalOrIn(rng, column, values, 0.3));
    } else if (dice < 90) {
      const sides = rng.sample([LESS, GREATER], rng.between(1, 2));
      for (const side of sides)
        parts.push([`${column.text} ${rng.pick(side)} `, term(rng.pick(values))]);
    } else {
      const last = rng.between(i, t.ck.length - 1);
      const columns = t.ck.slice(i, last + 1);
      const tuple = columns.map((_, k) => rng.pick(t.ckPool[i + k] ?? []));
      const operator = rng.pick(['=', ...LESS, ...GREATER]);
      parts.push([`${tupleText(columns)} ${operator} `, ...tuplePieces(rng, tuple)]);
      i = last;
    }
  }
  return parts;
}

/** Elements of maps and sets, slices of them, and fields. */
function element(rng: Prng, { text, type }: GenColumn): Piece[] {
  if (type.kind === 'udt') return [`${text}.${rng.pick(type.fields).name}`];
  if (type.kind !== 'map' && type.kind !== 'set') return [text];
  const key = type.kind === 'map' ? type.key : type.of;
  const one = (): Piece => term(randomValue(rng, key));
  if (rng.chance(0.6)) return [`${text}[`, one(), ']'];
  return [`${text}[`, ...(rng.chance(0.8) ? [one()] : []), '..', one(), ']'];
}

function columns(rng: Prng, t: GenTable, where: Where): Piece[] {
  const chosen = rng.sample([...t.ck, ...t.statics, ...t.regular], rng.between(1, 4));
  // The key tells the partitions of a scan apart.
  const key = where.of === 'scan' || rng.chance(0.2) ? t.pk : [];
  const parts = [
    ...key.map(({ text }): Piece[] => [text]),
    ...chosen.map((column): Piece[] => {
      const dice = rng.int(10);
      if (dice < 3) return element(rng, column);
      if (dice === 3 && isOf(WHOLE, column)) return [`${column.text} * 2 - 1`];
      return [column.text];
    }),
  ];
  return join(parts.length === 0 ? [[t.pk[0]?.text ?? '']] : parts, ', ');
}

interface Selected {
  readonly kind: string;
  readonly pieces: readonly Piece[];
  readonly groupBy: readonly GenColumn[];
}

function selected(rng: Prng, t: GenTable, where: Where): Selected {
  const exact = exactClustering(t);
  const cells = [...exact, ...t.statics, ...t.regular];
  const dice = rng.int(100);
  if (dice < 20) {
    const made = aggregates(rng, rng.sample(cells, 3), where.of === 'one');
    return { kind: 'aggregates', pieces: [made.join(', ')], groupBy: [] };
  }
  if (dice < 40) {
    const by = [...t.pk, ...t.ck.slice(0, rng.int(t.ck.length + 1))];
    const made = aggregates(rng, rng.sample(cells, 2), true);
    const pieces = [[...by.map(({ text }) => text), ...made].join(', ')];
    return { kind: 'groups', pieces, groupBy: by };
  }
  if (dice < 50 && exact.length === t.ck.length) {
    const names = [...t.pk, ...rng.sample(cells, 3)].map(({ text }) => text);
    return { kind: 'json', pieces: [`JSON ${names.join(', ')}`], groupBy: [] };
  }
  if (dice < 57) {
    const names = [...t.pk, ...rng.sample(t.statics, 1)].map(({ text }) => text);
    return { kind: 'distinct', pieces: [`DISTINCT ${names.join(', ')}`], groupBy: [] };
  }
  if (dice < 75) return { kind: 'star', pieces: ['*'], groupBy: [] };
  return { kind: 'columns', pieces: columns(rng, t, where), groupBy: [] };
}

function orderBy(rng: Prng, t: GenTable): string {
  const isReverse = rng.chance(0.5);
  const some = t.ck.slice(0, rng.between(1, t.ck.length));
  return ` ORDER BY ${some.map(({ text, desc }) => `${text} ${(desc === true) === isReverse ? 'ASC' : 'DESC'}`).join(', ')}`;
}

/** A SELECT of many parts. */
export function randomWideSelect(rng: Prng, t: GenTable): Statement {
  const where = partitions(rng, t);
  const selection = selected(rng, t, where);
  const cells = rng.sample([...t.statics, ...t.regular], rng.pick([0, 0, 1, 1, 2]));
  const parts = [
    ...where.parts,
    ...(selection.kind === 'distinct' ? [] : clustering(rng, t)),
    ...cells.map((column) => filter(rng, t, column)),
  ];
  const pieces: Piece[] = ['SELECT ', ...selection.pieces, ` FROM ${tableText(rng, t)}`];
  const shuffled = rng.chance(0.3) ? rng.shuffle(parts) : parts;
  if (parts.length > 0) pieces.push(' WHERE ', ...join(shuffled, ' AND '));
  if (selection.groupBy.length > 0)
    pieces.push(` GROUP BY ${selection.groupBy.map(({ text }) => text).join(', ')}`);
  if (t.ck.length > 0 && where.of !== 'scan' && rng.chance(0.3)) pieces.push(orderBy(rng, t));
  if (rng.chance(0.15)) pieces.push(` PER PARTITION LIMIT ${rng.between(1, 4)}`);
  // Which rows of a scan a LIMIT leaves is a matter of the order of partitions; what aggregates see is not limited by it.
  const isLimited = rng.chance(0.2);
  if (isLimited) pieces.push(` LIMIT ${rng.between(1, 9)}`);
  if (rng.chance(0.93)) pieces.push(' ALLOW FILTERING');
  const isScan = where.of === 'scan' && selection.kind !== 'aggregates';
  return {
    kind: `select wide ${selection.kind}`,
    pieces,
    compare: !isScan ? 'rows' : isLimited ? 'count' : 'scan',
    ...(rng.chance(0.4) ? {} : { pageSize: rng.chance(0.7) ? rng.between(1, 6) : 100 }),
  };
}
