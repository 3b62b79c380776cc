import { describe, expect, it } from 'vitest';
import { UnsupportedStatementError } from '../../../src/errors/index.ts';
import { schemaVersionOf } from '../../../src/system/index.ts';
import type { VirtualTable } from '../../../src/system/index.ts';
import { HIDDEN_KEYSPACE, HIDDEN_PREFIX } from '../../../src/system/hidden.ts';
import { inetBytes } from '../../../src/system/identity.ts';
import { printType } from '../../../src/values/index.ts';
import { encryptedTable } from '../../support/table_entry.ts';
import {
  ADDRESS,
  IDENTITY,
  ORDERS,
  bigint,
  decode,
  int,
  list,
  local,
  map,
  makeSnapshot,
  makeSystemTables,
  text,
} from './support.ts';

function rowsOf(keyspace: string, name: string): Record<string, Uint8Array | null>[] {
  const table = makeSystemTables().resolve(keyspace, name, IDENTITY) as VirtualTable;
  return [...table.rows()].map((row) =>
    Object.fromEntries(table.columns.map((column, index) => [column.name, row[index] ?? null])),
  );
}

describe('system.local', () => {
  it('shows the proxy where the node was and keeps the rest', () => {
    const [row] = rowsOf('system', 'local');
    for (const name of ['rpc_address', 'listen_address', 'broadcast_address']) {
      expect([...(row?.[name] ?? [])], name).toEqual([192, 0, 2, 5]);
    }
    expect(row?.['rpc_port']).toEqual(int(19042));
    expect(row?.['host_id']).toEqual(IDENTITY.hostId);
    expect(row?.['schema_version']).toEqual(IDENTITY.schemaVersion);
    expect(decode(row?.['native_protocol_version'])).toBe('4');
    expect(row?.['truncated_at']).toBeNull();
    expect(row?.['tokens']).toEqual(list([text('-9223372036854775808')]));
    expect(decode(row?.['cluster_name'])).toBe('Test Cluster');
  });

  it.each([
    ['127.0.0.1', '7f000001'],
    ['::ffff:192.0.2.5', 'c0000205'],
    ['::1', '00000000000000000000000000000001'],
    ['2001:db8::8:0:0:417a', '20010db80000000000080000' + '0000417a'],
    ['fe80::1%eth0', 'fe800000000000000000000000000001'],
    ['64:ff9b::192.0.2.33', '0064ff9b0000000000000000c0000221'],
    ['1:2:3:4:5:6:7:8', '00010002000300040005000600070008'],
  ])('reads the address %s', (address, hex) => {
    expect(Buffer.from(inetBytes(address)).toString('hex')).toBe(hex);
  });
});

describe('the nodes behind the proxy', () => {
  it.each(['peers', 'peers_v2'])('system.%s keeps its columns and has no rows', (name) => {
    const table = makeSystemTables().resolve('system', name, IDENTITY) as VirtualTable;
    expect(table.columns[0]?.name).toBe('peer');
    expect([...table.rows()]).toEqual([]);
  });
});

describe('system_schema', () => {
  it('does not know the keyspace of the proxy', () => {
    for (const name of ['keyspaces', 'tables', 'columns']) {
      const keyspaces = rowsOf('system_schema', name).map((row) => decode(row['keyspace_name']));
      expect(keyspaces).toContain('shop');
      expect(keyspaces, name).not.toContain('cqlock');
    }
  });

  it('shows logical types and no hidden columns of encrypted tables', () => {
    const shown = rowsOf('system_schema', 'columns')
      .filter((row) => decode(row['keyspace_name']) === 'shop')
      .map((row) => [row['table_name'], row['column_name'], row['type']].map(decode).join(' '));
    expect(shown).toEqual([
      'hits n counter',
      'hits page text',
      'old id int',
      'orders id timeuuid',
      'orders line int',
      'orders note frozen<address>',
      'orders tags set<text>',
    ]);
  });

  it('leaves the stored types of a table whose record does not verify', () => {
    const row = rowsOf('system_schema', 'columns').find(
      (candidate) => decode(candidate['keyspace_name']) === 'other',
    );
    expect(decode(row?.['type'])).toBe('blob');
  });

  it('shows logical fields of types, and no shadow types', () => {
    const rows = rowsOf('system_schema', 'types');
    expect(rows).toHaveLength(1);
    expect(Buffer.from(rows[0]?.['field_types'] ?? [])).toEqual(list([text('text'), text('int')]));
    expect(Buffer.from(rows[0]?.['field_names'] ?? [])).toEqual(
      list([text('street'), text('zip')]),
    );
  });

  it('shows logical types of dropped columns, and no hidden ones', () => {
    const rows = rowsOf('system_schema', 'dropped_columns');
    expect(rows.map((row) => [decode(row['column_name']), decode(row['type'])])).toEqual([
      ['gone', 'map<text, int>'],
    ]);
  });

  it('flags a table with counters as one', () => {
    const flags = rowsOf('system_schema', 'tables').map((row) => [
      decode(row['table_name']),
      Buffer.from(row['flags'] ?? []),
    ]);
    expect(flags).toContainEqual(['hits', list([text('compound'), text('counter')])]);
    expect(flags).toContainEqual(['orders', list([text('compound')])]);
  });

  it('hides hidden indexes', () => {
    expect(rowsOf('system_schema', 'indexes')).toEqual([]);
  });

  it('does not know a table that Cassandra does not have', () => {
    expect(makeSystemTables().resolve('system_schema', 'nope', IDENTITY)).toBeUndefined();
    expect(makeSystemTables().resolve('cqlock', 'records', IDENTITY)).toBeUndefined();
    expect(makeSystemTables().resolve('system_schema', '__proto__', IDENTITY)).toBeUndefined();
  });
});

describe('the other system tables', () => {
  it.each([
    ['system', 'prepared_statements'],
    ['system', 'paxos'],
    ['system', 'batches'],
    ['system', 'top_partitions'],
    ['system_views', 'queries'],
  ])('refuses %s.%s, whose rows hold what is stored', (keyspace, table) => {
    expect(() => makeSystemTables().resolve(keyspace, table, IDENTITY)).toThrow(
      UnsupportedStatementError,
    );
  });

  it('reads system.IndexInfo for each execution, and shows what is built', () => {
    const table = makeSystemTables().resolve('system', 'IndexInfo', IDENTITY) as VirtualTable;
    expect(table.readBy).toBe('SELECT table_name, index_name, value FROM system."IndexInfo"');
    const read = [
      ['cqlock', 'any'],
      ['shop', 'by_note'],
      ['shop', 'cqlock_x'],
      ['shop', 'of_a_plain_table'],
    ].map((cells) => [...cells.map(text), null]);
    const shown = (isActive: boolean): unknown[] => {
      const snapshot = makeSnapshot();
      const orders = snapshot.table('shop', 'orders');
      expect(orders).toBeDefined();
      Object.assign(orders ?? {}, { indexes: [{ name: 'by_note', isActive }] });
      const built = makeSystemTables(snapshot).resolve('system', 'IndexInfo', IDENTITY);
      return [...(built as VirtualTable).rows(read)].map((row) => decode(row[1]));
    };
    expect(shown(true)).toEqual(['by_note', 'of_a_plain_table']);
    expect(shown(false)).toEqual(['of_a_plain_table']);
    expect([...table.rows()]).toEqual([]);
  });

  it('shows views as built when the proxy has built them, too', () => {
    const shown = (state: string, keyspace: string, name: string, read: string[][]): unknown[] => {
      const snapshot = makeSnapshot();
      const view = { view: { record: { state } } };
      Object.assign(snapshot.keyspace('shop') ?? {}, { views: new Map([['by_note', view]]) });
      const table = makeSystemTables(snapshot).resolve(keyspace, name, IDENTITY) as VirtualTable;
      return [...table.rows(read.map((row) => row.map(text)))].map((row) => row.map(decode));
    };
    const rows = [
      ['shop', 'by_note'],
      ['shop', 'of_a_plain_table'],
    ];
    expect(shown('active', 'system', 'built_views', rows)).toEqual(rows);
    expect(shown('building', 'system', 'built_views', rows)).toEqual(rows.slice(1));
    const states = rows.map((row) => [...row, 'SUCCESS']);
    const status = ['system_distributed', 'view_build_status'] as const;
    expect(shown('active', ...status, states)).toEqual(states);
    expect(shown('building', ...status, states)).toEqual([
      ['shop', 'by_note', 'STARTED'],
      ['shop', 'of_a_plain_table', 'SUCCESS'],
    ]);
  });

  it('knows no table that Cassandra does not have', () => {
    expect(makeSystemTables().resolve('system_views', 'nope', IDENTITY)).toBeUndefined();
  });

  it.each([
    ['system_traces', 'sessions'],
    ['system_auth', 'roles'],
    ['system_views', 'clients'],
    ['system', 'repairs'],
  ])('passes %s.%s through', (keyspace, table) => {
    expect(makeSystemTables().resolve(keyspace, table, IDENTITY)).toBe('passthrough');
  });
});

describe('schemaVersionOf', () => {
  const base = schemaVersionOf(makeSnapshot());

  it('is a UUID of version 8 that does not depend on the order of keyspaces and tables', () => {
    expect(base).toHaveLength(16);
    expect((base[6] ?? 0) >> 4).toBe(8);
    expect((base[8] ?? 0) >> 6).toBe(2);
    expect(schemaVersionOf(makeSnapshot({ reversed: true }))).toEqual(base);
  });

  it.each([
    ["Cassandra's version", { schemaVersion: '00000000-0000-3000-8000-000000000001' }],
    ['the version of a record', { orders: { ...ORDERS, recordVersion: 2n } }],
    ['a type', { address: { ...ADDRESS, fields: ADDRESS.fields.slice(1) } }],
  ])('changes with %s', (_what, options) => {
    expect(schemaVersionOf(makeSnapshot(options))).not.toEqual(base);
  });
});

describe('hidden names', () => {
  it('are those of the catalog', async () => {
    const names = await import('../../../src/schema/names.ts');
    expect(HIDDEN_KEYSPACE).toBe(names.RECORD_KEYSPACE);
    expect(HIDDEN_PREFIX).toBe(names.RESERVED_COLUMN_PREFIX);
    expect(local.columns).toHaveLength(20);
  });
});

describe('system_schema_mcs', () => {
  const keys = {
    provider: 'embedded',
    keyArn: 'arn:k',
    serviceOwned: false,
    tableKeys: [],
    deks: [],
    minEpoch: 1,
  };

  function customers(): VirtualTable {
    const record = {
      ...encryptedTable(Buffer.alloc(16), keys).record,
      createdAtMs: 5,
      customProperties: { ttl: { status: 'enabled' } },
    };
    const orders = { ...ORDERS, record } as unknown as typeof ORDERS;
    return makeSystemTables(makeSnapshot({ orders })).resolve(
      'system_schema_mcs',
      'tables',
      IDENTITY,
    ) as VirtualTable;
  }

  function cell(table: VirtualTable, name: string, column: string): Uint8Array | null | undefined {
    const at = (wanted: string): number =>
      table.columns.findIndex((candidate) => candidate.name === wanted);
    const row = [...table.rows()].find((one) => decode(one[at('table_name')]) === name);
    return row?.[at(column)];
  }

  it('shows the custom properties of encrypted tables as a map of maps of text', () => {
    const table = customers();
    const settings = (entries: readonly (readonly [string, string])[]): Uint8Array =>
      map(entries.map(([name, value]) => [text(name), text(value)] as const));
    expect(Buffer.from(cell(table, 'orders', 'custom_properties') ?? [])).toEqual(
      map([
        [
          text('encryption_specification'),
          settings([
            ['encryption_type', 'CUSTOMER_MANAGED_KMS_KEY'],
            ['kms_key_identifier', 'arn:k'],
          ]),
        ],
        [text('ttl'), settings([['status', 'enabled']])],
      ]),
    );
    expect(decode(cell(table, 'orders', 'status'))).toBe('ACTIVE');
    expect(Buffer.from(cell(table, 'orders', 'creation_time') ?? [])).toEqual(
      Buffer.from(bigint(5n)),
    );
    const column = table.columns.find((one) => one.name === 'custom_properties');
    expect(column && printType(column.type)).toBe('frozen<map<text, frozen<map<text, text>>>>');
  });

  it('has none for plain tables, no hidden names, and no other tables', () => {
    const table = customers();
    expect(cell(table, 'old', 'custom_properties') ?? null).toBeNull();
    const shown = rowsOf('system_schema_mcs', 'tables').map((row) => decode(row['keyspace_name']));
    expect(shown.length).toBeGreaterThan(0);
    expect(shown).not.toContain(HIDDEN_KEYSPACE);
    for (const name of ['keyspaces', 'columns', 'types']) {
      expect(rowsOf('system_schema_mcs', name).length).toBeGreaterThan(0);
    }
    const tables = makeSystemTables();
    for (const name of ['none', 'constructor', 'indexes']) {
      expect(tables.resolve('system_schema_mcs', name, IDENTITY)).toBeUndefined();
    }
  });
});
