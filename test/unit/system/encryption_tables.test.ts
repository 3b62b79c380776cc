import { describe, expect, it } from 'vitest';
import { parseStatement } from '../../../src/cql/index.ts';
import type { SelectStatement } from '../../../src/cql/index.ts';
import type { TableRecord } from '../../../src/schema/index.ts';
import { planVirtualSelect, SystemTables } from '../../../src/system/index.ts';
import type { AuditRow, EncryptionStatus, VirtualTable } from '../../../src/system/index.ts';
import { bool, double, uuid } from './cql_bytes.ts';
import { bigint, decode, IDENTITY, int, makeSnapshot, map, ORDERS, text } from './support.ts';

const PROCESS = '11111111-2222-4333-8444-555555555555';
const DAY = 86_400_000;

function auditRow(seq: number, atMs: number, changes: Partial<AuditRow['event']> = {}): AuditRow {
  return {
    atMs,
    seq,
    processId: PROCESS,
    event: {
      operation: 'Decrypt',
      key: 'arn:1',
      target_key: null,
      provider: 'embedded',
      context: { b: '2', a: '1' },
      keyspace: 'shop',
      table: 'orders',
      origin: 'client',
      principal: 'alice',
      result: 'ok',
      error: null,
      duration_ms: 1.5,
      ...changes,
    },
  };
}

const STATUS: EncryptionStatus = {
  audit: () => [
    auditRow(9, 20_000 * DAY + 5, { result: 'refused', error: 'KEY_DISABLED' }),
    auditRow(8, 20_000 * DAY + 4),
    auditRow(7, 19_999 * DAY, { key: null, context: {} }),
  ],
  keyUse: () =>
    new Map([
      ['arn:1', { provider: 'embedded', atMs: 77, result: 'refused', error: 'KEY_DISABLED' }],
      ['arn:0', { provider: 'aws', atMs: 78, result: 'unavailable', error: 'KEY_KMS' }],
    ]),
  jobs: () => [
    {
      id: PROCESS,
      kind: 'rotate',
      keyspace: 'shop',
      table: 'orders',
      state: 'running',
      done: 5,
      total: undefined,
      startedAtMs: 1,
      updatedAtMs: 2,
      error: undefined,
    },
  ],
};

const RECORD = {
  state: 'ACTIVE',
  createdAtMs: 123,
  keys: {
    provider: 'embedded',
    keyArn: 'arn:1',
    serviceOwned: false,
    tableKeys: [{ version: 1 }, { version: 3 }],
    deks: [
      { structure: 'key', epoch: 1, state: 'active' },
      { structure: 'cell', epoch: 1, state: 'decrypt_only' },
      { structure: 'cell', epoch: 2, state: 'active' },
    ],
    minEpoch: 1,
  },
} as unknown as TableRecord;

function tables(encryption: EncryptionStatus | undefined = STATUS): SystemTables {
  const snapshot = makeSnapshot({ orders: { ...ORDERS, record: RECORD } });
  return new SystemTables({
    raw: (keyspace, table) => snapshot.raw(keyspace, table),
    snapshot: () => snapshot,
    ...(encryption === undefined ? {} : { encryption }),
  });
}

function select(cql: string): (Uint8Array | null)[][] {
  const statement = parseStatement(cql).statement as SelectStatement;
  const { keyspace, name } = statement.table;
  const table = tables().resolve(keyspace?.text ?? '', name.text, IDENTITY) as VirtualTable;
  const { rows } = planVirtualSelect(statement, table).execute([], {});
  return rows.map((row) => row.map((cell) => cell && Buffer.from(cell)));
}

describe('system_encryption', () => {
  it('has tables that only readers of roles may read, and no others', () => {
    for (const name of ['audit', 'jobs', 'keys', 'tables']) {
      const table = tables().resolve('system_encryption', name, IDENTITY);
      expect(table).toMatchObject({ isRestricted: true, filtersFreely: true });
    }
    expect(tables().resolve('system_encryption', 'other', IDENTITY)).toBeUndefined();
    const none = new SystemTables({ raw: () => undefined, snapshot: () => makeSnapshot() });
    expect(none.resolve('system_encryption', 'audit', IDENTITY)).toBeUndefined();
  });

  it('shows an event in all its columns', () => {
    expect(select('SELECT * FROM system_encryption.audit LIMIT 1')).toEqual([
      [
        Buffer.from('80004e20', 'hex'),
        bigint(20_000n * 86_400_000n + 5n),
        uuid(PROCESS),
        bigint(9n),
        Buffer.from(
          map([
            [text('a'), text('1')],
            [text('b'), text('2')],
          ]),
        ),
        double(1.5),
        text('KEY_DISABLED'),
        text('arn:1'),
        text('shop'),
        text('Decrypt'),
        text('client'),
        text('alice'),
        text('embedded'),
        text('refused'),
        text('orders'),
        null,
      ].map((cell) => cell && Buffer.from(cell)),
    ]);
  });

  it('is asked by day, by time, and by any column', () => {
    const seqs = (where: string) =>
      select(`SELECT seq FROM system_encryption.audit WHERE ${where}`).map(([seq]) =>
        Number(Buffer.from(seq ?? []).readBigInt64BE()),
      );
    expect(seqs("day = '2024-10-04'")).toEqual([9, 8]);
    expect(seqs("day = '2024-10-04' AND at < '2024-10-04T00:00:00.005Z'")).toEqual([8]);
    expect(seqs("error = 'KEY_DISABLED'")).toEqual([9]);
    expect(seqs("table_name = 'orders' AND result = 'ok'")).toEqual([8, 7]);
  });

  it('shows every user table, encrypted or not', () => {
    const rows = select(
      'SELECT keyspace_name, table_name, state, encryption_type, key_arn, table_key_version, cell_epoch, min_epoch FROM system_encryption.tables',
    );
    expect(rows.map((row) => row.slice(0, 5).map(decode))).toEqual([
      ['other', 't', 'broken', null, null],
      ['shop', 'hits', 'encrypted', null, null],
      ['shop', 'old', 'plain', null, null],
      ['shop', 'orders', 'ACTIVE', 'CUSTOMER_MANAGED_KMS_KEY', 'arn:1'],
    ]);
    expect(rows[3]?.slice(5)).toEqual([int(3), int(2), int(1)].map((cell) => Buffer.from(cell)));
  });

  it('shows keys of tables and keys that were used, with what the last use says', () => {
    const rows = select(
      'SELECT key_arn, provider, state, last_error, service_owned, tables FROM system_encryption.keys',
    );
    expect(rows.map((row) => row.slice(0, 4).map(decode))).toEqual([
      ['arn:0', 'aws', 'unavailable', 'KEY_KMS'],
      ['arn:1', 'embedded', 'disabled', 'KEY_DISABLED'],
    ]);
    expect(rows.map((row) => row.slice(4))).toEqual([
      [null, Buffer.from(int(0))],
      [Buffer.from(bool(false)), Buffer.from(int(1))],
    ]);
  });

  it('shows jobs', () => {
    expect(select('SELECT kind, state, done, total FROM system_encryption.jobs')).toEqual([
      [text('rotate'), text('running'), bigint(5n), null].map((cell) => cell && Buffer.from(cell)),
    ]);
  });

  it('is told of in system_virtual_schema', () => {
    const shown = select(
      "SELECT column_name, kind, position, clustering_order, type FROM system_virtual_schema.columns WHERE keyspace_name = 'system_encryption' AND table_name = 'audit'",
    ).map((row) => [row[0], row[1], row[3], row[4]].map((cell) => decode(cell)).join(' '));
    expect(shown).toHaveLength(16);
    expect(shown).toEqual(
      expect.arrayContaining([
        'at clustering desc timestamp',
        'day partition_key none date',
        'context regular none map<text, text>',
      ]),
    );
  });
});
