import { KeyAccessError, KeyUnavailableError } from '../../../src/errors/index.ts';
import { KeyService } from '../../../src/keys/index.ts';
import type { KeyServicePorts } from '../../../src/keys/index.ts';
import type { TableEntry } from '../../../src/schema/index.ts';
import { fakeClock } from '../../support/fake_clock.ts';

type OpenedKeys = Awaited<ReturnType<KeyServicePorts['tableKeys']['open']>>;

export const MINUTE = 60_000;

/** A table whose keys and newest version can be told from others. */
export function table(
  name: string,
  keys = 'wrapped',
  recordVersion = 1n,
  keyEpoch = 1,
): TableEntry {
  return {
    recordVersion,
    keyspace: 'ks',
    name,
    kind: 'encrypted',
    tableId: Buffer.alloc(16, name),
    record: { keys: { keyArn: keys, deks: [{ structure: 'key', epoch: keyEpoch }] } },
  } as unknown as TableEntry;
}

/** A key service whose KMS answers when told to. */
export function environment() {
  const clock = fakeClock();
  const disposed: unknown[] = [];
  const told: string[] = [];
  let leases = 0;
  let calls = 0;
  const callers: string[] = [];
  let answer: (table: TableEntry) => Promise<void> = () => Promise.resolve();
  let newest: TableEntry | undefined;
  let stored: TableEntry | undefined;
  let refreshes = 0;
  const service = new KeyService({
    tableKeys: {
      open: async (entry, _cluster, caller) => {
        calls += 1;
        callers.push(`${caller.origin} ${caller.principal}`);
        await answer(entry);
        const keys = {
          dispose: () => {
            disposed.push(keys);
          },
        } as unknown as OpenedKeys;
        return keys;
      },
    },
    clusterId: Buffer.alloc(16),
    clock,
    catalog: {
      table: () => newest,
      refresh: () => {
        refreshes += 1;
        newest = stored ?? newest;
        return Promise.resolve();
      },
    },
    onAccess: ({ name }) => told.push(name),
    metrics: {
      leases: (count) => (leases = count),
    },
  });
  return {
    clock,
    service,
    disposed,
    callers,
    calls: () => calls,
    told: () => told,
    leases: () => leases,
    refreshes: () => refreshes,
    /** The catalog shows this entry. */
    shows: (entry: TableEntry) => (newest = entry),
    /** The catalog shows this entry from its next reading on. */
    changes: (entry: TableEntry) => (stored = entry),
    answers: (next: (table: TableEntry) => Promise<void>) => (answer = next),
    refuses: () => (answer = () => Promise.reject(new KeyAccessError('KEY_DISABLED', 'disabled'))),
    isDown: () => (answer = () => Promise.reject(new KeyUnavailableError('KEY_KMS', 'down'))),
    isUp: () => (answer = () => Promise.resolve()),
  };
}

/** Lets everything that is ready run. */
export async function settle(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

/** Refuses the keys of one wrapping, as a KMS key that was left and deleted. */
export function refusing(keys: string): (table: TableEntry) => Promise<void> {
  return (entry) =>
    entry.record?.keys?.keyArn === keys
      ? Promise.reject(new KeyAccessError('KEY_NOT_FOUND', 'gone'))
      : Promise.resolve();
}
