/** The statements that rows with columns of several cells become, and what is written again. */
import { describe, expect, it } from 'vitest';
import { indexPath } from '../../../src/backup/cell_columns.ts';
import type { BackupCell, BackupRow } from '../../../src/backup/chunk.ts';
import type { RowConnection } from '../../../src/backup/context.ts';
import { RowSink } from '../../../src/backup/row_sink.ts';
import { RowStatements } from '../../../src/backup/row_statements.ts';
import { UpstreamError } from '../../../src/errors/index.ts';
import type { ColumnRecord, TypeRecord } from '../../../src/schema/index.ts';
import { UNSET } from '../../../src/upstream/index.ts';
import type { ControlStatement } from '../../../src/upstream/index.ts';
import { fakeClock } from '../../support/fake_clock.ts';

const column = (
  name: string,
  kind: ColumnRecord['kind'],
  scheme: ColumnRecord['scheme'],
  type = 'int',
): ColumnRecord =>
  ({
    name,
    kind,
    scheme,
    type,
    position: 0,
    id: '',
    storedType: 'blob',
  }) as unknown as ColumnRecord;

const TABLE = {
  keyspace: 'ks',
  name: 't',
  columns: [
    column('pk', 'partition', 'partition'),
    column('ck', 'clustering', 'ordered'),
    column('v', 'regular', 'cell'),
    column('l', 'regular', 'list'),
    column('s', 'regular', 'set'),
    column('m', 'static', 'map'),
    column('u', 'regular', 'fields', '"Address"'),
  ],
  types: [{ name: 'Address', fields: [{ name: 'a' }, { name: 'B' }] } as unknown as TypeRecord],
  cellColumns: ['v', 'l', 's', 'm', 'u'],
  emptyRowTime: 77n,
};
const [V, L, S, M, U] = [0, 1, 2, 3, 4];
const NOW = 1000;
const bytes = (text: string): Buffer => Buffer.from(text);
const cell = (
  at: number,
  path: Uint8Array | undefined,
  value: string,
  writeTime: bigint,
  expiresAt = 0,
): BackupCell => ({ column: at, path, value: bytes(value), writeTime, expiresAt });
const row = (...cells: BackupCell[]): BackupRow => ({
  partition: [bytes('p')],
  clustering: [bytes('c')],
  cells,
});
const list = (...elements: [string, bigint, number?][]): BackupRow =>
  row(...elements.map(([value, at, expires], i) => cell(L, indexPath(i), value, at, expires)));
const ROW = 'WHERE pk = ? AND ck = ?';
const KEY = [bytes('p'), bytes('c')];
const APPEND = `UPDATE ks.t USING TIMESTAMP ? AND TTL ? SET l = l + ? ${ROW}`;
const REMOVE = `DELETE l FROM ks.t USING TIMESTAMP ? ${ROW}`;

describe('the statements of a row', () => {
  const statements = new RowStatements(TABLE);

  it('add elements by their write times, and make no tombstone', () => {
    const found = statements.of(
      row(
        cell(V, undefined, 'v', 5n),
        cell(S, bytes('x'), '', 5n),
        cell(S, bytes('y'), '', 6n, NOW + 50),
        cell(S, bytes('z'), '', 5n),
        cell(S, bytes('gone'), '', 5n, NOW),
        cell(U, indexPath(1), 'b', 5n),
        cell(U, indexPath(0), 'a', 9n),
      ),
      NOW,
    );
    const add = `UPDATE ks.t USING TIMESTAMP ? AND TTL ? SET s = s + ? ${ROW}`;
    const update = `UPDATE ks.t USING TIMESTAMP ? AND TTL ? SET v = ?, u.a = ?, u."B" = ? ${ROW}`;
    expect(found).toEqual([
      { query: add, params: [5n, 0, [bytes('x'), bytes('z')], ...KEY] },
      { query: add, params: [6n, 50, [bytes('y')], ...KEY] },
      { query: update, params: [5n, 0, UNSET, UNSET, bytes('b'), ...KEY] },
      { query: update, params: [9n, 0, UNSET, bytes('a'), UNSET, ...KEY] },
      {
        query: 'INSERT INTO ks.t (pk, ck, v) VALUES (?, ?, ?) USING TIMESTAMP ? AND TTL ?',
        params: [...KEY, bytes('v'), 5n, 0],
      },
    ]);
  });

  it('give entries of a static map as a map', () => {
    const statics: BackupRow = {
      partition: [bytes('p')],
      clustering: undefined,
      cells: [cell(M, bytes('k'), 'v', 3n), cell(M, bytes('l'), 'w', 3n)],
    };
    expect(statements.of(statics, NOW)).toEqual([
      {
        query: 'UPDATE ks.t USING TIMESTAMP ? AND TTL ? SET m = m + ? WHERE pk = ?',
        params: [
          3n,
          0,
          new Map([
            [bytes('k'), bytes('v')],
            [bytes('l'), bytes('w')],
          ]),
          bytes('p'),
        ],
      },
    ]);
  });

  it('do not bring back a row whose elements have all expired', () => {
    const gone = row(cell(S, bytes('x'), '', 5n, NOW), cell(L, indexPath(0), 'e', 5n, NOW - 1));
    expect(statements.of(gone, NOW)).toEqual([]);
    expect(statements.lists(gone, NOW)).toEqual([]);
  });

  it('append a list in its order, each run of elements with its own times', () => {
    const [write] = statements.lists(
      list(['a', 9n], ['b', 9n], ['c', 3n, NOW + 5], ['x', 1n, NOW], ['d', 9n]),
      NOW,
    );
    const runs = [
      [0, [bytes('a'), bytes('b')]],
      [5, [bytes('c')]],
      [0, [bytes('d')]],
    ] as const;
    expect(write?.statements(0n)).toEqual(
      runs.map(([ttl, added]) => ({
        query: APPEND,
        params: [ttl === 5 ? 3n : 9n, ttl, added, ...KEY],
      })),
    );
    expect(write?.statements(4n)).toEqual([
      { query: REMOVE, params: [12n, ...KEY] },
      ...runs.map(([ttl, added]) => ({ query: APPEND, params: [13n, ttl, added, ...KEY] })),
    ]);
  });

  it('are refused for a column of another way', () => {
    const columns = TABLE.columns.map((one) =>
      one.name === 's' ? { ...one, scheme: 'new' } : one,
    );
    expect(() => new RowStatements({ ...TABLE, columns: columns as ColumnRecord[] })).toThrow(
      /column s of type int, which is stored in a way/,
    );
  });
});

describe('the writing of lists', () => {
  async function written(mayBeThere: boolean, failures: number): Promise<ControlStatement[][]> {
    const batches: ControlStatement[][] = [];
    const clock = fakeClock();
    let left = failures;
    const connection = {
      writePartition: () => Promise.resolve(),
      executeUnlogged: (statements: readonly ControlStatement[], consistency: string) => {
        expect(consistency).toBe('quorum');
        batches.push([...statements]);
        left -= 1;
        if (left < 0) return Promise.resolve();
        queueMicrotask(() => setImmediate(() => clock.advance(60_000)));
        return Promise.reject(new UpstreamError('UPSTREAM_RESPONSE', 'no answer'));
      },
    } as unknown as RowConnection;
    const sink = new RowSink(connection, clock, TABLE);
    await sink.add(list(['a', 9n], ['b', 3n]), mayBeThere);
    await sink.flush();
    return batches;
  }
  const timeOf = (batch: readonly ControlStatement[] | undefined): unknown => batch?.[0]?.params[0];

  it('keeps write times where nothing can be there', async () => {
    const [only, ...more] = await written(false, 0);
    expect(more).toEqual([]);
    expect(only?.map(({ query, params }) => [query, params[0]])).toEqual([
      [APPEND, 9n],
      [APPEND, 3n],
    ]);
  });

  it('deletes what may be there, and what came of attempts before', async () => {
    const [only] = await written(true, 0);
    expect(only?.map(({ query }) => query)).toEqual([REMOVE, APPEND, APPEND]);
    expect(timeOf(only)).toBeGreaterThanOrEqual(9n);
    const batches = await written(false, 2);
    expect(batches.map((batch) => batch[0]?.query)).toEqual([APPEND, REMOVE, REMOVE]);
    const [, second, third] = batches;
    // The last one deletes all that the one before wrote.
    expect(timeOf(third)).toBeGreaterThanOrEqual(second?.[1]?.params[0] as bigint);
    expect(third?.[1]?.params[0]).toBe((timeOf(third) as bigint) + 1n);
    expect(third?.[2]?.params[0]).toBe((timeOf(third) as bigint) + 1n);
  });
});
