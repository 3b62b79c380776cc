/** Random INSERT, UPDATE, DELETE and BATCH. */
import { conditions, remember } from './generate_conditions.ts';
import { ckRestriction, equalOrIn, pkRestriction } from './generate_select.ts';
import {
  cellTerm,
  freshTimestamp,
  join,
  render,
  tableText,
  term,
  type GenColumn,
  type GenTable,
  type Piece,
  type Statement,
  type Step,
} from './model.ts';
import type { Prng } from './prng.ts';
import { isMulti } from './types.ts';
import type { GenValue } from './types.ts';
import { randomValue, sameDecimal } from './values.ts';

interface Using {
  readonly pieces: Piece[];
  readonly timestamp?: bigint;
}

function longTerm(n: number): Piece {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(BigInt(n));
  return term({ bytes, literal: String(n) });
}

function intTerm(n: number): Piece {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(n);
  return term({ bytes, literal: String(n) });
}

/** USING clause; the timestamp in text or as the request's default. */
function using(rng: Prng, t: GenTable, ttl: boolean, plain: boolean): Using {
  const parts: Piece[][] = [];
  let timestamp: bigint | undefined;
  const own = !plain && (t.clock === 'client' || (t.clock === 'mixed' && rng.chance(0.3)));
  if (own) {
    const at = freshTimestamp(rng, t);
    if (rng.chance(0.3)) timestamp = BigInt(at);
    else parts.push(['TIMESTAMP ', longTerm(at)]);
  }
  // Long enough never to run out within a run.
  if (ttl && rng.chance(0.15)) parts.push(['TTL ', intTerm(rng.pick([0, 100_000, 5_000_000]))]);
  const pieces = parts.length === 0 ? [] : [' USING ', ...join(rng.shuffle(parts), ' AND ')];
  return { pieces, ...(timestamp === undefined ? {} : { timestamp }) };
}

interface Key {
  readonly pk: readonly GenValue[];
  readonly ck: readonly GenValue[];
}

function randomKey(rng: Prng, t: GenTable): Key {
  return { pk: t.pkPool.map((p) => rng.pick(p)), ck: t.ckPool.map((p) => rng.pick(p)) };
}

function keyText(key: Key): string {
  const text = (v: GenValue): string => (v.bytes === null ? '-' : v.bytes.toString('hex'));
  return [...key.pk.map(text), '/', ...key.ck.map(text)].join(',');
}

/** Whether two keys name one row: clustering decimals are equal whatever their scale. */
function isSameRow(t: GenTable, a: Key, b: Key): boolean {
  return (
    keyText({ ...a, ck: [] }) === keyText({ ...b, ck: [] }) &&
    a.ck.every((value, i) => {
      const type = t.ck[i]?.type;
      const [x, y] = [value.bytes as Buffer, b.ck[i]?.bytes as Buffer];
      return type?.kind === 'scalar' && type.name === 'decimal' ? sameDecimal(x, y) : x.equals(y);
    })
  );
}

interface WriteOptions {
  readonly v4: boolean;
  readonly key?: Key;
  readonly statics?: boolean;
  /** Inside a batch: no condition, no default timestamp. */
  readonly child?: boolean;
  /** Inside a batch with conditions: now and then one of its own. */
  readonly conditional?: boolean;
  /** Inside a batch: no USING. */
  readonly bare?: boolean;
}

/** An INSERT. */
export function randomInsert(rng: Prng, t: GenTable, o: WriteOptions): Statement {
  const key = o.key ?? randomKey(rng, t);
  const columns: [GenColumn, Piece][] = [];
  const staticOnly =
    t.statics.length > 0 && t.ck.length > 0 && o.statics !== false && rng.chance(0.08);
  t.pk.forEach((c, i) => columns.push([c, term(key.pk[i] as GenValue)]));
  if (!staticOnly) t.ck.forEach((c, i) => columns.push([c, term(key.ck[i] as GenValue)]));
  const cells = [...(o.statics === false ? [] : t.statics), ...(staticOnly ? [] : t.regular)];
  for (const c of cells)
    if (rng.chance(0.75)) columns.push([c, remember(t, c, cellTerm(rng, c.type, o.v4))]);
  const order = rng.chance(0.5) ? rng.shuffle(columns) : columns;
  const lwt = o.child !== true && rng.chance(t.clock === 'client' ? 0.02 : 0.1);
  const u = o.bare === true ? { pieces: [] } : using(rng, t, true, lwt);
  return {
    kind: lwt ? 'insert if not exists' : 'insert',
    pieces: [
      `INSERT INTO ${tableText(rng, t)} (${order.map(([c]) => c.text).join(', ')}) VALUES (`,
      ...join(
        order.map(([, v]) => [v]),
        ', ',
      ),
      ')',
      ...(lwt ? [' IF NOT EXISTS'] : []),
      ...u.pieces,
    ],
    compare: 'rows',
    ...(u.timestamp === undefined ? {} : { timestamp: u.timestamp }),
  };
}

/** WHERE of a whole row, several rows, or the statics of a partition. */
export function rowWhere(
  rng: Prng,
  t: GenTable,
  key: Key | undefined,
  withCk: boolean,
  onePartition = false,
): Piece[] {
  if (key !== undefined) {
    const parts = t.pk.map((c, i): Piece[] => [`${c.text} = `, term(key.pk[i] as GenValue)]);
    if (withCk) t.ck.forEach((c, i) => parts.push([`${c.text} = `, term(key.ck[i] as GenValue)]));
    return join(parts, ' AND ');
  }
  const many = rng.chance(0.12) && !onePartition;
  const parts: Piece[][] = [pkRestriction(rng, t, many).pieces];
  if (withCk) {
    t.ck.forEach((c, i) => {
      parts.push(equalOrIn(rng, c, t.ckPool[i] ?? [], 0.15));
    });
  }
  return join(parts, ' AND ');
}

/** `c = value`; of a column of several cells also an operation on its elements. */
function assignment(rng: Prng, t: GenTable, c: GenColumn, unset: boolean): Piece[] {
  const { type, text } = c;
  if (!isMulti(type) || rng.chance(0.3))
    return [`${text} = `, remember(t, c, cellTerm(rng, type, unset))];
  switch (type.kind) {
    case 'list':
      if (rng.chance(0.25)) {
        return [`${text}[`, intTerm(rng.int(3)), '] = ', cellTerm(rng, type.of, unset)];
      }
      if (rng.chance(0.3)) return [`${text} = `, term(randomValue(rng, type)), ` + ${text}`];
      return [`${text} = ${text} ${rng.pick(['+', '+', '-'])} `, term(randomValue(rng, type))];
    case 'map':
      if (rng.chance(0.5)) {
        return [
          `${text}[`,
          term(randomValue(rng, type.key)),
          '] = ',
          cellTerm(rng, type.of, unset),
        ];
      }
      if (rng.chance(0.5)) return [`${text} = ${text} + `, term(randomValue(rng, type))];
      return [`${text} = ${text} - `, term(randomValue(rng, { kind: 'set', of: type.key }))];
    case 'udt': {
      const field = rng.pick(type.fields);
      return [`${text}.${field.name} = `, cellTerm(rng, field.type, unset)];
    }
    default:
      return [`${text} = ${text} ${rng.pick(['+', '-'])} `, term(randomValue(rng, type))];
  }
}

/** Whether a statement may fail at what a row holds: of several partitions the proxy then has written some (docs/compatibility.md). */
function mayGoByIndex(columns: readonly GenColumn[]): boolean {
  return columns.some(({ type }) => isMulti(type) && type.kind === 'list');
}

/** What a DELETE names of a column. */
function deletion(rng: Prng, { type, text }: GenColumn): Piece[] {
  if (!isMulti(type) || rng.chance(0.4)) return [text];
  switch (type.kind) {
    case 'list':
      return [`${text}[`, intTerm(rng.int(3)), ']'];
    case 'set':
      return [`${text}[`, term(randomValue(rng, type.of)), ']'];
    case 'map':
      return [`${text}[`, term(randomValue(rng, type.key)), ']'];
    case 'udt':
      return [`${text}.${rng.pick(type.fields).name}`];
    default:
      return [text];
  }
}

/** An UPDATE. */
export function randomUpdate(rng: Prng, t: GenTable, o: WriteOptions): Statement | null {
  const cells = [...(o.statics === false ? [] : t.statics), ...t.regular];
  if (cells.length === 0) return null;
  const chosen = rng.sample(cells, rng.between(1, cells.length));
  const onlyStatic = chosen.every((c) => t.statics.includes(c));
  const lwt = o.child !== true && rng.chance(t.clock === 'client' ? 0.04 : 0.3);
  const u = o.bare === true ? { pieces: [] } : using(rng, t, true, lwt);
  const key = o.key ?? (lwt && rng.chance(0.9) ? randomKey(rng, t) : undefined);
  const tail = lwt || o.conditional === true ? conditions(rng, t, onlyStatic) : [];
  return {
    kind: lwt ? 'update if' : 'update',
    pieces: [
      `UPDATE ${tableText(rng, t)}`,
      ...u.pieces,
      ' SET ',
      ...join(
        chosen.map((c) => assignment(rng, t, c, o.v4)),
        ', ',
      ),
      ' WHERE ',
      ...rowWhere(rng, t, key, !onlyStatic, mayGoByIndex(chosen)),
      ...tail,
    ],
    compare: 'rows',
    ...(u.timestamp === undefined ? {} : { timestamp: u.timestamp }),
  };
}

/** A DELETE of cells, rows, ranges or partitions. */
export function randomDelete(rng: Prng, t: GenTable, o: WriteOptions): Statement {
  const cells = [...t.statics, ...t.regular];
  const dice = rng.int(100);
  const lwt = o.child !== true && rng.chance(t.clock === 'client' ? 0.04 : 0.2);
  const u = o.bare === true ? { pieces: [] } : using(rng, t, false, lwt);
  const key = o.key ?? (lwt && rng.chance(0.9) ? randomKey(rng, t) : undefined);
  const tailOf = (onlyStatic: boolean): Piece[] => (lwt ? conditions(rng, t, onlyStatic) : []);
  const headOf = (columns: readonly Piece[]): Piece[] => [
    'DELETE ',
    ...columns,
    `FROM ${tableText(rng, t)}`,
    ...u.pieces,
    ' WHERE ',
  ];
  const head = (columns: string): Piece[] => headOf([columns]);
  const timestamp = u.timestamp === undefined ? {} : { timestamp: u.timestamp };
  if (dice < 35 && cells.length > 0) {
    const chosen = rng.sample(cells, rng.between(1, 2));
    const onlyStatic = chosen.every((c) => t.statics.includes(c));
    return {
      kind: lwt ? 'delete if' : 'delete cells',
      pieces: [
        ...headOf([
          ...join(
            chosen.map((c) => deletion(rng, c)),
            ', ',
          ),
          ' ',
        ]),
        ...rowWhere(rng, t, key, !onlyStatic, mayGoByIndex(chosen)),
        ...tailOf(onlyStatic),
      ],
      compare: 'rows',
      ...timestamp,
    };
  }
  if (dice < 75) {
    return {
      kind: lwt ? 'delete if' : 'delete row',
      pieces: [...head(''), ...rowWhere(rng, t, key, true), ...tailOf(false)],
      compare: 'rows',
      ...timestamp,
    };
  }
  const ck = ckRestriction(rng, t, true);
  const pieces = [...head(''), ...pkRestriction(rng, t, rng.chance(0.15)).pieces];
  for (const part of ck) pieces.push(' AND ', ...part);
  return {
    kind: ck.length > 0 ? 'delete range' : 'delete partition',
    pieces,
    compare: 'rows',
    ...timestamp,
  };
}

/** A BATCH, as text or as a BATCH message. No cell is written twice with one write time. */
export function randomBatch(rng: Prng, t: GenTable, v4: boolean): Step {
  const size = rng.between(1, 6);
  const fixed = rng.chance(0.5) ? t.pkPool.map((p) => rng.pick(p)) : null;
  const lwt = rng.chance(t.clock === 'client' ? 0.02 : 0.2);
  const seen: Key[] = [];
  const staticsOf = new Set<string>();
  const children: Statement[] = [];
  const outer = !lwt && t.clock !== 'server' && rng.chance(0.4);
  for (let i = 0; i < size; i++) {
    const random = randomKey(rng, t);
    const key =
      fixed === null && !lwt
        ? random
        : { pk: fixed ?? t.pkPool.map((p) => p[0] as GenValue), ck: random.ck };
    if (seen.some((other) => isSameRow(t, key, other))) continue;
    seen.push(key);
    const partition = keyText({ pk: key.pk, ck: [] });
    const statics = !staticsOf.has(partition);
    const options = {
      v4,
      key,
      statics,
      child: true,
      conditional: lwt && rng.chance(0.5),
      bare: lwt || outer || t.clock === 'server',
    };
    const dice = rng.int(10);
    let child: Statement | null = null;
    if (dice >= 6 && dice < 8) child = randomUpdate(rng, t, options);
    else if (dice >= 8) child = deleteRow(rng, t, key, options);
    child ??= randomInsert(rng, t, options);
    staticsOf.add(partition);
    children.push(child);
  }
  const kind = lwt ? 'batch if' : rng.chance(0.5) ? 'batch unlogged' : 'batch logged';
  const condition = (c: Statement): Piece[] =>
    lwt && c.kind === 'insert' && rng.chance(0.7) ? [...c.pieces, ' IF NOT EXISTS'] : [...c.pieces];
  const at = outer ? freshTimestamp(rng, t) : null;
  if (rng.chance(0.5)) {
    const pieces: Piece[] = [kind === 'batch unlogged' ? 'BEGIN UNLOGGED BATCH' : 'BEGIN BATCH'];
    if (at !== null) pieces.push(' USING TIMESTAMP ', longTerm(at));
    for (const c of children) pieces.push(' ', ...condition(c), rng.chance(0.7) ? ';' : '');
    pieces.push(' APPLY BATCH');
    const mode = rng.pick(['literal', 'bound', 'prepared', 'mixed'] as const);
    const { cql, values } = render(rng, pieces, mode);
    return {
      kind: `${kind} text`,
      form: mode === 'literal' || mode === 'bound' ? 'query' : 'prepared',
      cql,
      ...(values.length > 0 ? { values } : {}),
      compare: 'rows',
    };
  }
  return {
    kind: `${kind} message`,
    form: 'batch',
    cql: kind,
    batchKind: kind === 'batch unlogged' ? 1 : 0,
    children: children.map((c) => {
      const prepared = rng.chance(0.6);
      const { cql, values } = render(
        rng,
        condition(c),
        prepared ? 'prepared' : rng.pick(['literal', 'bound']),
      );
      return { cql, prepared, values };
    }),
    ...(at === null ? {} : { timestamp: BigInt(at) }),
    compare: 'rows',
  };
}

function deleteRow(rng: Prng, t: GenTable, key: Key, o: WriteOptions): Statement {
  const u = o.bare === true ? { pieces: [] } : using(rng, t, false, false);
  return {
    kind: 'delete row',
    pieces: [
      `DELETE FROM ${tableText(rng, t)}`,
      ...u.pieces,
      ' WHERE ',
      ...rowWhere(rng, t, key, true),
      ...(o.conditional === true ? conditions(rng, t, false) : []),
    ],
    compare: 'rows',
  };
}
