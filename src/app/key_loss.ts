import { join } from 'node:path';
import type { Config } from '../config/index.ts';
import {
  Courier,
  joinedOutbox,
  KeyLossMonitor,
  KeyNotices,
  KeyProbe,
  RecordOutbox,
  SchemaDrop,
} from '../lifecycle/index.ts';
import type { BackupPort } from '../lifecycle/index.ts';
import type { KmsRegistry } from '../kms/index.ts';
import { emailChannels, NoticeDirectory, webhookChannel } from '../notify/index.ts';
import type { Logger, Metrics, TableAccess } from '../observability/index.ts';
import { accessState, ClusterLease } from '../schema/index.ts';
import type {
  Catalog,
  LeaseStore,
  SchemaChanges,
  SchemaChangesOptions,
  Snapshot,
  TableEntry,
} from '../schema/index.ts';
import type { Clock } from '../util/index.ts';

/** Rounds that the lease of the monitor outlives: a slow one must not lose it. */
const LEASE_ROUNDS = 3;

/** What the care for lost keys is made from. */
export interface KeyLossParts {
  readonly config: Pick<Config, 'keyLoss' | 'notify' | 'stateDir' | 'catalogRefreshMs'>;
  readonly clusterId: Uint8Array;
  readonly catalog: Catalog;
  readonly kms: KmsRegistry;
  readonly leases: LeaseStore;
  readonly clock: Clock;
  /** A number from 0 (inclusive) to 1. */
  readonly random: () => number;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** What the monitor needs beside them. */
export interface WatchParts {
  readonly changes: SchemaChanges;
  readonly backup: BackupPort;
  /** Executes a statement with the proxy's own role. */
  readonly execute: (statement: string) => Promise<void>;
  /** Ends the leases on the keys of a table. */
  readonly revoke: (table: TableEntry) => void;
}

/** The care for lost keys. */
export interface KeyLoss {
  /** Works at once, so that what is found at start is told too. */
  readonly notices: KeyNotices;
  /** A client met a refusal of the table's keys, or was granted lost ones. Does nothing before `watch`. */
  look(table: TableEntry): void;
  /** Begins to watch the keys of the cluster; returns how to stop that. */
  watch(parts: WatchParts): () => Promise<void>;
}

/** Joins notices, monitor and their channels. */
export function createKeyLoss(parts: KeyLossParts): KeyLoss {
  const { config, catalog, clock, logger, metrics } = parts;
  const { checkPeriodMs, dropAfterMs } = config.keyLoss;
  const channels = noticeChannels(config.notify, clock);
  const names = channels.map(({ name }) => name);
  const directory = noticeDirectory(config, clock);
  let monitor: KeyLossMonitor | undefined;
  const records = new RecordOutbox(catalog, () => monitor?.isLeader ?? false);
  const outbox = joinedOutbox([records, directory]);
  const courier = new Courier({ channels, outbox, clock, logger, metrics });
  metrics.setTableAccess(() => tableAccess(catalog.snapshot(), clock.nowMs()));
  return {
    notices: new KeyNotices({
      channels: names,
      keep: (pending) => directory.keep(pending),
      onKept: () => {
        courier.deliver().catch((error: unknown) => {
          logger.warn({ err: error }, 'notices could not be read');
        });
      },
      clock,
      logger,
    }),
    look: (table) => {
      void monitor?.look(table);
    },
    watch: ({ changes, backup, execute, revoke }) => {
      const watching = new KeyLossMonitor({
        catalog,
        clock,
        logger,
        metrics,
        courier,
        backup,
        dropAfterMs,
        channels: names,
        periodMs: checkPeriodMs,
        // Every proxy reads the catalog in this time at the latest.
        settleMs: 2 * config.catalogRefreshMs,
        probe: new KeyProbe(parts.kms),
        drop: new SchemaDrop({ catalog, changes, execute }),
        lease: new ClusterLease({
          name: 'key_monitor',
          store: parts.leases,
          catalog,
          clusterId: parts.clusterId,
          clock,
          durationMs: LEASE_ROUNDS * checkPeriodMs,
        }),
        onAccessChange: (table) => {
          if (table.record !== undefined && accessState(table.record) !== 'ACTIVE') revoke(table);
        },
        random: parts.random,
        step: () => undefined,
      });
      monitor = watching;
      watching.start();
      return () => watching.stop();
    },
  };
}

/**
 * Where a command leaves what owners of keys must know: in the state directory, where the proxies find it. What the command itself
 * is refused, whoever gave it reads.
 */
export function toldByProxies(
  config: Pick<Config, 'notify' | 'stateDir'>,
  clock: Clock,
  logger: Logger,
): Pick<SchemaChangesOptions, 'notices' | 'onKeysReleased'> {
  const directory = noticeDirectory(config, clock);
  const notices = new KeyNotices({
    channels: noticeChannels(config.notify, clock).map(({ name }) => name),
    keep: (pending) => directory.keep(pending),
    onKept: () => undefined,
    clock,
    logger,
  });
  return {
    notices: { keyRefused: () => undefined },
    onKeysReleased: (record) => notices.grantsReleased(record),
  };
}

function noticeDirectory({ stateDir }: Pick<Config, 'stateDir'>, clock: Clock): NoticeDirectory {
  return new NoticeDirectory(join(stateDir, 'notices'), clock);
}

function noticeChannels(notify: Config['notify'], clock: Clock) {
  const { webhook, email } = notify;
  return [
    ...(webhook === undefined ? [] : [webhookChannel(webhook, clock)]),
    ...(email === undefined
      ? []
      : emailChannels({ ...email.smtp, from: email.from, to: email.to })),
  ];
}

function tableAccess(snapshot: Snapshot, nowMs: number): TableAccess[] {
  const found: TableAccess[] = [];
  for (const keyspace of snapshot.keyspaces()) {
    for (const { record } of keyspace.tables.values()) {
      if (record === undefined) continue;
      const state = accessState(record);
      const lost = state === 'ACTIVE' ? undefined : (record.access ?? undefined);
      found.push({
        keyspace: record.keyspace,
        table: record.name,
        state,
        inaccessibleSeconds: lost && (nowMs - lost.sinceMs) / 1000,
        secondsUntilDrop: lost && (lost.dropAtMs - nowMs) / 1000,
      });
    }
  }
  return found;
}
