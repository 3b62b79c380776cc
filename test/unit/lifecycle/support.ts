/** A cluster in memory with a table under a customer managed key, and monitors that watch it. */
import { KeyUnavailableError } from '../../../src/errors/index.ts';
import {
  Courier,
  KeyLossMonitor,
  KeyProbe,
  RecordOutbox,
  SchemaDrop,
} from '../../../src/lifecycle/index.ts';
import type { BackupPort, Notice, NoticeChannel } from '../../../src/lifecycle/index.ts';

import { KmsRegistry } from '../../../src/kms/index.ts';
import { silentLogger } from '../../../src/observability/index.ts';
import { ClusterLease } from '../../../src/schema/index.ts';
import type { TableEntry, TableRecord } from '../../../src/schema/index.ts';
import type { Clock } from '../../../src/util/index.ts';
import { putUnderCustomerKey } from '../../support/customer_keys.ts';
import { fakeClock } from '../../support/fake_clock.ts';
import { MemoryCluster } from '../../support/memory_cluster.ts';
import type { MemoryProxy } from '../../support/memory_cluster.ts';

export const DAY = 86_400_000;
export const HOUR = 3_600_000;
export const SETTLE = 60_000;
/** Passes by itself. */
const CONFIRM = 499;

/** How a monitor of a test differs from the usual one. */
export interface WatcherOptions {
  readonly step?: (name: string) => void | Promise<void>;
  /** Always the leader, as two proxies with different clocks may think. */
  readonly isLeaderAnyway?: boolean;
}

/** A monitor in a process of its own. */
export interface Watcher {
  readonly proxy: MemoryProxy;
  readonly monitor: KeyLossMonitor;
  readonly courier: Courier;
  /** One round and everything that it began. */
  round(): Promise<void>;
}

/** Everything of a test. */
export async function lossEnvironment(tables: readonly string[] = ['t']) {
  const fake = fakeClock();
  const state: {
    isKmsDown: boolean;
    isReceiverDown: boolean;
    backupFails: boolean;
    /** Ids of backups that cannot be deleted. */
    keptBackups: string[];
    beforeSecondLook: (() => Promise<void>) | undefined;
  } = {
    isKmsDown: false,
    isReceiverDown: false,
    backupFails: false,
    keptBackups: [],
    beforeSecondLook: undefined,
  };
  // Short waits (between attempts) pass by themselves; long ones when the clock is moved.
  const clock: Clock = {
    ...fake,
    after: (delayMs, callback) => {
      if (delayMs >= 1000) return fake.after(delayMs, callback);
      const { beforeSecondLook } = state;
      if (delayMs === CONFIRM && beforeSecondLook !== undefined) {
        void beforeSecondLook().then(callback);
      } else setImmediate(callback);
      return { cancel: () => undefined };
    },
  };
  const cluster = await MemoryCluster.start(clock);
  const owner = await cluster.proxy();
  const keys = new Map<string, string>();
  for (const name of tables) {
    await owner.create(name);
    keys.set(name, await putUnderCustomerKey(owner.catalog, cluster.embedded, 'ks', name));
  }
  const notices: Notice[] = [];
  const drops: string[] = [];
  const backups: string[] = [];
  const expiries: number[] = [];
  const released: string[] = [];
  const reachable = new Proxy(cluster.embedded, {
    get: (target, name) => {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== 'function') return member;
      return (...args: unknown[]): unknown => {
        if (state.isKmsDown) return Promise.reject(new KeyUnavailableError('KEY_KMS', 'no answer'));
        return (member as (...given: unknown[]) => unknown).apply(target, args);
      };
    },
  });
  const kms = new KmsRegistry(reachable);
  const channel: NoticeChannel = {
    name: 'webhook:test',
    kind: 'webhook',
    deliver: (notice) => {
      if (state.isReceiverDown) return Promise.reject(new TypeError('receiver is down'));
      notices.push(notice);
      return Promise.resolve();
    },
  };
  const backup: BackupPort = {
    backupTable: (table: TableEntry) => {
      if (state.backupFails) return Promise.reject(new TypeError('no space'));
      backups.push(table.name);
      return Promise.resolve({ backupId: `backup-${String(backups.length)}`, verified: true });
    },
    deleteExpired: (nowMs) => {
      expiries.push(nowMs);
      return Promise.resolve(new Set(state.keptBackups));
    },
  };

  const watcher = async (options: WatcherOptions = {}): Promise<Watcher> => {
    const { step } = options;
    const live = async (name: string): Promise<void> => step?.(name);
    const proxy = await cluster.proxy({
      clock,
      step: live,
      onKeysReleased: (record) => {
        released.push(record.name);
        return Promise.resolve();
      },
    });
    const { clusterId } = await proxy.catalog.readRecords();
    const lease = new ClusterLease({
      name: 'key_monitor',
      store: cluster.leases(),
      catalog: proxy.catalog,
      clusterId,
      clock,
      durationMs: 3 * 60_000,
    });
    const courier = new Courier({
      channels: [channel],
      outbox: new RecordOutbox(proxy.catalog, () => monitor.isLeader),
      clock,
      logger: silentLogger,
      metrics: { countNotice: () => undefined },
      step: live,
    });
    const monitor: KeyLossMonitor = new KeyLossMonitor({
      catalog: proxy.catalog,
      lease:
        options.isLeaderAnyway === true
          ? { acquire: () => Promise.resolve(true), release: () => Promise.resolve() }
          : lease,
      courier,
      probe: new KeyProbe(kms),
      backup: {
        backupTable: async (table) => {
          await live('backup.port');
          return await backup.backupTable(table);
        },
        deleteExpired: backup.deleteExpired,
      },
      drop: new SchemaDrop({
        catalog: proxy.catalog,
        changes: proxy.changes,
        execute: (statement) => {
          const name = /"ks"\."(.*)"$/.exec(statement)?.[1] ?? '';
          if (cluster.tables.some((table) => table.name === name)) drops.push(name);
          cluster.dropTable(name);
          return Promise.resolve();
        },
      }),
      clock,
      logger: silentLogger,
      metrics: {
        countNotice: () => undefined,
        setKeyMonitorLeader: () => undefined,
        countKeyProbe: () => undefined,
      },
      channels: [channel.name],
      dropAfterMs: 7 * DAY,
      periodMs: 60_000,
      settleMs: SETTLE,
      confirmMs: CONFIRM,
      random: () => 0.5,
      onAccessChange: () => undefined,
      step: live,
    });
    return {
      proxy,
      monitor,
      courier,
      round: async () => {
        await monitor.round();
        await monitor.settled();
      },
    };
  };
  return {
    cluster,
    clock: fake,
    state,
    notices,
    drops,
    backups,
    expiries,
    released,
    watcher,
    keyOf: (name = 't'): string => keys.get(name) ?? '',
    disable: (name = 't') => cluster.embedded.setKeyEnabled(keys.get(name) ?? '', false),
    enable: (name = 't') => cluster.embedded.setKeyEnabled(keys.get(name) ?? '', true),
    record: async (name = 't'): Promise<TableRecord | undefined> => {
      const { records } = await owner.catalog.readRecords();
      for (const { record } of records.values()) {
        if (record.kind === 'table' && record.name === name) return record;
      }
      return undefined;
    },
  };
}

export type LossEnvironment = Awaited<ReturnType<typeof lossEnvironment>>;

/** The events that were delivered, one for each notice. */
export function events(environment: Pick<LossEnvironment, 'notices'>): string[] {
  const byId = new Map(environment.notices.map((notice) => [notice.id, notice.event]));
  return [...byId.values()];
}
