/** Two proxies in front of one Cassandra, with the key store that they share open here: its keys are what tests change. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EmbeddedKms, KeyStore, loadRootKey } from '../../../src/kms/index.ts';
import type { TableRecord } from '../../../src/schema/index.ts';
import { startCassandra } from '../../support/cassandra.ts';
import type { TestCassandra } from '../../support/cassandra.ts';
import { runCqlock, startProxy } from '../../support/proxy.ts';
import type { CommandResult, TestProxy } from '../../support/proxy.ts';
import { RawClient } from '../../support/raw_client.ts';
import { REPLICATION, rowsOf, run } from './pair.ts';

/** Default of CQLOCK_LEASE_IDLE here. */
export const IDLE_MS = 2000;

/** `CUSTOM_PROPERTIES = …` for a customer managed key. */
export function customer(keyArn: string): string {
  return `CUSTOM_PROPERTIES = {'encryption_specification': {'encryption_type': 'CUSTOMER_MANAGED_KMS_KEY', 'kms_key_identifier': '${keyArn}'}}`;
}

/** `CUSTOM_PROPERTIES = …` for a service-owned key. */
export const OWNED =
  "CUSTOM_PROPERTIES = {'encryption_specification': {'encryption_type': 'AWS_OWNED_KMS_KEY'}}";

/** The cluster. The keyspace `ks` is there. */
export class KeyCluster {
  readonly cassandra: TestCassandra;
  readonly #home: string;
  #store: KeyStore | undefined;
  #proxies: TestProxy[] = [];
  readonly #clients: RawClient[] = [];

  private constructor(cassandra: TestCassandra, home: string) {
    this.cassandra = cassandra;
    this.#home = home;
  }

  static async start(): Promise<KeyCluster> {
    const home = await mkdtemp(join(tmpdir(), 'cqlock-key-change-'));
    const cluster = new KeyCluster(await startCassandra(), home);
    await cluster.startProxies();
    const a = await cluster.client(0);
    await run(a, `CREATE KEYSPACE ks WITH replication = ${REPLICATION}`);
    return cluster;
  }

  async stop(): Promise<void> {
    await this.stopProxies();
    await this.cassandra.stop();
    await rm(this.#home, { recursive: true, force: true });
  }

  async startProxies(): Promise<void> {
    const options = {
      ...this.#proxyOptions(),
      env: { CQLOCK_LEASE_IDLE: `${String(IDLE_MS)}ms`, CQLOCK_CATALOG_REFRESH: '500ms' },
    };
    this.#proxies = [await startProxy(options)];
    this.#proxies.push(await startProxy({ ...options, init: false }));
    this.#store = KeyStore.open(this.storeOptions());
  }

  async stopProxies(): Promise<void> {
    for (const open of this.#clients.splice(0)) open.close();
    for (const proxy of this.#proxies.splice(0)) await proxy.stop();
  }

  /** A new connection to one of the two proxies. */
  async client(index: number): Promise<RawClient> {
    const { host, port } = this.proxy(index);
    const connected = await RawClient.connect({ host, port });
    this.#clients.push(connected);
    return connected;
  }

  /** A new connection to Cassandra itself; the caller closes it. */
  async direct(): Promise<RawClient> {
    return await RawClient.connect({ host: this.cassandra.host, port: this.cassandra.port });
  }

  proxy(index: number): TestProxy {
    const proxy = this.#proxies[index];
    if (proxy === undefined) throw new TypeError('no proxy');
    return proxy;
  }

  /** The key store that the proxies share. */
  get store(): KeyStore {
    if (this.#store === undefined) throw new TypeError('no key store');
    return this.#store;
  }

  get kms(): EmbeddedKms {
    return new EmbeddedKms({ store: this.store });
  }

  get paths(): { readonly keyStore: string; readonly rootKey: string } {
    const data = this.#dataDir();
    return {
      keyStore: join(data, 'state', 'keystore.cqlock'),
      rootKey: join(`${data}-config`, 'cqlock', 'root.key'),
    };
  }

  storeOptions() {
    const { keyStore, rootKey } = this.paths;
    return { path: keyStore, rootKey: loadRootKey({ kind: 'file', path: rootKey }) };
  }

  /** Runs a command of cqlock on this cluster. */
  async cqlock(command: string): Promise<CommandResult> {
    return await runCqlock(command, this.#proxyOptions());
  }

  /** The row of a table's record as stored; nothing is verified. */
  async recordRow(name: string): Promise<Record<string, Buffer>> {
    const direct = await this.direct();
    const rows = rowsOf(
      await run(direct, 'SELECT cluster, table_id, version, body, mac FROM cqlock.records'),
    );
    direct.close();
    for (const [cluster, id, version, body, mac] of rows) {
      if (!cluster || !id || !version || !body || !mac) continue;
      const record = JSON.parse(body.toString('utf8')) as TableRecord;
      if (record.name === name) return { cluster, id, version, body, mac };
    }
    throw new TypeError(`no record of ${name}`);
  }

  async record(name: string): Promise<TableRecord> {
    const { body } = await this.recordRow(name);
    return JSON.parse(body?.toString('utf8') ?? '') as TableRecord;
  }

  /** ARNs of the service-owned keys that were made for a table. */
  serviceKeys(tableId: string): string[] {
    return Object.values(this.store.read().keys)
      .filter((key) => key.owner === tableId)
      .map((key) => key.arn);
  }

  #dataDir(): string {
    return join(this.#home, 'data');
  }

  #proxyOptions() {
    const { host, port } = this.cassandra;
    return { contactPoints: [`${host}:${String(port)}`], dataDir: this.#dataDir() };
  }
}

/** The first cell of the first row, as text. */
export async function value(client: RawClient, cql: string): Promise<string | undefined> {
  return rowsOf(await run(client, cql))[0]?.[0]?.toString('utf8');
}
