import { randomBytes, randomInt, randomUUID } from 'node:crypto';
import { AuditedKms, AuditedServiceKeys, ListenerAudit } from '../audit/index.ts';
import type { AuditTrail } from '../audit/index.ts';
import { formatAddress } from '../config/index.ts';
import type { Address, Config } from '../config/index.ts';
import { CryptoTicks } from '../encryption/index.ts';
import { ConfigError } from '../errors/index.ts';
import { CellDekFactory, KeyService, KmsTableKeys, StateDirectoryTrust } from '../keys/index.ts';
import { KmsRegistry } from '../kms/index.ts';
import type { KeyStore } from '../kms/index.ts';
import { connectTo, listen } from '../net/index.ts';
import {
  CounterMemory,
  OwnConnections,
  ProxyServer,
  StatementCache,
  StoredStatements,
  TurnQueue,
} from '../proxy/index.ts';
import type { Connector, SharedServices } from '../proxy/index.ts';
import { beginTruncation, CellCounter, RotationService } from '../rotation/index.ts';
import { RewriteService } from '../rewrite/index.ts';
import { Catalog, initCluster, refuseForeignCluster } from '../schema/index.ts';
import type { SchemaChanges } from '../schema/index.ts';
import { SystemTables } from '../system/index.ts';
import type { EncryptionStatus } from '../system/index.ts';
import {
  CassandraLeaseStore,
  CassandraRecordStore,
  CassandraSchemaSource,
  ControlConnection,
  StoredRows,
} from '../upstream/index.ts';
import { JobRegistry, noopMetrics } from '../observability/index.ts';
import type { Logger, Metrics } from '../observability/index.ts';
import { systemClock, systemTurnEnds } from '../util/index.ts';
import { TimeuuidGenerator } from '../values/index.ts';
import { openAuthentication } from './authentication.ts';
import { beginAudit, newAuditTrail } from './audit_trail.ts';
import { lostTableBackups } from './backup_ports.ts';
import { startCatalogUpkeep } from './catalog_upkeep.ts';
import { createKeyLoss } from './key_loss.ts';
import { startIndexBuilding } from './index_building.ts';
import {
  reencryptionJobs,
  rewriteJobs,
  rewriteOptions,
  rotationOptions,
  startRotation,
  toRotationMetrics,
} from './key_rotation.ts';
import { hasKeyStore, openEmbeddedKms, openKmsProviders } from './open_kms.ts';
import type { ProxyFactory } from './proxy_factory.ts';
import { openSchemaChanges } from './schema_changes.ts';
import { serveKms } from './start_kms_listener.ts';
import { TableRestores } from './table_restores.ts';
import { cassandraTlsOptions, openProxyTls } from './tls.ts';

const CONNECT_TIMEOUT_MS = 10_000;
/** How long an increment of a counter waits for those before it. */
const COUNTER_PATIENCE_MS = 2_000;
const DEFAULT_CQL_VERSION = '3.4.7';

/** A connection with the proxy's own role; not yet connected. */
export function newControlConnection(
  config: Config,
  contactPoints: readonly Address[],
  logger: Logger,
): ControlConnection {
  const { upstream } = config;
  return new ControlConnection({
    contactPoints: contactPoints.map(formatAddress),
    username: upstream.username,
    password: upstream.password,
    localDataCenter: upstream.localDatacenter,
    tls: cassandraTlsOptions(config, contactPoints),
    logger,
  });
}

/** Opens everything that `start` and `init` share: KMS, control connection, records. */
export async function openParts(options: {
  readonly config: Config;
  readonly contactPoints: readonly { readonly host: string; readonly port: number }[];
  readonly logger: Logger;
  /** Counts nothing if not given. */
  readonly metrics?: Metrics;
  /** Whether a key store may be made where there is none. */
  readonly mayCreateKeyStore: boolean;
}): Promise<{
  readonly control: ControlConnection;
  readonly store: CassandraRecordStore;
  readonly source: CassandraSchemaSource;
  readonly trust: StateDirectoryTrust;
  readonly kms: KmsRegistry;
  readonly tableKeys: KmsTableKeys;
  readonly cellDeks: CellDekFactory;
  readonly audit: AuditTrail;
  readonly keyStore: KeyStore;
}> {
  const { config, contactPoints, logger, metrics } = options;
  if (options.mayCreateKeyStore && !hasKeyStore(config)) {
    // None is made for a cluster that has one: that is to be put back in this place.
    await refusePrepared(newControlConnection(config, contactPoints, logger));
  }
  const embedded = await openEmbeddedKms(config, options.mayCreateKeyStore);
  const audit = newAuditTrail(config, logger, metrics ?? noopMetrics);
  const audited = { sink: audit, clock: systemClock, metrics: metrics ?? noopMetrics };
  const service = new AuditedServiceKeys(embedded.provider, audited);
  const others = await openKmsProviders(config);
  const kms = new KmsRegistry(
    service,
    others.map((provider) => new AuditedKms(provider, audited)),
    config.kms.bareNames,
  );
  const control = newControlConnection(config, contactPoints, logger);
  await control.connect();
  return {
    control,
    store: new CassandraRecordStore(control),
    source: new CassandraSchemaSource(control, systemClock),
    trust: new StateDirectoryTrust(embedded.store, service),
    kms,
    tableKeys: new KmsTableKeys(kms),
    cellDeks: new CellDekFactory(kms),
    audit,
    keyStore: embedded.store,
  };
}

/** Looks on a connection of its own. @throws ConfigError CONFIG_FOREIGN_CLUSTER when the cluster was prepared before. */
async function refusePrepared(control: ControlConnection): Promise<void> {
  try {
    await control.connect();
    await refuseForeignCluster(new CassandraRecordStore(control), undefined);
  } finally {
    await control.close();
  }
}

/** Makes the proxy of its parts: KMS, records, catalog, keys, listener. */
export const createProxy: ProxyFactory = async (context) => {
  const { config, contactPoints, logger, metrics, say } = context;
  const clock = context.clock ?? systemClock;
  const tls = openProxyTls(config, metrics, logger, clock);
  const authentication = openAuthentication(config, { metrics, logger, clock });
  const parts = await openParts({
    config,
    contactPoints,
    logger,
    metrics,
    mayCreateKeyStore: context.startedCassandra,
  });
  const { control, store, source, trust, tableKeys, audit } = parts;
  // Backups read and write whole tables: on a connection of their own.
  const rowConnection = newControlConnection(config, contactPoints, logger);
  try {
    if (context.startedCassandra) {
      const { created } = await initCluster({ store, source, trust });
      if (created) say('The cluster is new to the proxy: its catalog and keys were made.');
    }
    const catalog = await Catalog.open({
      store,
      source,
      trust,
      clock,
      onFailure: (error) => {
        logger.error({ err: error }, 'the catalog does not verify: user tables are refused');
      },
    });
    const cluster = await trust.cluster();
    if (cluster === undefined) {
      throw new ConfigError(
        'CONFIG_NOT_INITIALISED',
        'the key store knows no cluster: run cqlock init',
      );
    }
    await beginAudit(audit, control, catalog, cluster.clusterId);
    const jobs = new JobRegistry(() => systemClock.nowMs());
    const random = (): number => randomInt(2 ** 32) / 2 ** 32;
    const keyLoss = createKeyLoss({
      config,
      clusterId: cluster.clusterId,
      catalog,
      kms: parts.kms,
      leases: new CassandraLeaseStore(control),
      clock,
      random,
      logger,
      metrics,
    });
    await rowConnection.connect();
    const { changes, backups } = openSchemaChanges(config, {
      catalog,
      source,
      tableKeys,
      kms: parts.kms,
      connection: rowConnection,
      clock,
      told: {
        notices: keyLoss.notices,
        onKeysReleased: (record) => keyLoss.notices.grantsReleased(record),
      },
    });
    const restores = new TableRestores({
      backups,
      catalog,
      jobs,
      clock,
      logger,
      periodMs: config.catalogRefreshMs,
    });
    await changes.recover();
    let leaseCount = 0;
    const keys = new KeyService(
      {
        tableKeys,
        clusterId: cluster.clusterId,
        clock,
        catalog: {
          table: (keyspace, name) => catalog.snapshot().table(keyspace, name),
          refresh: () => catalog.refresh(),
        },
        onAccess: (table) => {
          keyLoss.look(table);
        },
        metrics: {
          leases: (count) => {
            metrics.addLeases(count - leaseCount);
            leaseCount = count;
          },
        },
      },
      { idleMs: config.leases.idleMs, maxAgeMs: config.leases.maxAgeMs },
    );
    const counter = new CellCounter();
    const rotation = new RotationService(
      {
        catalog,
        clock: systemClock,
        deks: parts.cellDeks,
        rows: new StoredRows(control),
        leases: keys.leases(),
        counter,
        metrics: toRotationMetrics(metrics),
        logger,
        owner: randomUUID(),
        ...reencryptionJobs(jobs),
      },
      rotationOptions(config),
    );
    const rewrites = new RewriteService(
      {
        catalog,
        clock: systemClock,
        deks: parts.cellDeks,
        connection: rowConnection,
        leases: () => keys.leases(),
        logger,
        owner: randomUUID(),
        ...rewriteJobs(jobs),
        onFraction: (keyspace, table, fraction) => {
          metrics.setRewrite(keyspace, table, fraction);
        },
      },
      rewriteOptions(config),
    );
    const upstreamTls = cassandraTlsOptions(config, contactPoints);
    const connector: Connector = (host, port) =>
      connectTo(
        host,
        port,
        CONNECT_TIMEOUT_MS,
        (direction, count) => {
          metrics.addBytes('upstream', direction, count);
        },
        upstreamTls && (() => upstreamTls),
      );
    const own = new OwnConnections(connector, config.upstream, config.limits.maxFrameBytes, clock);
    const services: SharedServices = {
      ...sharedServices(catalog, changes, metrics, logger, {
        audit: () => audit.recent(),
        keyUse: () => audit.keyUse(),
        jobs: () => jobs.list(),
      }),
      restoreTable: restores.restore,
      catalogMaxAgeMs: config.catalogMaxAgeMs,
      callsUserFunctions: config.userFunctions === 'in_cassandra',
      own,
      onCellsEncrypted: (table, count) => {
        counter.add(table, count);
      },
      holdReencryption: (table) =>
        beginTruncation(catalog, systemClock, Buffer.from(table.tableId).toString('hex')),
    };
    const server = new ProxyServer({
      services,
      keys,
      authenticator: authentication.authenticator,
      connector,
      contactPoints,
      hostId: randomBytes(16),
      cqlVersion: () => cqlVersion(catalog),
      limits: config.limits,
      clock,
    });
    control.onSchemaEvent(() => {
      catalog.refresh().catch((error: unknown) => {
        logger.warn({ err: error }, 'the catalog could not be read again');
      });
    });
    authentication.watch((roles) => {
      server.disconnect(roles);
    });
    const listener = await listen(
      { ...config.listen, tls: tls.listener },
      (direction, count) => {
        metrics.addBytes('client', direction, count);
      },
      (transport) => {
        server.accept(transport);
      },
    );
    const kmsListener =
      config.kmsListen &&
      (await serveKms(
        config.kmsListen,
        parts.keyStore,
        logger,
        new ListenerAudit(audit, systemClock),
        { metrics, reloadMs: config.tlsReloadMs },
      ));
    const stopUpkeep = startCatalogUpkeep({
      catalog,
      changes,
      clock,
      periodMs: config.catalogRefreshMs,
      random,
      onFailure: (error) => {
        logger.warn({ err: error }, 'the catalog could not be read again');
      },
    });
    const rounds = {
      round: async (): Promise<void> => {
        await rotation.round();
        await rewrites.round();
      },
    };
    const stopRotation = startRotation(rounds, systemClock, config.catalogRefreshMs, (error) => {
      logger.warn({ err: error }, 'a round of key rotation failed');
    });
    restores.start();
    const stopIndexBuilding = startIndexBuilding(
      { catalog, clock: systemClock, rows: new StoredRows(control), leases: keys.leases(), logger },
      config,
      jobs,
    );
    const stopKeyLoss = keyLoss.watch({
      changes,
      backup: context.backup ?? lostTableBackups(backups, jobs, logger),
      execute: async (statement) => {
        await control.execute(statement, [], { prepare: false });
      },
      revoke: (table) => {
        keys.revoke(table);
      },
    });
    return {
      address: { host: listener.host, port: listener.port },
      ready: () => {
        const { failure } = catalog.snapshot();
        const details = { client_authentication: config.authentication.mode };
        return failure === undefined
          ? { ok: true, reasons: [], details }
          : { ok: false, reasons: [`${failure.code}: ${failure.message}`], details };
      },
      stop: async () => {
        stopUpkeep();
        stopRotation();
        await stopIndexBuilding();
        const keyLossStopped = stopKeyLoss();
        const restoresStopped = restores.stop();
        await kmsListener?.close();
        listener.close();
        tls.close();
        authentication.close();
        await server.stop(
          config.drainTimeoutMs,
          (ms) =>
            new Promise((resolve) => {
              setTimeout(resolve, ms);
            }),
        );
        await rotation.stop().catch((error: unknown) => {
          logger.warn({ err: error }, 'key rotation could not be stopped cleanly');
        });
        await rewrites.stop();
        keys.close();
        await own.close();
        await keyLossStopped;
        await restoresStopped;
        await rowConnection.close();
        await audit.close();
        await control.close();
      },
    };
  } catch (error) {
    tls.close();
    await audit.close();
    await rowConnection.close();
    await control.close();
    throw error;
  }
};

function sharedServices(
  catalog: Catalog,
  changes: SchemaChanges,
  metrics: SharedServices['metrics'],
  logger: SharedServices['logger'],
  encryption: EncryptionStatus,
): Omit<
  SharedServices,
  | 'catalogMaxAgeMs'
  | 'callsUserFunctions'
  | 'own'
  | 'onCellsEncrypted'
  | 'holdReencryption'
  | 'restoreTable'
> {
  const timeuuids = new TimeuuidGenerator({ nowMs: () => Date.now(), randomBytes });
  return {
    catalog,
    changes,
    system: new SystemTables({
      raw: (keyspace, table) => catalog.snapshot().raw(keyspace, table),
      snapshot: () => catalog.snapshot(),
      encryption,
    }),
    ticks: new CryptoTicks(systemTurnEnds),
    stored: new StoredStatements(),
    statements: new StatementCache(),
    functions: {
      nowMs: () => Date.now(),
      randomBytes,
      nextTimeuuid: () => timeuuids.next(),
    },
    pagingKey: catalog.keys.paging,
    nowMs: () => Date.now(),
    delay,
    counterTurns: new TurnQueue(() => delay(COUNTER_PATIENCE_MS)),
    counterMemory: new CounterMemory(),
    metrics,
    logger,
  };
}

/** Resolves after `ms` milliseconds. */
function delay(ms: number): Promise<void> {
  return new Promise((resolve) => {
    systemClock.after(ms, resolve);
  });
}

function cqlVersion(catalog: Catalog): string {
  const local = catalog.snapshot().raw('system', 'local');
  const index = local?.columns.findIndex((column) => column.name === 'cql_version') ?? -1;
  const cell = index < 0 ? undefined : local?.rows[0]?.[index];
  return cell === undefined || cell === null
    ? DEFAULT_CQL_VERSION
    : Buffer.from(cell).toString('utf8');
}
