/** Random SELECT statements that Cassandra can answer without filtering (and some that it refuses). */
import {
  KS,
  join,
  tableText,
  term,
  type GenColumn,
  type GenTable,
  type Piece,
  type Statement,
  type Step,
} from './model.ts';
import type { Prng } from './prng.ts';
import type { GenValue } from './types.ts';

function intTerm(n: number): Piece {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(n);
  return term({ bytes, literal: String(n) });
}

function listValue(values: readonly GenValue[]): GenValue {
  const head = Buffer.alloc(4);
  head.writeInt32BE(values.length);
  const parts = values.map(({ bytes }) => {
    const size = Buffer.alloc(4);
    size.writeInt32BE(bytes === null ? -1 : bytes.length);
    return bytes === null ? size : Buffer.concat([size, bytes]);
  });
  return { bytes: Buffer.concat([head, ...parts]), literal: null };
}

function tupleValue(values: readonly GenValue[]): GenValue {
  return { bytes: (listValue(values).bytes as Buffer).subarray(4), literal: null };
}

/** `column IN (…)` or `column IN ?`. */
export function inPieces(rng: Prng, text: string, values: readonly GenValue[]): Piece[] {
  if (rng.chance(0.4)) return [`${text} IN `, { value: listValue(values), force: 'bound' }];
  return [
    `${text} IN (`,
    ...join(
      values.map((v) => [term(v)]),
      ', ',
    ),
    ')',
  ];
}

/** Values drawn from a pool, with repeats. */
export function draw(rng: Prng, values: readonly GenValue[], max: number): GenValue[] {
  return Array.from({ length: rng.between(1, max) }, () => rng.pick(values));
}

/** Restrictions of the whole partition key; `many` where IN is used. */
export function pkRestriction(
  rng: Prng,
  t: GenTable,
  allowIn: boolean,
): { pieces: Piece[]; many: boolean } {
  let many = false;
  const parts = t.pk.map((c, i) => {
    const values = t.pkPool[i] ?? [];
    if (allowIn && rng.chance(0.6)) {
      many = true;
      return inPieces(rng, c.text, draw(rng, values, 4));
    }
    return [`${c.text} = `, term(rng.pick(values))];
  });
  return { pieces: join(rng.chance(0.2) ? rng.shuffle(parts) : parts, ' AND '), many };
}

/** `column = value`, or IN with the chance given. */
export function equalOrIn(
  rng: Prng,
  { text }: GenColumn,
  values: readonly GenValue[],
  chanceOfIn: number,
): Piece[] {
  if (rng.chance(chanceOfIn)) return inPieces(rng, text, draw(rng, values, 3));
  return [`${text} = `, term(rng.pick(values))];
}

export function tupleText(columns: readonly GenColumn[]): string {
  return `(${columns.map((c) => c.text).join(', ')})`;
}

export function tuplePieces(rng: Prng, values: readonly GenValue[]): Piece[] {
  if (rng.chance(0.3)) return [{ value: tupleValue(values), force: 'bound' }];
  return [
    '(',
    ...join(
      values.map((v) => [term(v)]),
      ', ',
    ),
    ')',
  ];
}

/** Restrictions of a prefix of the clustering columns; empty when none. `slices`: also < > and multi-column ones. */
export function ckRestriction(rng: Prng, t: GenTable, slices: boolean): Piece[][] {
  const out: Piece[][] = [];
  let i = 0;
  while (i < t.ck.length) {
    const column = t.ck[i] as GenColumn;
    const values = t.ckPool[i] ?? [];
    const rest = t.ck.slice(i);
    const tuple = (): GenValue[] => rest.map((_, k) => rng.pick(t.ckPool[i + k] ?? []));
    const dice = rng.int(100);
    if (dice < 35) {
      out.push([`${column.text} = `, term(rng.pick(values))]);
      i++;
      continue;
    }
    if (dice < 50) {
      out.push(inPieces(rng, column.text, draw(rng, values, 4)));
      i++;
      continue;
    }
    if (dice < 60) return out;
    if (rest.length > 1 && dice < 80) {
      if (rng.chance(0.3)) {
        const tuples = Array.from({ length: rng.between(1, 3) }, () => tuplePieces(rng, tuple()));
        out.push([`${tupleText(rest)} IN (`, ...join(tuples, ', '), ')']);
        return out;
      }
      if (!slices) return out;
      const length = rng.between(1, rest.length);
      const side = (ops: readonly string[]): Piece[] => {
        const part = rng.chance(0.5) ? length : rest.length;
        return [
          `${tupleText(rest.slice(0, part))} ${rng.pick(ops)} `,
          ...tuplePieces(rng, tuple().slice(0, part)),
        ];
      };
      out.push(side(['>', '>=']));
      if (rng.chance(0.5)) out.push(side(['<', '<=']));
      return out;
    }
    if (!slices) return out;
    if (rng.chance(0.7))
      out.push([`${column.text} ${rng.pick(['>', '>='])} `, term(rng.pick(values))]);
    if (rng.chance(0.5) || out.length === i)
      out.push([`${column.text} ${rng.pick(['<', '<='])} `, term(rng.pick(values))]);
    return out;
  }
  return out;
}

function alias(rng: Prng, expression: string, prefix: string): string {
  return rng.chance(0.3) ? `${expression} AS ${prefix}_${rng.int(9)}` : expression;
}

function selection(rng: Prng, t: GenTable, withPk: boolean): { text: string; aggregate: boolean } {
  const cells = [...t.statics, ...t.regular];
  const dice = rng.int(100);
  if (dice < 40) return { text: '*', aggregate: false };
  if (dice < 47)
    return { text: rng.pick(['count(*)', 'COUNT(1)', 'count(*) AS n']), aggregate: true };
  const columns = rng
    .sample([...t.pk, ...t.ck, ...cells], rng.between(1, 5))
    .map((c) => (rng.chance(0.1) ? `${c.text} AS ${c.text.replace(/\W/g, '')}_x` : c.text));
  if (cells.length > 0 && rng.chance(0.4)) {
    for (const c of rng.sample(cells, 2))
      columns.push(
        rng.chance(0.5)
          ? alias(rng, `writetime(${c.text})`, 'wt')
          : alias(rng, `ttl(${c.text})`, 'ttl'),
      );
  }
  if (rng.chance(0.05))
    columns.push(alias(rng, `token(${t.pk.map((c) => c.text).join(', ')})`, 'tok'));
  if (rng.chance(0.05)) columns.push(columns[0] as string);
  return {
    text: (withPk ? [...t.pk.map((c) => c.text), ...columns] : columns).join(', '),
    aggregate: false,
  };
}

function pageSize(rng: Prng): number | undefined {
  return rng.chance(0.45) ? undefined : rng.chance(0.75) ? rng.between(1, 7) : 100;
}

/** A SELECT. */
export function randomSelect(rng: Prng, t: GenTable): Statement {
  const size = pageSize(rng);
  const paged = size === undefined ? {} : { pageSize: size };
  if (t.ck.length + t.regular.length > 0 && rng.chance(0.06)) return distinct(rng, t, paged);
  const where = rng.pick(['point', 'point', 'point', 'in', 'scan']);
  const { text, aggregate } = selection(rng, t, where === 'scan' && rng.chance(0.8));
  const pieces: Piece[] = [`SELECT ${text} FROM ${tableText(rng, t)}`];
  let many = false;
  if (where !== 'scan') {
    const pk = pkRestriction(rng, t, where === 'in');
    many = pk.many;
    pieces.push(' WHERE ', ...pk.pieces);
    for (const part of ckRestriction(rng, t, true)) pieces.push(' AND ', ...part);
    if (t.ck.length > 0 && rng.chance(0.25)) {
      const reverse = rng.chance(0.5);
      const columns = t.ck.slice(0, rng.between(1, t.ck.length));
      const order = columns.map(
        (c) => `${c.text} ${(c.desc === true) === reverse ? 'ASC' : 'DESC'}`,
      );
      if (rng.chance(0.03)) order.reverse();
      pieces.push(` ORDER BY ${order.join(', ')}`);
    }
  }
  if (!aggregate && rng.chance(0.12))
    pieces.push(' PER PARTITION LIMIT ', intTerm(rng.between(1, 4)));
  const limited = rng.chance(0.15);
  if (limited) pieces.push(' LIMIT ', intTerm(rng.between(1, 9)));
  const scan = where === 'scan';
  return {
    kind: `select ${aggregate ? 'count ' : ''}${scan ? 'scan' : many ? 'pk in' : 'partition'}`,
    pieces,
    compare: scan && !aggregate ? (limited ? 'count' : 'scan') : 'rows',
    ...paged,
  };
}

function distinct(rng: Prng, t: GenTable, paged: { pageSize?: number }): Statement {
  const columns = [...t.pk.map((c) => c.text), ...rng.sample(t.statics, 1).map((c) => c.text)];
  const pieces: Piece[] = [`SELECT DISTINCT ${columns.join(', ')} FROM ${tableText(rng, t)}`];
  const scan = rng.chance(0.6);
  if (!scan) pieces.push(' WHERE ', ...pkRestriction(rng, t, rng.chance(0.5)).pieces);
  const limited = rng.chance(0.2);
  if (limited) pieces.push(' LIMIT ', intTerm(rng.between(1, 4)));
  return {
    kind: 'select distinct',
    pieces,
    compare: scan ? (limited ? 'count' : 'scan') : 'rows',
    ...paged,
  };
}

/** A scan in token ranges that cover the ring; the union is compared. */
export function tokenRanges(rng: Prng, t: GenTable): Step {
  const token = `token(${t.pk.map((c) => c.text).join(', ')})`;
  const cuts = Array.from({ length: rng.between(1, 4) }, () => rng.i64()).sort((a, b) =>
    a < b ? -1 : 1,
  );
  const bounds = cuts.map((c) => c.toString());
  const head = `SELECT ${rng.chance(0.5) ? '*' : [...t.pk, ...t.ck].map((c) => c.text).join(', ')} FROM ${KS}.${t.name} WHERE `;
  const ranges = [`${token} <= ${bounds[0] ?? ''}`];
  for (let i = 1; i < bounds.length; i++)
    ranges.push(`${token} > ${bounds[i - 1] ?? ''} AND ${token} <= ${bounds[i] ?? ''}`);
  ranges.push(`${token} > ${bounds[bounds.length - 1] ?? ''}`);
  return {
    kind: 'select token ranges',
    form: rng.chance(0.5) ? 'prepared' : 'query',
    cql: head + (ranges[0] ?? ''),
    union: ranges.map((r) => head + r),
    compare: 'scan',
    ...(rng.chance(0.5) ? { pageSize: rng.between(1, 7) } : {}),
  };
}

/** WHERE token(…) compared with the token of values: rows may differ, metadata and codes may not. */
export function tokenOfValues(rng: Prng, t: GenTable): Statement {
  const pieces: Piece[] = [
    `SELECT * FROM ${tableText(rng, t)} WHERE token(${t.pk.map((c) => c.text).join(', ')}) ${rng.pick(['>', '>=', '<', '<='])} token(`,
  ];
  pieces.push(
    ...join(
      t.pk.map((_, i) => [term(rng.pick(t.pkPool[i] ?? []))]),
      ', ',
    ),
    ')',
  );
  return { kind: 'select token of values', pieces, compare: 'metadata' };
}
