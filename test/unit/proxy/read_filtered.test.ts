import { describe, expect, it } from 'vitest';
import { SealBatch } from '../../../src/crypto/index.ts';
import { CryptoTicks, roleOf } from '../../../src/encryption/index.ts';
import type { Row } from '../../../src/encryption/index.ts';
import { columnContext } from '../../../src/encryption/table_columns.ts';
import { readFilteredRows } from '../../../src/proxy/read_stored.ts';
import type { ReadJob } from '../../../src/proxy/read_stored.ts';
import type { ColumnEntry, TableEntry, TableKeys } from '../../../src/schema/index.ts';
import { native } from '../../../src/values/index.ts';
import { Consistency, Opcode, RowsWriter } from '../../../src/wire/index.ts';
import { encryptedTable } from '../../support/table_entry.ts';
import { pattern, tableKeys } from '../crypto/support.ts';
import { systemTurnEnds } from '../../../src/util/index.ts';

const KEYS = tableKeys(1);

function column(name: string, kind: ColumnEntry['kind'], seed: number): ColumnEntry {
  return {
    id: pattern(16, seed),
    name,
    kind,
    position: 0,
    type: native('text'),
    scheme: kind === 'clustering' ? 'ordered' : undefined,
    clusteringOrder: kind === 'clustering' ? 'asc' : undefined,
    padded: false,
  } as unknown as ColumnEntry;
}

const [PK, CK, V, W] = [
  column('pk', 'partition', 1),
  column('ck', 'clustering', 2),
  column('v', 'regular', 3),
  column('w', 'regular', 4),
] as const;
const COLUMNS = [CK, V, W];
const TABLE: TableEntry = {
  ...encryptedTable(pattern(16, 9), {} as TableKeys),
  partitionKey: [PK],
  clustering: [CK],
  regulars: [V, W],
  columns: new Map([PK, CK, V, W].map((one) => [one.name, one])),
};
const LOGICAL = Buffer.from('key');

/** Rows `c<n>`, v `v<n>`, w `w<n>` of one partition, as they are stored. */
function storedRows(count: number): { partition: Buffer; rows: Buffer[][] } {
  const batch = new SealBatch();
  const partition = batch.partition(KEYS, [{ context: columnContext(TABLE, PK), value: LOGICAL }]);
  const handles = Array.from({ length: count }, (_, n) => {
    const text = (name: string): Buffer => Buffer.from(`${name}${String(n)}`);
    const key = batch.clustering(partition, columnContext(TABLE, CK), text('c'));
    const row = batch.row(partition, [key]);
    return {
      key,
      cells: [V, W].map((one) => batch.cell(row, columnContext(TABLE, one), text(one.name))),
    };
  });
  batch.run();
  return {
    partition: Buffer.from(batch.partitionComponents(partition)[0] as Uint8Array),
    rows: handles.map(({ key, cells }) =>
      [batch.clusteringBytes(key), ...cells.map((cell) => batch.cellBytes(cell))].map((bytes) =>
        Buffer.from(bytes),
      ),
    ),
  };
}

const STORED = storedRows(5);

/** Reads rows as Cassandra sends them, filtered by v. */
async function read(rows: readonly Buffer[][], wanted: readonly string[]): Promise<string[]> {
  const specs = COLUMNS.map(({ name }) => ({
    keyspace: 'ks',
    table: 't',
    name,
    type: native('blob'),
  }));
  const writer = new RowsWriter({ columns: specs, noMetadata: true }, 4);
  for (const row of rows) for (const cell of row) writer.writeCell(cell);
  const body = writer.finish();
  const job = {
    session: {
      version: 4,
      node: {
        request: () =>
          Promise.resolve({
            version: 4,
            isResponse: true,
            flags: 0,
            streamId: 0,
            opcode: Opcode.RESULT,
            body,
          }),
      },
      leases: { acquire: () => KEYS },
      services: {
        ticks: new CryptoTicks(systemTurnEnds),
        catalog: { ageMs: () => 0, snapshot: () => ({ table: () => TABLE }) },
        catalogMaxAgeMs: 1,
        stored: { known: () => ({ id: Buffer.of(1) }) },
        metrics: { addCellsDecrypted: () => undefined },
      },
    },
    request: {
      options: { consistency: Consistency.ONE, values: [], skipMetadata: false },
      flags: 0,
      onUpstreamMs: () => undefined,
    },
    bound: {
      plan: {
        table: TABLE,
        roles: COLUMNS.map((one) => roleOf(TABLE, one)),
        columns: COLUMNS,
        orderBy: [],
        counts: [],
      },
    },
  } as unknown as ReadJob;
  const known = {
    partition: { logical: [LOGICAL], stored: [STORED.partition] },
    clustering: undefined,
    restrictions: [],
    storedRestrictions: [],
  };
  const accepts = (row: Row): boolean => {
    expect([row[0], row[2]]).toEqual([null, null]);
    return wanted.includes(Buffer.from(row[1] as Uint8Array).toString());
  };
  const page = await readFilteredRows(
    job,
    { text: '', values: [], known },
    { limit: undefined, pageSize: 10, upstream: undefined, flags: 0 },
    { slots: new Set([1]), accepts },
  );
  return page.rows.map((row) =>
    row === undefined
      ? '-'
      : row.map((cell) => Buffer.from(cell ?? Buffer.alloc(0)).toString()).join(' '),
  );
}

function forged(row: number, cell: number): Buffer[][] {
  const rows = STORED.rows.map((one) => one.map((bytes) => Buffer.from(bytes)));
  const bytes = rows[row]?.[cell] as Buffer;
  bytes[bytes.length - 5] = (bytes[bytes.length - 5] as number) ^ 1;
  return rows;
}

describe('rows that are tested before the rest of them is decrypted', () => {
  it('keep their places; those that pass are whole', async () => {
    expect(await read(STORED.rows, ['v1', 'v4'])).toEqual(['-', 'c1 v1 w1', '-', '-', 'c4 v4 w4']);
    expect(await read(STORED.rows, [])).toEqual(['-', '-', '-', '-', '-']);
    expect(await read([], ['v1'])).toEqual([]);
  });

  it.each([0, 1, 2])('that pass are authenticated in every column: %i', async (cell) => {
    await expect(read(forged(1, cell), ['v1'])).rejects.toMatchObject({
      code: expect.stringMatching(/^CIPHERTEXT_/) as string,
    });
  });

  it('are refused by genuine cells of genuine rows only', async () => {
    for (const cell of [0, 1]) {
      await expect(read(forged(1, cell), ['v4'])).rejects.toMatchObject({ code: 'CIPHERTEXT_TAG' });
    }
    expect(await read(forged(1, 2), ['v4'])).toEqual(['-', '-', '-', '-', 'c4 v4 w4']);
  });
});
