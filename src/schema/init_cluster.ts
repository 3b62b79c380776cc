import { randomBytes } from 'node:crypto';
import { deriveCatalogKeys } from '../crypto/index.ts';
import { ConfigError, InvalidRequestError, UpstreamError } from '../errors/index.ts';
import type { Catalog } from './catalog.ts';
import { isSystemKeyspace, RECORD_KEYSPACE } from './names.ts';
import type { CatalogTrust, RecordStore, SchemaSource } from './ports.ts';
import { sealRoot } from './record_changes.ts';
import type { PlainTable } from './root.ts';
import { readVerifiedRecords } from './verified_records.ts';

/** What `init` works with. */
export interface InitOptions {
  readonly store: RecordStore;
  readonly source: SchemaSource;
  readonly trust: CatalogTrust;
  /** Called before each step; tests stop the process there. */
  readonly step?: (name: string) => void | Promise<void>;
}

/**
 * Prepares a cluster: keyspace `cqlock`, catalog key, root with the tables that are there already as plain tables.
 * Runs only where neither Cassandra nor the key store knows of a cluster. The cluster is registered in the key store
 * before the root is written, so a crash in between leaves a cluster that is refused until `init` is run again, never one
 * that anybody can take for new.
 * @returns the id of the cluster (16 bytes) and whether it was made by this call.
 * @throws ConfigError when keyspace `cqlock` holds another cluster's root.
 */
export async function initCluster(
  options: InitOptions,
): Promise<{ readonly clusterId: Uint8Array; readonly created: boolean }> {
  const { store, source, trust } = options;
  const step = options.step ?? (() => undefined);
  const known = await trust.cluster();
  if (known !== undefined && known.rootVersion > 0n) {
    return { clusterId: known.clusterId, created: false };
  }
  if (known !== undefined && (await hasRoot(store, known.clusterId))) {
    // An earlier `init` stopped after writing the root: its catalog key is in use, so it is verified, not made again.
    await readVerifiedRecords(store, trust, undefined);
    return { clusterId: known.clusterId, created: false };
  }
  await refuseForeignCluster(store, known?.clusterId);
  await step('init.keyspace');
  await store.create();
  if (!(await source.waitForAgreement())) {
    throw new UpstreamError('UPSTREAM_SCHEMA', 'the nodes do not agree on the schema; try again');
  }
  await refuseForeignCluster(store, known?.clusterId);

  const clusterId = known?.clusterId ?? randomBytes(16);
  await step('init.catalog_key');
  const { keyArn, catalogKey, blob } = await trust.createCatalogKey(
    clusterId,
    known?.catalogKeyArn,
  );
  try {
    const keys = deriveCatalogKeys(catalogKey, clusterId);
    const plainTables = await userTables(source);
    await step('init.register');
    await trust.registerCluster({ clusterId, catalogKeyArn: keyArn, rootVersion: 0n });
    const root = sealRoot(
      clusterId,
      keys,
      {
        version: 1n,
        entries: [],
        plainTables,
        wraps: [{ provider: trust.providerName, keyArn, blob }],
      },
      undefined,
    );
    await step('init.root');
    if ((await store.change(clusterId, root, [])) === 'conflict') {
      throw new ConfigError(
        'CONFIG_INIT_RACE',
        'another process initialised the cluster; try again',
      );
    }
  } catch (error) {
    const registered = await trust.cluster();
    if (registered?.catalogKeyArn !== keyArn) await trust.discardCatalogKey(keyArn);
    throw error;
  } finally {
    catalogKey.fill(0);
  }
  await step('init.anchor');
  await trust.advanceAnchor(1n);
  return { clusterId, created: true };
}

/**
 * Lists existing tables as plain, so that they can be read through the proxy.
 * @throws InvalidRequestError when a table does not exist or is encrypted.
 */
export async function adoptTables(
  catalog: Catalog,
  tables: readonly { readonly keyspace: string; readonly name: string }[],
): Promise<void> {
  const snapshot = await catalog.refresh();
  const adopted = tables.map(({ keyspace, name }): PlainTable => {
    const entry = snapshot.table(keyspace, name);
    if (entry === undefined || (entry.kind !== 'unknown' && entry.kind !== 'plain')) {
      throw new InvalidRequestError(
        `table ${keyspace}.${name} cannot be adopted: it is ${entry === undefined ? 'not there' : entry.kind}`,
      );
    }
    if (entry.error !== undefined && entry.error.code !== 'SCHEMA_UNKNOWN_TABLE') throw entry.error;
    return { keyspace, name, id: entry.id.replaceAll('-', '') };
  });
  await catalog.change((view) => {
    const others = view.root.plainTables.filter(
      (table) => !adopted.some((a) => a.keyspace === table.keyspace && a.name === table.name),
    );
    return { plainTables: [...others, ...adopted] };
  });
  await catalog.refresh();
}

async function hasRoot(store: RecordStore, clusterId: Uint8Array): Promise<boolean> {
  return (await store.exists()) && (await store.readAll(clusterId)).root !== undefined;
}

/**
 * @param own the cluster that the key store knows; undefined where there is none
 * @throws ConfigError CONFIG_FOREIGN_CLUSTER when keyspace `cqlock` holds the root of another one.
 */
export async function refuseForeignCluster(
  store: RecordStore,
  own: Uint8Array | undefined,
): Promise<void> {
  if (!(await store.exists())) return;
  const ids = (await store.clusterIds()).map((id) => Buffer.from(id).toString('hex'));
  const foreign = ids.filter((id) => own === undefined || id !== Buffer.from(own).toString('hex'));
  if (foreign.length > 0) {
    throw new ConfigError(
      'CONFIG_FOREIGN_CLUSTER',
      `the keyspace cqlock belongs to cluster ${foreign.join(', ')}, which was prepared with another key store: restore that one (cqlock keys restore) or set CQLOCK_STATE_DIR to the directory that has it; nothing was changed`,
    );
  }
}

async function userTables(source: SchemaSource): Promise<PlainTable[]> {
  const raw = await source.readSchema();
  return raw.tables
    .filter((table) => !isSystemKeyspace(table.keyspace) && table.keyspace !== RECORD_KEYSPACE)
    .map((table) => ({
      keyspace: table.keyspace,
      name: table.name,
      id: table.id.replaceAll('-', ''),
    }));
}
