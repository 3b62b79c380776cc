/** A materialized view of a table, made before its first row, and reads of it. */
import { pkRestriction } from './generate_select.ts';
import {
  KS,
  concretise,
  term,
  type GenColumn,
  type GenTable,
  type Piece,
  type Step,
} from './model.ts';
import type { Prng } from './prng.ts';
import { randomValue } from './values.ts';

/** A view; key columns of the base are named by position, as they are renamed. */
export interface GenView {
  readonly name: string;
  /** Clustering columns of the base in the view's order. */
  readonly order: readonly number[];
  /** A regular column of the base before them. */
  readonly further: GenColumn | undefined;
  /** Whether `further` alone is the partition key: partitions of the view then hold rows of several of the base. */
  readonly spans: boolean;
}

/** Equal values of these have several forms (docs/compatibility.md), or are no keys. */
const NO_KEY: ReadonlySet<string> = new Set([
  'boolean',
  'counter',
  'decimal',
  'double',
  'duration',
  'float',
  'varint',
]);

/** A view for a new table, now and then. */
export function randomView(rng: Prng, t: GenTable): GenView | undefined {
  if (t.counters === true || t.ck.length === 0 || !rng.chance(0.2)) return undefined;
  const columns = t.regular.filter(({ type }) => type.kind === 'scalar' && !NO_KEY.has(type.name));
  const further = columns.length > 0 && rng.chance(0.6) ? rng.pick(columns) : undefined;
  const isPlain = t.pk.every(({ type }) => type.kind === 'scalar' && !NO_KEY.has(type.name));
  return {
    name: `${t.name}_view`,
    order: rng.shuffle(t.ck.map((_, index) => index)),
    further,
    spans: further !== undefined && isPlain && rng.chance(0.5),
  };
}

/** CREATE MATERIALIZED VIEW. */
export function createView(t: GenTable, view: GenView): Step {
  const own = view.further === undefined ? [] : [view.further];
  const clustering = [
    ...(view.spans ? t.pk : own),
    ...view.order.map((index) => t.ck[index] as GenColumn),
  ];
  const partitionKey = view.spans ? own : t.pk;
  const keys = [...partitionKey, ...clustering].map(({ text }) => text);
  const partition = partitionKey.map(({ text }) => text).join(', ');
  // Static columns are in no view.
  const selected =
    t.statics.length === 0
      ? '*'
      : [...t.pk, ...t.ck, ...t.regular].map(({ text }) => text).join(', ');
  const rest = clustering.map(({ text }) => text).join(', ');
  return {
    kind: 'create view',
    form: 'query',
    cql: `CREATE MATERIALIZED VIEW ${KS}.${view.name} AS SELECT ${selected} FROM ${KS}.${t.name} WHERE ${keys.map((key) => `${key} IS NOT NULL`).join(' AND ')} PRIMARY KEY ((${partition}), ${rest})`,
    compare: 'rows',
  };
}

/** A read of the view: a partition, a part of it, or all of one that does not span partitions. */
export function randomViewRead(rng: Prng, t: GenTable, view: GenView): Step {
  const pieces: Piece[] = [`SELECT * FROM ${KS}.${view.name}`];
  // Scans are compared by the partitions of the base.
  const isScan = !view.spans && rng.chance(0.3);
  if (!isScan && view.spans && view.further !== undefined) {
    const { further } = view;
    const known = t.written.get(further.text) ?? [];
    const value = known.length === 0 ? randomValue(rng, further.type) : rng.pick(known);
    pieces.push(` WHERE ${further.text} = `, term(value));
    const [first] = t.pk;
    if (first !== undefined && rng.chance(0.4)) {
      const compared = rng.pick(t.pkPool[0] ?? []);
      pieces.push(` AND ${first.text} ${rng.pick(['=', '>=', '<'])} `, term(compared));
    }
    if (rng.chance(0.3)) pieces.push(` ORDER BY ${first?.text ?? ''} ${rng.pick(['ASC', 'DESC'])}`);
  } else if (!isScan) {
    pieces.push(' WHERE ', ...pkRestriction(rng, t, false).pieces);
    const first = view.order[0] ?? 0;
    const column = view.further ?? t.ck[first];
    const known = view.further === undefined ? t.ckPool[first] : t.written.get(view.further.text);
    if (column !== undefined && rng.chance(0.5)) {
      const value = known?.[0] === undefined ? randomValue(rng, column.type) : rng.pick(known);
      pieces.push(` AND ${column.text} ${rng.pick(['=', '>=', '<'])} `, term(value));
    }
  }
  return concretise(rng, {
    kind: 'select view',
    pieces,
    compare: isScan ? 'scan' : 'rows',
    ...(rng.chance(0.3) ? { pageSize: rng.between(1, 5) } : {}),
  });
}
