/** Key store, KMS, catalog and schema changes of one proxy, for tests. */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KmsTableKeys, StateDirectoryTrust } from '../../src/keys/index.ts';
import {
  createRootKeyFile,
  EmbeddedKms,
  KeyStore,
  KmsRegistry,
  loadRootKey,
} from '../../src/kms/index.ts';
import { Catalog, initCluster, SchemaChanges } from '../../src/schema/index.ts';
import {
  CassandraRecordStore,
  CassandraSchemaSource,
  ControlConnection,
} from '../../src/upstream/index.ts';
import { systemClock } from '../../src/util/index.ts';
import type { Clock } from '../../src/util/index.ts';
import { NO_CARE } from './no_care.ts';

const SILENT = { info: () => undefined, warn: () => undefined };

/** Makes a root key and an empty key store in a new directory. */
export async function newKeyStoreDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'cqlock-keys-'));
  createRootKeyFile(join(directory, 'root.key'));
  await KeyStore.create(storeOptions(directory));
  return directory;
}

/** Options of the key store of a directory. */
export function storeOptions(directory: string) {
  return {
    path: join(directory, 'keystore'),
    rootKey: loadRootKey({ kind: 'file', path: join(directory, 'root.key') }),
  };
}

/** Everything but the catalog, connected. */
export async function connectKeys(
  directory: string,
  port: number,
  options: ReturnType<typeof storeOptions> = storeOptions(directory),
) {
  const connection = new ControlConnection({
    contactPoints: [`127.0.0.1:${port}`],
    logger: SILENT,
  });
  await connection.connect();
  const keyStore = KeyStore.open(options);
  const kms = new EmbeddedKms({ store: keyStore });
  return {
    connection,
    kms,
    keyStore,
    trust: new StateDirectoryTrust(keyStore, kms),
    store: new CassandraRecordStore(connection),
    source: new CassandraSchemaSource(connection, systemClock),
    tableKeys: new KmsTableKeys(new KmsRegistry(kms)),
  };
}

/** A connected set. */
export type KeyConnections = Awaited<ReturnType<typeof connectKeys>>;

/** Runs `init`. */
export async function init(keys: KeyConnections) {
  return await initCluster(keys);
}

/** Opens the catalog and its coordinator. */
export async function openCatalog(
  keys: KeyConnections,
  step?: (name: string) => void | Promise<void>,
  claimMs?: number,
  clock: Clock = systemClock,
) {
  const catalog = await Catalog.open({
    store: keys.store,
    source: keys.source,
    trust: keys.trust,
    clock,
  });
  const changes = SchemaChanges.open({
    ...NO_CARE,
    catalog,
    source: keys.source,
    keys: keys.tableKeys,
    clock,
    ...(step === undefined ? {} : { step }),
    ...(claimMs === undefined ? {} : { claimMs }),
  });
  return { catalog, changes };
}
