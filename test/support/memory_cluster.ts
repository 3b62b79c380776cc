/** Records and schema of a cluster in memory, for tests that need several proxies and moments that no Cassandra gives. */
import { randomUUID } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KmsTableKeys, StateDirectoryTrust } from '../../src/keys/index.ts';
import { EmbeddedKms, KeyStore, KmsRegistry, loadRootKey } from '../../src/kms/index.ts';
import type { KmsProvider } from '../../src/kms/index.ts';
import { Catalog, initCluster, SchemaChanges } from '../../src/schema/index.ts';
import type {
  BackupKeys,
  EncryptionChoice,
  HiddenColumnRecord,
  KeyNotices,
  LeaseStore,
  NewColumn,
  RawSchema,
  RawTable,
  RecordStore,
  StoredRecord,
  TableEntry,
  TableRecord,
} from '../../src/schema/index.ts';
import type { Clock } from '../../src/util/index.ts';
import { native } from '../../src/values/index.ts';
import { NO_CARE } from './no_care.ts';

/** A proxy on the cluster. */
export interface MemoryProxy {
  readonly catalog: Catalog;
  readonly changes: SchemaChanges;
  /** CREATE TABLE of a table with these columns. */
  create(
    name: string,
    columns?: readonly NewColumn[],
    encryption?: EncryptionChoice,
  ): Promise<'created' | 'exists'>;
}

/** What a proxy is given beside the cluster. */
export interface MemoryProxyOptions {
  readonly step?: (name: string) => void | Promise<void>;
  readonly clock?: Clock;
  readonly unusedColumnsMs?: number;
  readonly notices?: KeyNotices;
  readonly backups?: BackupKeys;
  readonly onKeysReleased?: (record: TableRecord) => Promise<void>;
  /** Called before the schema is read, with what will be answered if it returns nothing. */
  readonly onReadSchema?: () => Promise<RawSchema | undefined>;
}

/** A refusal of Cassandra's. */
export class Refusal extends Error {
  readonly cqlCode = 0x2400;
}

/** Columns of a table: `pk` and a regular `v`. */
export const TWO_COLUMNS: readonly NewColumn[] = [
  { name: 'pk', type: 'int', kind: 'partition', position: 0 },
  { name: 'v', type: 'text', kind: 'regular', position: 0 },
];

type Table = RawSchema['tables'][number];
type Column = RawSchema['columns'][number];
type Type = RawSchema['types'][number];

/** The cluster. */
export class MemoryCluster {
  tables: Table[] = [];
  columns: Column[] = [];
  types: Type[] = [];
  indexes: readonly { readonly table: string; readonly name: string }[] = [];
  /** Materialized views with all columns; their own are among `columns`. */
  views: readonly {
    readonly table: string;
    readonly name: string;
    readonly id: string;
    readonly where: string;
  }[] = [];
  keyspaces: readonly string[] = ['ks'];
  readonly keyStore: KeyStore;
  readonly kms: KmsRegistry;
  readonly embedded: EmbeddedKms;
  /** Opens the keys of tables as a proxy does. */
  readonly tableKeys: KmsTableKeys;
  readonly #clock: Clock;
  readonly #memory = memoryStore();
  readonly #store: RecordStore = this.#memory.store;
  readonly #trust: StateDirectoryTrust;
  /** Rows of leases, by name. */
  readonly leaseRows = new Map<string, Uint8Array>();

  private constructor(keyStore: KeyStore, clock: Clock, others: readonly KmsProvider[]) {
    this.keyStore = keyStore;
    this.#clock = clock;
    this.embedded = new EmbeddedKms({ store: keyStore });
    this.#trust = new StateDirectoryTrust(keyStore, this.embedded);
    this.kms = new KmsRegistry(this.embedded, others);
    this.tableKeys = new KmsTableKeys(this.kms, clock);
  }

  /** Makes and initialises one with the keyspace `ks`. */
  static async start(clock: Clock, others: readonly KmsProvider[] = []): Promise<MemoryCluster> {
    const path = join(mkdtempSync(join(tmpdir(), 'cqlock-memory-')), 'keystore');
    const value = Buffer.alloc(32, 5).toString('base64');
    const rootKey = loadRootKey({ kind: 'base64', value });
    const cluster = new MemoryCluster(await KeyStore.create({ path, rootKey }), clock, others);
    await initCluster({
      store: cluster.#store,
      source: cluster.source(),
      trust: cluster.#trust,
    });
    return cluster;
  }

  /** Starts a proxy. */
  async proxy(options: MemoryProxyOptions = {}): Promise<MemoryProxy> {
    const clock = options.clock ?? this.#clock;
    const source = this.source(options);
    const catalog = await Catalog.open({ store: this.#store, source, trust: this.#trust, clock });
    const { step, notices, backups } = options;
    const changes = SchemaChanges.open({
      ...NO_CARE,
      catalog,
      source,
      keys: this.tableKeys,
      clock,
      ...(notices === undefined ? {} : { notices }),
      ...(backups === undefined ? {} : { backups }),
      ...(options.onKeysReleased === undefined ? {} : { onKeysReleased: options.onKeysReleased }),
      ...(step === undefined ? {} : { step }),
      ...(options.unusedColumnsMs === undefined
        ? {}
        : { unusedColumnsMs: options.unusedColumnsMs }),
    });
    return {
      catalog,
      changes,
      create: (name, columns = TWO_COLUMNS, encryption) =>
        changes.createTable({ keyspace: 'ks', name, columns, encryption }, ({ tableId }) => {
          this.createTable(name, tableId, columns);
          return Promise.resolve('created');
        }),
    };
  }

  /** 16 bytes. */
  async clusterId(): Promise<Uint8Array> {
    const trust = await this.#trust.cluster();
    if (trust === undefined) throw new TypeError('not initialised');
    return trust.clusterId;
  }

  /** Opens the keys of a table. */
  async open(table: TableEntry): ReturnType<KmsTableKeys['open']> {
    return await this.tableKeys.open(table, await this.clusterId());
  }

  /** Leases as Cassandra's lightweight transactions change them. */
  leases(): LeaseStore {
    const same = (a: Uint8Array | undefined, b: Uint8Array | undefined): boolean =>
      a === b || (a !== undefined && b !== undefined && Buffer.from(a).equals(b));
    return {
      read: (name) => Promise.resolve(this.leaseRows.get(name)),
      replace: (name, expected, next) => {
        if (!same(this.leaseRows.get(name), expected)) return Promise.resolve(false);
        this.leaseRows.set(name, next);
        return Promise.resolve(true);
      },
    };
  }

  /** The stored record of a table as bytes, for edits by hand. */
  editRecord(tableId: string, edit: (row: StoredRecord) => StoredRecord): void {
    const row = this.#memory.records.get(tableId);
    if (row === undefined) throw new TypeError('no record');
    this.#memory.records.set(tableId, edit(row));
  }

  /** As Cassandra: refuses a name that is taken. */
  createTable(name: string, id: string = randomUUID(), columns = TWO_COLUMNS): void {
    if (this.tables.some((table) => table.name === name)) throw new Refusal('already exists');
    this.tables = [...this.tables, { keyspace: 'ks', name, id, defaultTtl: 0 }];
    for (const column of columns) this.addColumn(name, column);
  }

  addColumn(table: string, column: NewColumn): void {
    const { name, kind, position } = column;
    const order = kind === 'clustering' ? 'asc' : undefined;
    this.columns = [
      ...this.columns,
      { keyspace: 'ks', table, name, kind, position, order, type: column.storedType ?? 'blob' },
    ];
  }

  dropTable(name: string): void {
    this.tables = this.tables.filter((table) => table.name !== name);
    this.columns = this.columns.filter((column) => column.table !== name);
  }

  /** A hidden column, which clients do not know. */
  addHidden(table: string, column: HiddenColumnRecord): void {
    const { name, type, kind } = column;
    this.columns = [
      ...this.columns,
      { keyspace: 'ks', table, name, kind, position: -1, order: undefined, type },
    ];
  }

  dropColumns(table: string, names: readonly string[]): void {
    this.columns = this.columns.filter(
      (column) => column.table !== table || !names.includes(column.name),
    );
  }

  createType(name: string, fieldNames: readonly string[]): void {
    if (this.types.some((type) => type.name === name)) throw new Refusal('already exists');
    const fieldTypes = fieldNames.map(() => 'blob');
    this.types = [...this.types, { keyspace: 'ks', name, fieldNames, fieldTypes }];
  }

  /** ALTER TYPE … ADD of one field. */
  addField(name: string, field: string): void {
    this.types = this.types.map((type) =>
      type.name === name
        ? {
            ...type,
            fieldNames: [...type.fieldNames, field],
            fieldTypes: [...type.fieldTypes, 'blob'],
          }
        : type,
    );
  }

  /** What a reading of the schema gives now. */
  schema(): RawSchema {
    return {
      schemaVersion: '',
      keyspaces: this.keyspaces.map((name) => ({ name, durableWrites: true, replication: {} })),
      tables: this.tables,
      columns: this.columns,
      types: this.types,
      raw: new Map([
        ['system_schema.indexes', indexTable(this.indexes)],
        ['system_schema.views', viewTable(this.views)],
      ]),
    };
  }

  /** Reads the schema for a proxy. */
  source({ onReadSchema }: MemoryProxyOptions = {}) {
    return {
      readSchema: async () => (await onReadSchema?.()) ?? this.schema(),
      waitForAgreement: () => Promise.resolve(true),
    };
  }
}

/** The rows of system_schema.indexes, as far as the catalog reads them. */
function indexTable(indexes: MemoryCluster['indexes']): RawTable {
  return {
    keyspace: 'system_schema',
    name: 'indexes',
    columns: ['keyspace_name', 'table_name', 'index_name'].map((name) => ({
      name,
      type: native('text'),
      kind: 'regular',
      position: 0,
      order: undefined,
    })),
    rows: indexes.map(({ table, name }) => ['ks', table, name].map((text) => Buffer.from(text))),
  };
}

/** The rows of system_schema.views, as far as the catalog reads them. */
function viewTable(views: MemoryCluster['views']): RawTable {
  const names = [
    'keyspace_name',
    'view_name',
    'id',
    'base_table_name',
    'include_all_columns',
    'where_clause',
  ];
  return {
    keyspace: 'system_schema',
    name: 'views',
    columns: names.map((name) => ({
      name,
      type: native('text'),
      kind: 'regular',
      position: 0,
      order: undefined,
    })),
    rows: views.map(({ table, name, id, where }) => [
      Buffer.from('ks'),
      Buffer.from(name),
      Buffer.from(id.replaceAll('-', ''), 'hex'),
      Buffer.from(table),
      Buffer.from([1]),
      Buffer.from(where),
    ]),
  };
}

/** One partition of records, changed by compare-and-set as Cassandra does. */
export function memoryStore(): {
  readonly store: RecordStore;
  readonly records: Map<string, StoredRecord>;
} {
  let isThere = false;
  let cluster: Uint8Array | undefined;
  let root: { version: bigint; bytes: Uint8Array; mac: Uint8Array } | undefined;
  const records = new Map<string, StoredRecord>();
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
  const store: RecordStore = {
    exists: () => Promise.resolve(isThere),
    create: () => {
      isThere = true;
      return Promise.resolve();
    },
    clusterIds: () => Promise.resolve(cluster === undefined ? [] : [cluster]),
    readAll: () => Promise.resolve({ root, records: [...records.values()] }),
    change: (clusterId, change, changes) => {
      const applies =
        root?.version === change.expectedVersion &&
        changes.every((one) => records.get(hex(one.recordId))?.version === one.expectedVersion);
      if (!applies) return Promise.resolve('conflict');
      cluster = clusterId;
      root = change.next;
      for (const { recordId, next } of changes) {
        if (next === undefined) records.delete(hex(recordId));
        else records.set(hex(recordId), { recordId, ...next });
      }
      return Promise.resolve('applied');
    },
  };
  return { store, records };
}
