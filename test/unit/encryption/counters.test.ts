import { describe, expect, it } from 'vitest';
import { counterBytes, counterValue } from '../../../src/encryption/counter_plan.ts';
import { counterPartitions } from '../../../src/encryption/counter_rows.ts';
import type { WritePlan } from '../../../src/encryption/write_plan.ts';
import type { BoundWrite } from '../../../src/encryption/write_seal.ts';
import type { ColumnEntry, TableEntry } from '../../../src/schema/index.ts';
import { native } from '../../../src/values/index.ts';
import { UNSET } from '../../../src/wire/index.ts';
import { encryptedTable } from '../../support/table_entry.ts';

function column(name: string, kind: ColumnEntry['kind'], type: 'int' | 'counter'): ColumnEntry {
  return {
    name,
    id: Buffer.alloc(16, name),
    kind,
    position: 0,
    type: native(type),
    padded: false,
    clusteringOrder: 'asc',
    scheme: 'cell',
    storedType: 'blob',
  };
}

const [PK, CK, S, C, D] = [
  column('pk', 'partition', 'int'),
  column('ck', 'clustering', 'int'),
  column('s', 'static', 'counter'),
  column('c', 'regular', 'counter'),
  column('d', 'regular', 'counter'),
] as const;
const TABLE: TableEntry = {
  ...encryptedTable(Buffer.alloc(16, 1), { cells: [] } as never),
  partitionKey: [PK],
  clustering: [CK],
  allColumns: [PK, CK, S, C, D],
};

function write(
  pk: number,
  ck: number | undefined,
  add: readonly (readonly [ColumnEntry, bigint | typeof UNSET])[],
): BoundWrite {
  const plan = {
    table: TABLE,
    clustering: ck === undefined ? [] : [{ columns: [CK], operator: '=' }],
    cells: add.map(([cell]) => ({ column: cell })),
    counter: 'increments',
  } as unknown as WritePlan;
  return {
    plan,
    partitions: [[Buffer.of(pk)]],
    clustering: ck === undefined ? [] : [[[Buffer.of(ck)]]],
    cells: add.map(([, value]) => (value === UNSET ? UNSET : counterBytes(value))),
    cellKeys: [],
    plain: [],
  };
}

const told = (writes: readonly BoundWrite[]): unknown =>
  counterPartitions(writes).map(({ rows }) =>
    rows.map(({ plan, clustering, increments }) => ({
      row: clustering.map((value) => value[0]),
      add: plan.conditionColumns.map(({ name }, index) => [name, increments[index]]),
    })),
  );

describe('counters', () => {
  it.each([0n, 1n, -1n, 2n ** 63n - 1n, -(2n ** 63n)])('%s is 8 bytes and back', (value) => {
    expect(counterValue(counterBytes(value))).toBe(value);
  });

  it('wrap at 64 bits', () => {
    expect(counterValue(counterBytes(2n ** 63n))).toBe(-(2n ** 63n));
    expect(counterValue(counterBytes(-(2n ** 63n) - 1n))).toBe(2n ** 63n - 1n);
  });

  it('of one row are added up, statics by partition', () => {
    expect(
      told([
        write(1, 1, [
          [C, 1n],
          [S, 10n],
        ]),
        write(1, 1, [
          [D, 5n],
          [C, -3n],
        ]),
        write(1, 2, [
          [C, 7n],
          [S, 20n],
        ]),
        write(1, undefined, [[S, 100n]]),
        write(2, 1, [[C, 1n]]),
      ]),
    ).toEqual([
      [
        {
          row: [1],
          add: [
            ['c', -2n],
            ['d', 5n],
          ],
        },
        { row: [], add: [['s', 130n]] },
        { row: [2], add: [['c', 7n]] },
      ],
      [{ row: [1], add: [['c', 1n]] }],
    ]);
  });

  it('that are unset are left alone', () => {
    expect(
      told([
        write(1, 1, [
          [C, UNSET],
          [D, 2n],
        ]),
        write(2, 1, [[C, UNSET]]),
      ]),
    ).toEqual([[{ row: [1], add: [['d', 2n]] }]]);
  });

  it('are set only if all of them are what was read', () => {
    const [partition] = counterPartitions([write(1, 1, [[C, 1n]])]);
    expect(partition?.rows[0]?.plan.storedText).toBe(
      'UPDATE ks.t SET c = ? WHERE pk = ? AND ck = ? IF c = ?',
    );
  });
});
