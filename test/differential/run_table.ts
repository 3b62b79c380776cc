/** The life of one table: created on both sides, random statements compared one by one, dropped. */
import type { Endpoint } from '../support/endpoint.ts';
import { compareOutcomes, type Difference, type Names, type Outcome } from './compare.ts';
import { isCounterTable, nextCounterStep } from './generate_counter.ts';
import { randomIndexChange, randomIndexRead } from './generate_index.ts';
import { randomDdl, randomInvalid, schemaRead, wrongValues } from './generate_other.ts';
import { randomInsertJson } from './generate_json.ts';
import { createType, randomTypeChange } from './generate_types.ts';
import { createView, randomView, randomViewRead } from './generate_view.ts';
import { randomWideSelect } from './generate_wide_select.ts';
import { randomEvaluated } from './generate_evaluated.ts';
import { randomSelect, tokenOfValues, tokenRanges } from './generate_select.ts';
import { randomBatch, randomDelete, randomInsert, randomUpdate } from './generate_write.ts';
import { KNOWN_DIFFERENCES } from './known_differences.ts';
import { KS, concretise, createTable, randomTable, type GenTable, type Step } from './model.ts';
import { Prng } from './prng.ts';
import { Side } from './side.ts';
import type { GenType } from './types.ts';

/** What happened to one table. */
export interface TableReport {
  readonly index: number;
  readonly statements: number;
  /** 'kind of statement' → [answered, refused] on Cassandra directly. */
  readonly counts: ReadonlyMap<string, readonly [number, number]>;
  readonly known: ReadonlyMap<string, number>;
  readonly soft: ReadonlyMap<string, number>;
  readonly failure: TableFailure | null;
}

/** A failure with what is needed to look at it. */
export interface TableFailure {
  readonly create: string;
  readonly version: number;
  readonly steps: readonly Step[];
  readonly differences: readonly Difference[];
}

/** Settings of a run. */
export interface RunSettings {
  readonly direct: Endpoint;
  readonly proxy: Endpoint;
  readonly names: Names;
  readonly seed: string;
  readonly statementsPerTable: number;
  readonly udts: readonly GenType[];
  /** Spoils about one answer in this many, to show that the comparison sees it. 0: never. */
  readonly sabotage: number;
  /** Also draws views, and indexes on parts of columns of several cells. */
  readonly wide: boolean;
}

function nextStep(rng: Prng, t: GenTable, v4: boolean, wide: boolean): Step {
  if (isCounterTable(t)) return nextCounterStep(rng, t, v4);
  const dice = rng.int(1000);
  if (rng.chance(0.006)) return randomIndexChange(rng, t, wide);
  if (rng.chance(0.02)) return randomIndexRead(rng, t, wide);
  if (wide && rng.chance(0.15)) return concretise(rng, randomWideSelect(rng, t));
  if (rng.chance(0.03)) {
    const insert = randomInsertJson(rng, t);
    if (insert !== null) return concretise(rng, insert);
  }
  if (rng.chance(0.015)) {
    const change = randomTypeChange(rng, t);
    if (change !== null) return change;
  }
  if (dice < 240) return concretise(rng, randomInsert(rng, t, { v4 }));
  if (dice < 360) {
    const update = randomUpdate(rng, t, { v4 });
    return update === null
      ? concretise(rng, randomInsert(rng, t, { v4 }))
      : concretise(rng, update);
  }
  if (dice < 440) return concretise(rng, randomDelete(rng, t, { v4 }));
  if (dice < 520) return randomBatch(rng, t, v4);
  if (dice < 740) return concretise(rng, randomSelect(rng, t));
  if (dice < 870) return concretise(rng, randomEvaluated(rng, t));
  if (dice < 885) return tokenRanges(rng, t);
  if (dice < 895) return concretise(rng, tokenOfValues(rng, t));
  if (dice < 960) return concretise(rng, randomInvalid(rng, t));
  if (dice < 965) return wrongValues(rng, t);
  if (dice < 985) return schemaRead(rng, t);
  return randomDdl(rng, t);
}

function spoil(rng: Prng, outcome: Outcome): Outcome {
  const rows = outcome.rows.map((row) => [...row]);
  const row = rows[rng.int(rows.length)];
  const cell = row?.findIndex((c) => c !== null && c.length > 0 && c.length !== 8) ?? -1;
  if (row === undefined || cell < 0) return outcome;
  const changed = Buffer.from(row[cell] as Buffer);
  changed[changed.length - 1] = (changed[changed.length - 1] as number) ^ 1;
  row[cell] = changed;
  return { ...outcome, rows };
}

/** Runs table `index` of a seed. The same seed and index give the same statements. */
export async function runTable(settings: RunSettings, index: number): Promise<TableReport> {
  const rng = new Prng(`${settings.seed}/${index}`);
  const version = rng.chance(0.2) ? 3 : 4;
  const table = randomTable(rng, `t${index}`, settings.udts, settings.wide);
  const create = createTable(rng, table);
  const view = settings.wide ? randomView(rng, table) : undefined;
  const counts = new Map<string, [number, number]>();
  const known = new Map<string, number>();
  const soft = new Map<string, number>();
  const done: Step[] = [];
  let failure: TableFailure | null = null;
  const sides = [
    await Side.connect(settings.direct, settings.names.direct, version),
    await Side.connect(settings.proxy, settings.names.proxy, version),
  ] as const;
  try {
    const begin: Step[] = [
      ...(table.ownType === undefined ? [] : [createType(table.ownType)]),
      { kind: 'create table', form: 'query', cql: create, compare: 'rows' },
      { kind: 'use', form: 'query', cql: `USE ${KS}`, compare: 'rows' },
    ];
    if (view !== undefined) begin.push(createView(table, view));
    for (let n = 0; n < settings.statementsPerTable && failure === null; n++) {
      const step =
        begin[n] ??
        (view !== undefined && rng.chance(0.15)
          ? randomViewRead(rng, table, view)
          : nextStep(rng, table, version === 4, settings.wide));
      if (rng.chance(0.05)) for (const side of sides) side.forget();
      done.push(step);
      let differences: Difference[];
      const started = Date.now();
      try {
        const [a, b] = await Promise.all([sides[0].run(step), sides[1].run(step)]);
        const spoiled =
          settings.sabotage > 0 && rng.int(settings.sabotage) === 0 ? spoil(rng, b) : b;
        differences = compareOutcomes(step, a, spoiled, settings.names, table);
        const count = counts.get(step.kind) ?? [0, 0];
        count[a.first.kind === 'error' ? 1 : 0]++;
        counts.set(step.kind, count);
        if (a.first.kind !== 'error' && b.first.kind !== 'error') step.onOk?.();
      } catch (error) {
        differences = [
          {
            what: 'connection',
            soft: false,
            text: error instanceof Error ? (error.stack ?? error.message) : String(error),
            direct: null,
            proxy: null,
          },
        ];
      }
      const hard: Difference[] = [];
      let hasOtherRows = false;
      const elapsedMs = Date.now() - started;
      for (const d of differences) {
        const listed = KNOWN_DIFFERENCES.find((k) => k.applies(step, d, table, elapsedMs));
        hasOtherRows ||= listed?.leavesOtherRows === true;
        if (listed !== undefined) known.set(listed.name, (known.get(listed.name) ?? 0) + 1);
        else if (d.soft)
          soft.set(`${d.what}: ${d.text}`, (soft.get(`${d.what}: ${d.text}`) ?? 0) + 1);
        else hard.push(d);
      }
      if (hasOtherRows) {
        const empty: Step = {
          kind: 'truncate',
          form: 'query',
          cql: `TRUNCATE ${KS}.${table.name}`,
          compare: 'rows',
        };
        done.push(empty);
        for (const side of sides) await side.run(empty);
      }
      if (hard.length > 0) failure = { create, version, steps: done, differences: hard };
    }
    for (const side of sides) await dropAll(side, table.name);
  } finally {
    for (const side of sides) side.close();
  }
  return { index, statements: done.length, counts, known, soft, failure };
}

async function dropAll(side: Side, table: string): Promise<void> {
  await side.attempt(`DROP MATERIALIZED VIEW IF EXISTS ${KS}.${table}_view`).catch(() => null);
  await side.attempt(`DROP TABLE IF EXISTS ${KS}.${table}`).catch(() => null);
  await side.attempt(`DROP TYPE IF EXISTS ${KS}.${table}_type`).catch(() => null);
}

/** Runs recorded steps on a fresh table of both sides; true if the last one still differs. */
export async function replayDiffers(
  settings: RunSettings,
  table: string,
  version: number,
  steps: readonly Step[],
): Promise<boolean> {
  const sides = [
    await Side.connect(settings.direct, settings.names.direct, version),
    await Side.connect(settings.proxy, settings.names.proxy, version),
  ] as const;
  try {
    for (const side of sides) await dropAll(side, table);
    for (const [i, step] of steps.entries()) {
      const [a, b] = await Promise.all([sides[0].run(step), sides[1].run(step)]);
      if (i === steps.length - 1)
        return compareOutcomes(step, a, b, settings.names, null).some((d) => !d.soft);
    }
    return false;
  } catch {
    return true;
  } finally {
    for (const side of sides) side.close();
  }
}
