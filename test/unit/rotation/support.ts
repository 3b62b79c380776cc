import { reencryptionJobs } from '../../../src/app/key_rotation.ts';
import { SealBatch, OpenBatch } from '../../../src/crypto/index.ts';
import { columnContext } from '../../../src/encryption/index.ts';
import { CellDekFactory } from '../../../src/keys/index.ts';
import { JobRegistry } from '../../../src/observability/index.ts';
import { CellCounter, RotationService, rotationStatus } from '../../../src/rotation/index.ts';
import type {
  RotationMetrics,
  RotationOptions,
  TableRotationStatus,
} from '../../../src/rotation/index.ts';
import type { TableEntry } from '../../../src/schema/index.ts';
import type { Clock } from '../../../src/util/index.ts';
import { MemoryCluster } from '../../support/memory_cluster.ts';
import type { MemoryProxy } from '../../support/memory_cluster.ts';
import { MemoryRows } from '../../support/memory_rows.ts';

export const MAX_AGE_MS = 365 * 86_400_000;
export const CATALOG_MAX_AGE_MS = 120_000;
export const IN_FLIGHT_MS = 15_000;

/** A clock whose time passes only in timers, which fire at once. */
export function quickClock(): Clock & { passMs: (ms: number) => void } {
  let now = 1_700_000_000_000;
  return {
    nowMs: () => now,
    monotonicMs: () => now,
    after: (delayMs, callback) => {
      let isCancelled = false;
      setImmediate(() => {
        if (isCancelled) return;
        now += delayMs;
        callback();
      });
      return {
        cancel: () => {
          isCancelled = true;
        },
      };
    },
    passMs: (ms) => {
      now += ms;
    },
  };
}

/** A proxy with its rotation. */
export interface Node {
  readonly proxy: MemoryProxy;
  readonly rotation: RotationService;
  readonly counter: CellCounter;
  readonly logs: string[];
  readonly told: { cells: number; ageMs: number };
  /** Its jobs as clients see them. */
  readonly jobs: JobRegistry;
  /** Tables whose metrics ended. */
  readonly gone: string[];
}

/** Cluster, clock and rows of one table `ks.t`. */
export interface World {
  readonly cluster: MemoryCluster;
  readonly clock: ReturnType<typeof quickClock>;
  readonly rows: MemoryRows;
  node(settings?: {
    readonly step?: (name: string) => void | Promise<void>;
    readonly options?: Partial<RotationOptions>;
  }): Promise<Node>;
}

export async function world(): Promise<World> {
  const clock = quickClock();
  const cluster = await MemoryCluster.start(clock);
  const rows = new MemoryRows(clock);
  let count = 0;
  return {
    cluster,
    clock,
    rows,
    node: async ({ step, options } = {}) => {
      const proxy = await cluster.proxy({ clock });
      const counter = new CellCounter();
      const logs: string[] = [];
      const told = { cells: 0, ageMs: 0 };
      const jobs = new JobRegistry(() => clock.nowMs());
      const gone: string[] = [];
      const metrics: RotationMetrics = {
        cellKey: (_keyspace, _table, cells, ageMs) => {
          told.cells = cells;
          told.ageMs = ageMs;
        },
        reencrypted: () => undefined,
        reencryption: () => undefined,
        tableGone: (keyspace, table) => {
          gone.push(`${keyspace}.${table}`);
        },
        rotationFailed: () => undefined,
      };
      const log = (fields: Readonly<Record<string, unknown>>, message: string): void => {
        logs.push(`${message} ${JSON.stringify(fields)}`);
      };
      const rotation = new RotationService(
        {
          catalog: proxy.catalog,
          clock,
          deks: new CellDekFactory(cluster.kms),
          rows,
          leases: { acquire: (table) => cluster.open(table), release: () => undefined },
          counter,
          metrics,
          logger: { info: log, warn: log, error: log },
          owner: `node ${String(++count)}`,
          ...reencryptionJobs(jobs),
          ...(step === undefined ? {} : { step }),
        },
        {
          maxAgeMs: MAX_AGE_MS,
          maxCells: 2 ** 40,
          catalogMaxAgeMs: CATALOG_MAX_AGE_MS,
          inFlightMs: IN_FLIGHT_MS,
          rowsPerSecond: 1_000_000,
          reencryptsAlways: false,
          ranges: 4,
          fetchSize: 3,
          ...options,
        },
      );
      return { proxy, rotation, counter, logs, told, jobs, gone };
    },
  };
}

/** The table as a node sees it now. */
export async function entry(node: Node): Promise<TableEntry> {
  const table = (await node.proxy.catalog.refresh()).table('ks', 't');
  if (table === undefined) throw new TypeError('no table');
  return table;
}

/** Status of `ks.t`. */
export async function status(node: Node): Promise<TableRotationStatus> {
  const [one] = rotationStatus(await node.proxy.catalog.readRecords());
  if (one === undefined) throw new TypeError('no status');
  return one;
}

/** Epochs and states, e.g. `1 active`. */
export async function epochs(node: Node): Promise<string[]> {
  return (await status(node)).epochs.map(({ epoch, state }) => `${String(epoch)} ${state}`);
}

/** Writes `v` of a row as a client at this node does. */
export async function write(
  { cluster, rows }: World,
  node: Node,
  pk: number,
  value: string,
  at: { readonly timestamp: bigint; readonly ttl?: number },
): Promise<void> {
  const table = await entry(node);
  const keys = await cluster.open(table);
  const batch = new SealBatch();
  const [pkColumn] = table.partitionKey;
  const [v] = table.regulars;
  if (pkColumn === undefined || v === undefined) throw new TypeError('no columns');
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(pk);
  const context = columnContext(table, pkColumn);
  const partition = batch.partition(keys, [{ context, value: bytes }]);
  const cell = batch.cell(batch.row(partition, []), columnContext(table, v), Buffer.from(value));
  batch.run();
  const stored = batch.partitionComponents(partition).map((part) => Buffer.from(part));
  rows.put(stored, [], 0, { ...at, value: Buffer.from(batch.cellBytes(cell)) });
  keys.dispose();
}

/** What a client at this node reads: all values of `v`, sorted. @throws CiphertextError as a client's read does */
export async function read({ cluster, rows }: World, node: Node): Promise<string[]> {
  const table = await entry(node);
  const keys = await cluster.open(table);
  const [v] = table.regulars;
  if (v === undefined) throw new TypeError('no column');
  const batch = new OpenBatch();
  const handles = rows.cells().map(({ partition, cell }) => {
    const row = batch.row(batch.partition(keys, partition), []);
    return batch.openCell(row, columnContext(table, v), cell.value);
  });
  batch.run();
  const values = handles.map((handle) => Buffer.from(batch.bytes(handle)).toString()).sort();
  keys.dispose();
  return values;
}

/** Epochs of the stored cells. */
export function storedEpochs({ rows }: World): number[] {
  return [...new Set(rows.cells().map(({ cell }) => cell.value.readUInt16BE(2)))].sort();
}

/** Rounds of a node until nothing is left to do; time passes. */
export async function settle({ clock }: World, node: Node, rounds = 12): Promise<void> {
  for (let i = 0; i < rounds; i++) {
    clock.passMs(30_000);
    await node.proxy.catalog.refresh();
    await node.rotation.round();
    await node.rotation.idle();
  }
}
