import { describe, expect, it } from 'vitest';
import { StateDirectoryTrust } from '../../../src/keys/index.ts';
import { EmbeddedKms, KeyStore } from '../../../src/kms/index.ts';
import { Catalog, initCluster } from '../../../src/schema/index.ts';
import type { RecordStore, SchemaSource } from '../../../src/schema/index.ts';
import { systemClock } from '../../../src/util/index.ts';
import { newKeyStoreDirectory, storeOptions } from '../../support/key_environment.ts';

/** Holds the root of one cluster only. */
function memoryStore(): RecordStore {
  let isThere = false;
  let cluster: Uint8Array | undefined;
  let root: { version: bigint; bytes: Uint8Array; mac: Uint8Array } | undefined;
  return {
    exists: () => Promise.resolve(isThere),
    create: () => {
      isThere = true;
      return Promise.resolve();
    },
    clusterIds: () => Promise.resolve(cluster === undefined ? [] : [cluster]),
    readAll: () => Promise.resolve({ root, records: [] }),
    change: (clusterId, change) => {
      if (root?.version !== change.expectedVersion) return Promise.resolve('conflict');
      cluster = clusterId;
      root = change.next;
      return Promise.resolve('applied');
    },
  };
}

const source: SchemaSource = {
  readSchema: () =>
    Promise.resolve({
      schemaVersion: '',
      keyspaces: [],
      tables: [],
      columns: [],
      types: [],
      raw: new Map(),
    }),
  waitForAgreement: () => Promise.resolve(true),
};

describe('init', () => {
  it.each(['init.keyspace', 'init.catalog_key', 'init.register', 'init.root', 'init.anchor'])(
    'can be run again after a crash at %s',
    async (at) => {
      const keyStore = KeyStore.open(storeOptions(await newKeyStoreDirectory()));
      const trust = new StateDirectoryTrust(keyStore, new EmbeddedKms({ store: keyStore }));
      const store = memoryStore();
      let reached: () => void = () => undefined;
      const atStep = new Promise<void>((resolve) => (reached = resolve));
      void initCluster({
        store,
        source,
        trust,
        step: (name) => {
          if (name !== at) return;
          reached();
          return new Promise<never>(() => undefined);
        },
      });
      await atStep;
      const again = await initCluster({ store, source, trust });
      expect(again.created).toBe(at !== 'init.anchor');
      const catalog = await Catalog.open({ store, source, trust, clock: systemClock });
      expect(catalog.snapshot().rootVersion).toBe(1n);
      expect((await trust.cluster())?.rootVersion).toBe(1n);
    },
  );
});
