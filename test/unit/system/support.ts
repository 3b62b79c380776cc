import { native } from '../../../src/values/index.ts';
import type { CqlType, UdtType } from '../../../src/values/index.ts';
import type {
  ColumnEntry,
  DroppedColumnEntry,
  KeyspaceEntry,
  Snapshot,
  TableEntry,
} from '../../../src/schema/index.ts';
import { bigint, bool, double, int, list, map, text, uuid } from './cql_bytes.ts';
import { TEXT, rawTable, textList, textMap } from './raw_table.ts';
import { SystemTables } from '../../../src/system/index.ts';
import type { ProxyIdentity } from '../../../src/system/index.ts';

export { bigint, decode, int, list, map, text } from './cql_bytes.ts';

const NODE_HOST = '11111111-2222-4333-8444-555555555555';
const NODE_SCHEMA = '99999999-aaaa-3bbb-8ccc-dddddddddddd';

/** The columns of Cassandra 5.0.6's own tables, in the order of SELECT *. */
export const local = rawTable(
  'system',
  'local',
  {
    'p:key': 'text',
    bootstrapped: 'text',
    broadcast_address: 'inet',
    broadcast_port: 'int',
    cluster_name: 'text',
    cql_version: 'text',
    data_center: 'text',
    gossip_generation: 'int',
    host_id: 'uuid',
    listen_address: 'inet',
    listen_port: 'int',
    native_protocol_version: 'text',
    partitioner: 'text',
    rack: 'text',
    release_version: 'text',
    rpc_address: 'inet',
    rpc_port: 'int',
    schema_version: 'uuid',
    tokens: textList('set', false),
    truncated_at: { kind: 'map', key: native('uuid'), value: native('blob'), frozen: false },
  },
  [
    [
      'local',
      'COMPLETED',
      Uint8Array.of(10, 0, 0, 7),
      int(7000),
      'Test Cluster',
      '3.4.7',
      'dc1',
      int(1),
      uuid(NODE_HOST),
      Uint8Array.of(10, 0, 0, 7),
      int(7000),
      '5',
      'org.apache.cassandra.dht.Murmur3Partitioner',
      'rack1',
      '5.0.6',
      Uint8Array.of(10, 0, 0, 7),
      int(9042),
      uuid(NODE_SCHEMA),
      list([text('-9223372036854775808')]),
      map([[uuid(NODE_HOST), text('x')]]),
    ],
  ],
);

const peers = rawTable(
  'system',
  'peers',
  {
    'p:peer': 'inet',
    data_center: 'text',
    host_id: 'uuid',
    preferred_ip: 'inet',
    rack: 'text',
    release_version: 'text',
    rpc_address: 'inet',
    schema_version: 'uuid',
    tokens: textList('set', false),
  },
  [[Uint8Array.of(10, 0, 0, 8), 'dc1', null, null, null, null, null, null, null]],
);

const peersV2 = rawTable(
  'system',
  'peers_v2',
  {
    'p:peer': 'inet',
    'c:peer_port': 'int',
    data_center: 'text',
    host_id: 'uuid',
    native_address: 'inet',
    native_port: 'int',
    preferred_ip: 'inet',
    preferred_port: 'int',
    rack: 'text',
    release_version: 'text',
    schema_version: 'uuid',
    tokens: textList('set', false),
  },
  [[Uint8Array.of(10, 0, 0, 8), int(7000), 'dc1', ...new Array<null>(9).fill(null)]],
);

const replication = map([
  [text('class'), text('SimpleStrategy')],
  [text('replication_factor'), text('1')],
]);

const keyspaces = rawTable(
  'system_schema',
  'keyspaces',
  { 'p:keyspace_name': 'text', durable_writes: 'boolean', replication: textMap(true) },
  ['system_schema', 'cqlock', 'shop', 'other'].map((name) => [name, bool(true), replication]),
);

const tables = rawTable(
  'system_schema',
  'tables',
  {
    'p:keyspace_name': 'text',
    'c:table_name': 'text',
    bloom_filter_fp_chance: 'double',
    comment: 'text',
    flags: textList('set', true),
    id: 'uuid',
  },
  [
    ['cqlock', 'records', double(0.01), '', list([text('compound')]), uuid(NODE_HOST)],
    ['shop', 'hits', double(1), '', list([text('compound')]), uuid(NODE_HOST)],
    ['shop', 'old', double(0.01), '', list([text('compound')]), uuid(NODE_HOST)],
    ['shop', 'orders', double(0.01), 'a; b', list([text('compound')]), uuid(NODE_HOST)],
    ['other', 't', double(0.0001), null, list([text('compound')]), uuid(NODE_HOST)],
  ],
);

/** Stored columns: keyspace, table, column, order, kind, position, stored type. */
const STORED_COLUMNS: readonly (readonly [
  string,
  string,
  string,
  string,
  string,
  number,
  string,
])[] = [
  ['cqlock', 'records', 'cluster', 'none', 'partition_key', 0, 'blob'],
  ['shop', 'hits', 'n', 'none', 'regular', -1, 'blob'],
  ['shop', 'hits', 'page', 'none', 'partition_key', 0, 'blob'],
  ['shop', 'old', 'id', 'none', 'partition_key', 0, 'int'],
  ['shop', 'orders', 'cqlock_i_note', 'none', 'regular', -1, 'blob'],
  ['shop', 'orders', 'id', 'none', 'partition_key', 0, 'blob'],
  ['shop', 'orders', 'line', 'desc', 'clustering', 0, 'blob'],
  ['shop', 'orders', 'note', 'none', 'regular', -1, 'blob'],
  ['shop', 'orders', 'tags', 'none', 'regular', -1, 'set<blob>'],
  ['other', 't', 'k', 'none', 'partition_key', 0, 'blob'],
  ['system', 'built_views', 'keyspace_name', 'none', 'partition_key', 0, 'text'],
  ['system', 'built_views', 'view_name', 'asc', 'clustering', 0, 'text'],
  ['system_distributed', 'view_build_status', 'keyspace_name', 'none', 'partition_key', 0, 'text'],
  ['system_distributed', 'view_build_status', 'status', 'none', 'regular', -1, 'text'],
  ['system_distributed', 'view_build_status', 'view_name', 'none', 'partition_key', 1, 'text'],
  ['system', 'IndexInfo', 'index_name', 'asc', 'clustering', 0, 'text'],
  ['system', 'IndexInfo', 'table_name', 'none', 'partition_key', 0, 'text'],
  ['system', 'IndexInfo', 'value', 'none', 'regular', -1, 'blob'],
];

const columns = rawTable(
  'system_schema',
  'columns',
  {
    'p:keyspace_name': 'text',
    'c:table_name': 'text',
    'c:column_name': 'text',
    clustering_order: 'text',
    column_name_bytes: 'blob',
    kind: 'text',
    position: 'int',
    type: 'text',
  },
  STORED_COLUMNS.map(([ks, table, name, order, kind, position, type]) => [
    ks,
    table,
    name,
    order,
    name,
    kind,
    int(position),
    type,
  ]),
);

const types = rawTable(
  'system_schema',
  'types',
  {
    'p:keyspace_name': 'text',
    'c:type_name': 'text',
    field_names: textList('list', true),
    field_types: textList('list', true),
  },
  [
    ['shop', 'address', list([text('street'), text('zip')]), list([text('blob'), text('blob')])],
    ['shop', 'cqlock_t_1', list([text('a')]), list([text('blob')])],
  ],
);

const droppedColumns = rawTable(
  'system_schema',
  'dropped_columns',
  {
    'p:keyspace_name': 'text',
    'c:table_name': 'text',
    'c:column_name': 'text',
    dropped_time: 'timestamp',
    kind: 'text',
    type: 'text',
  },
  [
    ['shop', 'orders', 'cqlock_i_gone', bigint(5n), 'regular', 'blob'],
    ['shop', 'orders', 'gone', bigint(5n), 'regular', 'blob'],
  ],
);

const indexes = rawTable(
  'system_schema',
  'indexes',
  {
    'p:keyspace_name': 'text',
    'c:table_name': 'text',
    'c:index_name': 'text',
    kind: 'text',
    options: textMap(true),
  },
  [['shop', 'orders', 'cqlock_x', 'COMPOSITES', map([[text('target'), text('cqlock_i_note')]])]],
);

/** Tables without rows, by the columns that queries name. */
const empty = [
  rawTable(
    'system_schema',
    'views',
    {
      'p:keyspace_name': 'text',
      'c:view_name': 'text',
      base_table_id: 'uuid',
      base_table_name: 'text',
      include_all_columns: 'boolean',
    },
    [],
  ),
  rawTable(
    'system_schema',
    'triggers',
    {
      'p:keyspace_name': 'text',
      'c:table_name': 'text',
      'c:trigger_name': 'text',
      options: textMap(true),
    },
    [],
  ),
  rawTable(
    'system_schema',
    'functions',
    {
      'p:keyspace_name': 'text',
      'c:function_name': 'text',
      'c:argument_types': textList('list', true),
      argument_names: textList('list', true),
      body: 'text',
      called_on_null_input: 'boolean',
      language: 'text',
      return_type: 'text',
    },
    [],
  ),
  rawTable(
    'system_schema',
    'aggregates',
    {
      'p:keyspace_name': 'text',
      'c:aggregate_name': 'text',
      'c:argument_types': textList('list', true),
      final_func: 'text',
      initcond: 'text',
      return_type: 'text',
      state_func: 'text',
      state_type: 'text',
    },
    [],
  ),
];

const virtual = [
  rawTable('system_virtual_schema', 'keyspaces', { 'p:keyspace_name': 'text' }, [
    ['system_views'],
    ['system_virtual_schema'],
  ]),
  rawTable(
    'system_virtual_schema',
    'tables',
    { 'p:keyspace_name': 'text', 'c:table_name': 'text', comment: 'text' },
    [['system_views', 'clients', 'currently connected clients']],
  ),
  rawTable(
    'system_virtual_schema',
    'columns',
    {
      'p:keyspace_name': 'text',
      'c:table_name': 'text',
      'c:column_name': 'text',
      clustering_order: 'text',
      column_name_bytes: 'blob',
      kind: 'text',
      position: 'int',
      type: 'text',
    },
    [],
  ),
];

const RAW = new Map(
  [
    local,
    peers,
    peersV2,
    keyspaces,
    tables,
    columns,
    types,
    droppedColumns,
    indexes,
    ...empty,
    ...virtual,
  ].map((table) => [`${table.keyspace}.${table.name}`, table]),
);

function column(name: string, kind: ColumnEntry['kind'], type: CqlType): ColumnEntry {
  return {
    name,
    id: new Uint8Array(16),
    kind,
    position: 0,
    type,
    clusteringOrder: undefined,
    scheme: 'cell',
    padded: false,
    storedType: 'blob',
  };
}

function entry(
  keyspace: string,
  name: string,
  kind: TableEntry['kind'],
  all: readonly ColumnEntry[],
  dropped: readonly DroppedColumnEntry[] = [],
): TableEntry {
  const of = (wanted: ColumnEntry['kind']): ColumnEntry[] => all.filter((c) => c.kind === wanted);
  return {
    keyspace,
    name,
    id: NODE_HOST,
    tableId: new Uint8Array(16),
    recordVersion: 1n,
    kind,
    error: undefined,
    partitionKey: of('partition'),
    clustering: of('clustering'),
    statics: of('static'),
    regulars: of('regular'),
    columns: new Map(all.map((c) => [c.name, c])),
    allColumns: all,
    dropped,
    indexes: [],
    views: [],
    hiddenColumns: new Set(),
    defaultTtl: 0,
    record: undefined,
    version: '1',
  };
}

export const ADDRESS: UdtType = {
  kind: 'udt',
  keyspace: 'shop',
  name: 'address',
  fields: [
    { name: 'street', type: TEXT },
    { name: 'zip', type: native('int') },
  ],
  frozen: false,
};

export const ORDERS = entry(
  'shop',
  'orders',
  'encrypted',
  [
    column('id', 'partition', native('timeuuid')),
    column('line', 'clustering', native('int')),
    column('note', 'regular', { ...ADDRESS, frozen: true }),
    column('tags', 'regular', textList('set', false)),
  ],
  [{ name: 'gone', id: new Uint8Array(16), kind: 'regular', type: 'map<text, int>' }],
);

export interface SnapshotOptions {
  readonly schemaVersion?: string;
  readonly orders?: TableEntry;
  readonly reversed?: boolean;
  readonly address?: UdtType;
}

export function makeSnapshot(options: SnapshotOptions = {}): Snapshot {
  const shop = [
    entry('shop', 'hits', 'encrypted', [
      column('page', 'partition', TEXT),
      column('n', 'regular', native('counter')),
    ]),
    entry('shop', 'old', 'plain', [column('id', 'partition', native('int'))]),
    options.orders ?? ORDERS,
  ];
  const address = options.address ?? ADDRESS;
  const make = (name: string, entries: TableEntry[], udts: UdtType[]): KeyspaceEntry => ({
    name,
    stored: { name, durableWrites: true, replication: {} },
    isSystem: name.startsWith('system'),
    tables: new Map(entries.map((t) => [t.name, t])),
    views: new Map(),
    types: new Map(udts.map((t) => [t.name, t])),
  });
  const all = [
    make('system_schema', [], []),
    make('shop', options.reversed === true ? shop.reverse() : shop, [address]),
    make('other', [entry('other', 't', 'broken', [column('k', 'partition', native('int'))])], []),
  ];
  const order = options.reversed === true ? all.reverse() : all;
  const named = new Map(order.map((k) => [k.name, k]));
  return {
    version: 1,
    rootVersion: 1n,
    schemaVersion: options.schemaVersion ?? NODE_SCHEMA,
    failure: undefined,
    keyspace: (name) => named.get(name),
    keyspaces: () => order,
    table: (keyspace, name) => named.get(keyspace)?.tables.get(name),
    udt: (keyspace, name) => named.get(keyspace)?.types.get(name),
    raw: (keyspace, table) => RAW.get(`${keyspace}.${table}`),
  };
}

export const IDENTITY: ProxyIdentity = {
  listenAddress: '192.0.2.5',
  listenPort: 19042,
  hostId: uuid('00000000-0000-4000-8000-0000000000aa'),
  schemaVersion: uuid('00000000-0000-8000-8000-0000000000bb'),
};

export function makeSystemTables(snapshot = makeSnapshot()): SystemTables {
  return new SystemTables({
    raw: (keyspace, table) => RAW.get(`${keyspace}.${table}`),
    snapshot: () => snapshot,
  });
}
