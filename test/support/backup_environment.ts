/** The backup service on the state directory of a proxy of a test, in this process. */
import { join } from 'node:path';
import { BackupService } from '../../src/backup/index.ts';
import type { BackupOptions, BackupTarget } from '../../src/backup/index.ts';
import { KeyTransfer, KmsTableKeys, StateDirectoryTrust } from '../../src/keys/index.ts';
import { EmbeddedKms, KeyStore, KmsRegistry, loadRootKey } from '../../src/kms/index.ts';
import type { KmsProvider } from '../../src/kms/index.ts';
import { Catalog, SchemaChanges } from '../../src/schema/index.ts';
import type { RecordStore } from '../../src/schema/index.ts';
import {
  CassandraRecordStore,
  CassandraSchemaSource,
  ControlConnection,
} from '../../src/upstream/index.ts';
import { systemClock } from '../../src/util/index.ts';
import type { Clock } from '../../src/util/index.ts';
import { NO_CARE } from './no_care.ts';

/** Where the environment works. */
export interface BackupEnvironmentOptions {
  readonly port: number;
  readonly keyStore: KeyStore;
  readonly target: BackupTarget;
  readonly clock?: Clock;
  /** Default: the records in Cassandra. */
  readonly store?: RecordStore;
  /** KMS beside the embedded one. */
  readonly others?: readonly KmsProvider[];
}

/** The parts, connected. */
export type BackupEnvironment = Awaited<ReturnType<typeof openBackupEnvironment>>;

const SILENT = { info: () => undefined, warn: () => undefined };

/** The key store of a proxy of a test. */
export function proxyKeyStore(dataDir: string): KeyStore {
  return KeyStore.open({
    path: join(dataDir, 'state', 'keystore.cqlock'),
    rootKey: loadRootKey({ kind: 'file', path: join(`${dataDir}-config`, 'cqlock', 'root.key') }),
  });
}

/** Opens catalog and KMS; `service` makes services that share them. */
export async function openBackupEnvironment(options: BackupEnvironmentOptions) {
  const { port, keyStore, target } = options;
  const clock = options.clock ?? systemClock;
  const connection = new ControlConnection({
    contactPoints: [`127.0.0.1:${port}`],
    logger: SILENT,
  });
  await connection.connect();
  const kms = new EmbeddedKms({ store: keyStore });
  const registry = new KmsRegistry(kms, options.others ?? []);
  const source = new CassandraSchemaSource(connection, systemClock);
  const trust = new StateDirectoryTrust(keyStore, kms);
  const store = options.store ?? new CassandraRecordStore(connection);
  const tableKeys = new KmsTableKeys(registry);
  const transfer = new KeyTransfer(registry);
  const open = async () => {
    const catalog = await Catalog.open({ store, source, trust, clock });
    const changes = SchemaChanges.open({ ...NO_CARE, catalog, source, keys: tableKeys, clock });
    return { catalog, changes };
  };
  return {
    connection,
    kms,
    keyStore,
    transfer,
    tableKeys,
    store,
    source,
    trust,
    open,
    service: async (more: BackupOptions = {}) =>
      new BackupService(
        { ...(await open()), tableKeys, transfer, connection, clock, target },
        more,
      ),
    close: () => connection.close(),
  };
}
