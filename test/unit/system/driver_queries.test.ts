import { describe, expect, it } from 'vitest';
import { parseStatement } from '../../../src/cql/index.ts';
import { planVirtualSelect } from '../../../src/system/index.ts';
import type { PlannedSelect, VirtualTable } from '../../../src/system/index.ts';
import { IDENTITY, bigint, decode, int, list, makeSystemTables, text } from './support.ts';

function plan(query: string): PlannedSelect {
  const { statement } = parseStatement(query);
  if (statement.kind !== 'select') throw new TypeError('not a SELECT');
  const table = makeSystemTables().resolve(
    statement.table.keyspace?.text ?? '',
    statement.table.name.text,
    IDENTITY,
  );
  return planVirtualSelect(statement, table as VirtualTable);
}

const rows = (query: string): number => plan(query).execute([], {}).rows.length;

/** What drivers send while they connect and read the schema; with the number of rows. */
const LITERAL: readonly (readonly [driver: string, query: string, rows: number])[] = [
  // Java driver 4
  ['java', 'SELECT * FROM system.local', 1],
  ['java', 'SELECT cluster_name FROM system.local', 1],
  ['java', "SELECT schema_version FROM system.local WHERE key='local'", 1],
  ['java', 'SELECT host_id, schema_version FROM system.peers', 0],
  ['java', 'SELECT * FROM system.peers', 0],
  ['java', 'SELECT * FROM system.peers_v2', 0],
  ['java', 'SELECT * FROM system_schema.keyspaces', 3],
  ['java', 'SELECT * FROM system_schema.tables', 4],
  ['java', "SELECT * FROM system_schema.tables WHERE keyspace_name IN ('shop','other')", 4],
  ['java', 'SELECT * FROM system_schema.columns', 16],
  ['java', 'SELECT * FROM system_schema.types', 1],
  ['java', 'SELECT * FROM system_schema.indexes', 0],
  ['java', 'SELECT * FROM system_schema.views', 0],
  ['java', 'SELECT * FROM system_schema.functions', 0],
  ['java', 'SELECT * FROM system_schema.aggregates', 0],
  ['java', 'SELECT * FROM system_virtual_schema.keyspaces', 2],
  ['java', 'SELECT * FROM system_virtual_schema.tables', 1],
  ['java', 'SELECT * FROM system_virtual_schema.columns', 0],
  // Node.js driver 4
  ['node', 'SELECT key FROM system.local', 1],
  ['node', "SELECT * FROM system.local WHERE key='local'", 1],
  ['node', 'SELECT schema_version FROM system.peers', 0],
  ['node', 'SELECT schema_version FROM system.local', 1],
  ['node', "SELECT * FROM system_schema.keyspaces where keyspace_name = 'shop'", 1],
  ['node', "SELECT * FROM system_schema.keyspaces where keyspace_name = 'cqlock'", 0],
  [
    'node',
    "SELECT * FROM system_schema.tables WHERE keyspace_name='shop' AND table_name='orders'",
    1,
  ],
  [
    'node',
    "SELECT * FROM system_schema.columns WHERE keyspace_name='shop' AND table_name='orders'",
    4,
  ],
  [
    'node',
    "SELECT * FROM system_schema.indexes WHERE keyspace_name='shop' AND table_name='orders'",
    0,
  ],
  [
    'node',
    "SELECT * FROM system_schema.types WHERE keyspace_name='shop' AND type_name='address'",
    1,
  ],
  [
    'node',
    "SELECT * FROM system_schema.functions WHERE keyspace_name = 'shop' AND function_name = 'f'",
    0,
  ],
  [
    'node',
    "SELECT * FROM system_schema.aggregates WHERE keyspace_name = 'shop' AND aggregate_name = 'f'",
    0,
  ],
  ['node', "SELECT * FROM system_schema.views WHERE keyspace_name = 'shop' AND view_name = 'v'", 0],
  ['node', "SELECT * FROM system_virtual_schema.keyspaces where keyspace_name = 'system_views'", 1],
  [
    'node',
    "SELECT * FROM system_virtual_schema.tables where keyspace_name = 'system_views' and table_name='clients'",
    1,
  ],
  // Python driver 3 and cqlsh
  [
    'python',
    'SELECT host_id, peer, peer_port, data_center, rack, native_address, native_port, release_version, schema_version FROM system.peers_v2',
    0,
  ],
  [
    'python',
    'SELECT host_id, peer, peer_port, native_address, native_port, schema_version FROM system.peers_v2',
    0,
  ],
  [
    'python',
    'SELECT host_id, peer, data_center, rack, rpc_address, rpc_address, release_version, schema_version FROM system.peers',
    0,
  ],
  [
    'python',
    "SELECT host_id, cluster_name, data_center, rack, partitioner, release_version, schema_version FROM system.local WHERE key='local'",
    1,
  ],
  ['python', "SELECT rpc_address FROM system.local WHERE key='local'", 1],
  ['python', 'SELECT * FROM system_schema.triggers', 0],
  ['python', "SELECT * FROM system_schema.keyspaces WHERE keyspace_name = 'shop'", 1],
  [
    'python',
    "SELECT * FROM system_schema.types WHERE keyspace_name = 'shop' AND type_name = 'address'",
    1,
  ],
  // .NET driver 3: the clustering column first
  [
    'dotnet',
    "SELECT * FROM system_schema.columns WHERE table_name='orders' AND keyspace_name='shop'",
    4,
  ],
  ['dotnet', "SELECT table_name FROM system_schema.tables WHERE keyspace_name='shop'", 3],
];

/** gocql 1.7 prepares and binds, with the line breaks of its source. */
const PREPARED: readonly (readonly [query: string, rows: number])[] = [
  [
    `
		SELECT durable_writes, replication
		FROM system_schema.keyspaces
		WHERE keyspace_name = ?`,
    1,
  ],
  [
    `
		SELECT
			table_name
		FROM system_schema.tables
		WHERE keyspace_name = ?`,
    3,
  ],
  [
    `
			SELECT
				view_name
			FROM system_schema.views
			WHERE keyspace_name = ?`,
    0,
  ],
  [
    `
			SELECT
				table_name,
				column_name,
				clustering_order,
				type,
				kind,
				position
			FROM system_schema.columns
			WHERE keyspace_name = ?`,
    7,
  ],
  [
    `
		SELECT
			type_name,
			field_names,
			field_types
		FROM system_schema.types
		WHERE keyspace_name = ?`,
    1,
  ],
  [
    `
		SELECT
			function_name,
			argument_types,
			argument_names,
			body,
			called_on_null_input,
			language,
			return_type
		FROM system_schema.functions
		WHERE keyspace_name = ?`,
    0,
  ],
  [
    `
		SELECT
			aggregate_name,
			argument_types,
			state_func,
			state_type,
			return_type,
			final_func,
			initcond
		FROM system_schema.aggregates
		WHERE keyspace_name = ?`,
    0,
  ],
];

describe('queries of drivers', () => {
  it.each(LITERAL)('%s: %s', (_driver, query, count) => {
    expect(rows(query)).toBe(count);
  });

  it.each(PREPARED)('gocql: %s', (query, count) => {
    const planned = plan(query);
    expect(planned.variables.map((variable) => variable.name)).toEqual(['keyspace_name']);
    expect(planned.variables[0]?.type).toEqual({ kind: 'native', name: 'text' });
    expect(planned.partitionKeyIndices).toEqual([0]);
    expect(planned.execute([text('shop')], {}).rows).toHaveLength(count);
    expect(planned.execute([text('cqlock')], {}).rows).toHaveLength(0);
  });

  it('java: named markers', () => {
    const planned = plan(
      'SELECT * FROM system.peers_v2 WHERE peer = :address and peer_port = :port',
    );
    expect(planned.variables.map((variable) => variable.name)).toEqual(['address', 'port']);
    expect(planned.partitionKeyIndices).toEqual([0]);
    expect(planned.execute([Uint8Array.of(10, 0, 0, 8), int(7000)], {}).rows).toEqual([]);
  });
});

describe('other forms that Cassandra accepts', () => {
  const cells = (query: string, values: Uint8Array[] = []): (string | null)[][] =>
    plan(query)
      .execute(values, {})
      .rows.map((row) => row.map(decode));

  it('serves JSON in the form of Cassandra', () => {
    expect(
      cells(
        "SELECT JSON table_name, bloom_filter_fp_chance, comment, flags, id FROM system_schema.tables WHERE keyspace_name = 'other'",
      ),
    ).toEqual([
      [
        '{"table_name": "t", "bloom_filter_fp_chance": 1.0E-4, "comment": null, "flags": ["compound"], "id": "11111111-2222-4333-8444-555555555555"}',
      ],
    ]);
    expect(
      cells(
        "SELECT JSON replication, durable_writes FROM system_schema.keyspaces WHERE keyspace_name = 'shop'",
      ),
    ).toEqual([
      [
        '{"replication": {"class": "SimpleStrategy", "replication_factor": "1"}, "durable_writes": true}',
      ],
    ]);
  });

  it('serves DISTINCT, count, min and max', () => {
    expect(cells('SELECT DISTINCT keyspace_name FROM system_schema.tables')).toEqual([
      ['shop'],
      ['other'],
    ]);
    expect(plan('SELECT count(*) FROM system_schema.tables').execute([], { pageSize: 1 })).toEqual({
      rows: [[bigint(4n)]],
    });
    expect(cells('SELECT min(table_name), max(table_name) FROM system_schema.tables')).toEqual([
      ['hits', 't'],
    ]);
  });

  it('filters by a bound list and by logical type', () => {
    const planned = plan(
      'SELECT table_name FROM system_schema.tables WHERE keyspace_name IN ? LIMIT ?',
    );
    expect(planned.variables).toEqual([
      {
        keyspace: 'system_schema',
        table: 'tables',
        name: 'in(keyspace_name)',
        type: {
          kind: 'list',
          element: { kind: 'native', name: 'text' },
          frozen: expect.any(Boolean) as boolean,
        },
      },
      {
        keyspace: 'system_schema',
        table: 'tables',
        name: '[limit]',
        type: { kind: 'native', name: 'int' },
      },
    ]);
    const bound = [list([text('shop'), text('other'), text('cqlock')]), int(3)];
    // Partitions of IN come in the order of their values.
    expect(planned.execute(bound, {}).rows.map((row) => decode(row[0] ?? null))).toEqual([
      't',
      'hits',
      'old',
    ]);
    expect(
      cells(
        "SELECT column_name FROM system_schema.columns WHERE type = 'set<text>' ALLOW FILTERING",
      ),
    ).toEqual([['tags']]);
  });

  it('does not find hidden columns whatever the filter', () => {
    expect(
      cells(
        "SELECT * FROM system_schema.columns WHERE keyspace_name='shop' AND table_name='orders' AND column_name='cqlock_i_note'",
      ),
    ).toEqual([]);
    expect(cells("SELECT * FROM system_schema.columns WHERE keyspace_name='cqlock'")).toEqual([]);
    expect(
      cells(
        "SELECT * FROM system_schema.columns WHERE column_name >= 'cqlock' AND column_name < 'cqlockz' ALLOW FILTERING",
      ),
    ).toEqual([]);
  });
});
