import { MetadataIntegrityError } from '../errors/index.ts';
import type { EncryptionContext, KeyStore, ServiceKeyProvider } from '../kms/index.ts';
import type { CatalogTrust, ClusterTrust } from '../schema/index.ts';

/** The trusted side of the catalog: cluster id and anchor in the key store, catalog key under the KMS. */
export class StateDirectoryTrust implements CatalogTrust {
  readonly providerName: string;
  readonly #store: KeyStore;
  readonly #provider: ServiceKeyProvider;

  constructor(store: KeyStore, provider: ServiceKeyProvider) {
    this.#store = store;
    this.#provider = provider;
    this.providerName = provider.name;
  }

  /** See {@link CatalogTrust.cluster}. */
  async cluster(): Promise<ClusterTrust | undefined> {
    const entry = this.#store.read().cluster;
    if (entry === null) return undefined;
    return {
      clusterId: Buffer.from(entry.clusterId, 'hex'),
      catalogKeyArn: entry.catalogKeyArn,
      rootVersion: BigInt(entry.rootVersion),
    };
  }

  /** See {@link CatalogTrust.createCatalogKey}. */
  async createCatalogKey(
    clusterId: Uint8Array,
    existing: string | undefined,
  ): Promise<{ keyArn: string; catalogKey: Uint8Array; blob: Uint8Array }> {
    const id = Buffer.from(clusterId).toString('hex');
    const keyArn =
      existing ??
      (await this.#provider.createServiceKey('catalog', `catalog of cluster ${id}`, id));
    const { plaintext, blob } = await this.#provider.generateDataKey(
      keyArn,
      catalogContext(clusterId),
    );
    return { keyArn, catalogKey: plaintext, blob };
  }

  /** See {@link CatalogTrust.discardCatalogKey}. */
  async discardCatalogKey(keyArn: string): Promise<void> {
    await this.#provider.deleteServiceKey(keyArn);
  }

  /** See {@link CatalogTrust.registerCluster}. */
  async registerCluster(trust: ClusterTrust): Promise<void> {
    const clusterId = Buffer.from(trust.clusterId).toString('hex');
    await this.#store.update((state) => {
      // A cluster at root version 0 is an `init` that did not finish: its key never came into use.
      if (
        state.cluster !== null &&
        (state.cluster.clusterId !== clusterId ||
          state.cluster.catalogKeyArn !== trust.catalogKeyArn ||
          state.cluster.rootVersion !== '0')
      ) {
        throw new MetadataIntegrityError(
          'METADATA_KEY_STORE_CLUSTER',
          `this key store belongs to cluster ${state.cluster.clusterId}; use another one for another cluster`,
        );
      }
      const keys = Object.entries(state.keys).filter(
        ([arn, key]) =>
          !key.serviceOwned || key.purpose !== 'catalog' || arn === trust.catalogKeyArn,
      );
      return {
        ...state,
        keys: Object.fromEntries(keys),
        cluster: {
          clusterId,
          catalogKeyArn: trust.catalogKeyArn,
          rootVersion: trust.rootVersion.toString(),
        },
      };
    });
  }

  /** See {@link CatalogTrust.unwrapCatalogKey}. */
  async unwrapCatalogKey(trust: ClusterTrust, blob: Uint8Array): Promise<Uint8Array> {
    return await this.#provider.decrypt(trust.catalogKeyArn, blob, catalogContext(trust.clusterId));
  }

  /** See {@link CatalogTrust.advanceAnchor}. */
  async advanceAnchor(rootVersion: bigint): Promise<void> {
    const known = this.#store.read().cluster;
    if (known !== null && BigInt(known.rootVersion) >= rootVersion) return;
    await this.#store.update((state) => {
      if (state.cluster === null || BigInt(state.cluster.rootVersion) >= rootVersion) return state;
      return { ...state, cluster: { ...state.cluster, rootVersion: rootVersion.toString() } };
    });
  }

  /**
   * Lowers the anchor to a root version that a person has accepted. Not part of what the catalog may do.
   * @throws MetadataIntegrityError before `init`.
   */
  async acceptRollback(rootVersion: bigint): Promise<void> {
    await this.#store.update((state) => {
      if (state.cluster === null) {
        throw new MetadataIntegrityError(
          'METADATA_KEY_STORE_CLUSTER',
          'this key store knows no cluster',
        );
      }
      return { ...state, cluster: { ...state.cluster, rootVersion: rootVersion.toString() } };
    });
  }
}

function catalogContext(clusterId: Uint8Array): EncryptionContext {
  return {
    'cqlock:cluster': Buffer.from(clusterId).toString('hex'),
    'cqlock:purpose': 'catalog',
    'cqlock:version': '1',
  };
}
