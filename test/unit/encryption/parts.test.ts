import { describe, expect, it } from 'vitest';
import { OpenBatch, SealBatch } from '../../../src/crypto/index.ts';
import { parseStatement } from '../../../src/cql/index.ts';
import type { ModificationStatement } from '../../../src/cql/index.ts';
import {
  bindConditions,
  bindWrite,
  MarkerRegistry,
  openRows,
  planWrite,
  roleOf,
  sealWrite,
  storedStatements,
} from '../../../src/encryption/index.ts';
import type {
  KnownKeys,
  StoredRole,
  TermContext,
  WritePlan,
} from '../../../src/encryption/index.ts';
import { columnForm } from '../../../src/schema/index.ts';
import type { ColumnEntry, Snapshot, TableEntry, TableKeys } from '../../../src/schema/index.ts';
import {
  native,
  packEntries,
  serializeList,
  serializeTuple,
  splitMap,
} from '../../../src/values/index.ts';
import type { CqlType, UdtType } from '../../../src/values/index.ts';
import { storedCells } from '../../support/stored_cells.ts';
import { encryptedTable } from '../../support/table_entry.ts';
import { pattern, tableKeys } from '../crypto/support.ts';

const keys = tableKeys(1);
const INT = native('int');
const TEXT = native('text');

const person: UdtType = {
  kind: 'udt',
  keyspace: 'ks',
  name: 'person',
  frozen: false,
  fields: [
    { name: 'name', type: TEXT },
    { name: 'pay', type: native('decimal') },
  ],
};

function entry(name: string, kind: ColumnEntry['kind'], type: CqlType, seed: number): ColumnEntry {
  const isKey = kind === 'partition' || kind === 'clustering';
  const form = isKey
    ? { scheme: kind === 'partition' ? 'partition' : 'ordered', storedType: 'blob', padded: false }
    : columnForm(type);
  return {
    id: pattern(16, seed),
    name,
    kind,
    position: 0,
    type,
    clusteringOrder: kind === 'clustering' ? 'asc' : undefined,
    ...form,
  } as ColumnEntry;
}

const list: CqlType = { kind: 'list', element: TEXT, frozen: false };
const set: CqlType = { kind: 'set', element: native('decimal'), frozen: false };
const map: CqlType = { kind: 'map', key: INT, value: TEXT, frozen: false };
const columns = [
  entry('pk', 'partition', INT, 1),
  entry('ck', 'clustering', INT, 2),
  entry('sm', 'static', map, 3),
  entry('l', 'regular', list, 4),
  entry('m', 'regular', map, 5),
  entry('s', 'regular', set, 6),
  entry('u', 'regular', person, 7),
  entry('v', 'regular', TEXT, 8),
];
const of = (kind: ColumnEntry['kind']): ColumnEntry[] => columns.filter((c) => c.kind === kind);
const table: TableEntry = {
  ...encryptedTable(pattern(16, 9), {} as TableKeys),
  partitionKey: of('partition'),
  clustering: of('clustering'),
  statics: of('static'),
  regulars: of('regular'),
  allColumns: columns,
  columns: new Map(columns.map((column) => [column.name, column])),
};
const snapshot = {
  udt: () => person,
  keyspace: () => ({ types: { get: () => person } }),
} as unknown as Snapshot;

const text = (value: string): Buffer => Buffer.from(value, 'utf8');
const int = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
};
const hexOf = (bytes: Uint8Array | null | undefined): string | null =>
  bytes === null || bytes === undefined ? null : Buffer.from(bytes).toString('hex');

function plan(cql: string): { plan: WritePlan; context: TermContext } {
  const { statement, constants, markers } = parseStatement(cql) as ReturnType<
    typeof parseStatement
  > & { readonly markers?: readonly never[] };
  return {
    plan: planWrite(
      statement as ModificationStatement,
      table,
      snapshot,
      new MarkerRegistry(markers ?? []),
    ),
    context: { binds: [], constants, functions: {} as TermContext['functions'] },
  };
}

/** Plans and seals a statement: the stored statements that Cassandra gets. */
function stored(cql: string): ReturnType<typeof storedStatements> {
  const planned = plan(cql);
  const batch = new SealBatch();
  const sealed = sealWrite(batch, keys, bindWrite(planned.plan, planned.context));
  batch.run();
  return storedStatements(batch, sealed, 4);
}

const ROW = 'WHERE pk = 1 AND ck = 2';

/** Opens the stored values of columns of the row (1, 2). */
function open(
  names: readonly string[],
  values: readonly (Uint8Array | null)[],
  key: ReturnType<typeof stored>[number]['known'],
): (Uint8Array | null)[] {
  const roles = names.map((name) => roleOf(table, table.columns.get(name) as ColumnEntry));
  const known: KnownKeys = { ...key, restrictions: [], storedRestrictions: [] };
  const cells = storedCells([values]);
  const batch = new OpenBatch();
  const rows = openRows(batch, keys, table, roles, names.length, known, cells);
  batch.run();
  return rows.rows()[0] ?? [];
}

function values(statement: ReturnType<typeof stored>[number] | undefined): (Uint8Array | null)[] {
  return (statement?.values ?? []).map((value) => (value instanceof Uint8Array ? value : null));
}

describe('columns of several cells', () => {
  const inserted = stored(
    "INSERT INTO ks.t (pk, ck, l, s, m, u) VALUES (1, 2, ['b', 'a', 'b'], {10, 2.00, 2.0}, {3: 'three', -1: 'minus'}, {pay: 7})",
  )[0];
  const [, , l = null, s = null, m = null, u = null] = values(inserted);
  const known = inserted?.known as ReturnType<typeof stored>[number]['known'];

  it('a row comes back as the logical values, sorted by value', () => {
    const opened = open(['l', 's', 'm', 'u'], [l, s, m, u], known);
    const decimal = (unscaled: number): Buffer => Buffer.concat([int(0), Buffer.of(unscaled)]);
    // The representative of 10: 1E+1.
    const ten = Buffer.concat([int(-1), Buffer.of(1)]);
    expect(opened.map(hexOf)).toEqual(
      [
        serializeList([text('b'), text('a'), text('b')]),
        serializeList([decimal(2), ten]),
        packEntries([
          [int(-1), text('minus')],
          [int(3), text('three')],
        ]),
        serializeTuple([null, decimal(7)]),
      ].map(hexOf),
    );
  });

  it('write times follow the order of the values', () => {
    const column = table.columns.get('m') as ColumnEntry;
    const roles: StoredRole[] = [{ kind: 'times', width: 8, of: column }, roleOf(table, column)];
    const time = (value: number): Buffer => Buffer.concat([int(0), int(value)]);
    const order = splitMap(m as Uint8Array).map(([key]) => hexOf(key));
    const [three] = values(stored(`UPDATE ks.t SET m[3] = 'x' ${ROW}`)[0]);
    const times = order.map((key) => (key === hexOf(three) ? time(3) : time(1)));
    const read = (list: Uint8Array | null): (Uint8Array | null)[] => {
      const batch = new OpenBatch();
      const known_ = { ...known, restrictions: [], storedRestrictions: [] };
      const rows = openRows(batch, keys, table, roles, 1, known_, storedCells([[list, m]]));
      batch.run();
      return rows.rows()[0] ?? [];
    };
    expect(read(serializeList(times)).map(hexOf)).toEqual([
      hexOf(serializeList([time(1), time(3)])),
    ]);
    const foreign = expect.objectContaining({ code: 'METADATA_FOREIGN_RESULT' });
    expect(() => read(serializeList(times.slice(1)))).toThrow(foreign);
    expect(() => read(serializeList([int(1), int(2)]))).toThrow(foreign);
    expect(() => read(Buffer.of(1))).toThrow(foreign);
  });

  it('null columns stay null', () => {
    expect(open(['l', 's', 'm', 'u'], [null, null, null, null], known)).toEqual([
      null,
      null,
      null,
      null,
    ]);
  });

  it('equal elements have equal bytes, so that they are found again', () => {
    const [removal] = stored(`UPDATE ks.t SET s = s - {2.000} ${ROW}`);
    expect(removal?.text).toBe('UPDATE ks.t SET s = s - ? WHERE pk = ? AND ck = ?');
    const element = hexOf(values(removal)[0])?.slice(16);
    expect(hexOf(s)).toContain(element);
    const [entryOf] = stored(`UPDATE ks.t SET m[3] = 'other' ${ROW}`);
    expect(hexOf(m)).toContain(hexOf(values(entryOf)[0]));
    const [keysOf] = stored(`UPDATE ks.t SET m = m - {3} ${ROW}`);
    expect(hexOf(values(keysOf)[0])).toContain(hexOf(values(entryOf)[0]));
    const [deleted] = stored(`DELETE m[3] FROM ks.t ${ROW}`);
    expect(hexOf(values(deleted)[0])).toBe(hexOf(values(entryOf)[0]));
    const [listed] = stored(`UPDATE ks.t SET l = l - ['a'] ${ROW}`);
    expect(hexOf(l)).toContain(hexOf(values(listed)[0])?.slice(16));
  });

  it('an entry set alone opens under its key', () => {
    const [statement] = stored(`UPDATE ks.t SET m[3] = 'other' ${ROW}`);
    const [key, value] = values(statement) as [Uint8Array, Uint8Array];
    const [opened] = open(['m'], [packEntries([[key, value]])], known);
    expect(hexOf(opened)).toBe(hexOf(packEntries([[int(3), text('other')]])));
  });

  it('moved parts are refused: another row, another column, another key, another field', () => {
    const other = stored(
      "INSERT INTO ks.t (pk, ck, l, s, m, u) VALUES (1, 3, ['b'], {2}, {3: 'x', 4: 'y'}, {name: 'n', pay: 1})",
    )[0];
    const [, , l3 = null, s3 = null, m3 = null, u3 = null] = values(other);
    const tag = expect.objectContaining({ code: 'CIPHERTEXT_TAG' });
    for (const [name, value] of [
      ['l', l3],
      ['s', s3],
      ['m', m3],
      ['u', u3],
      ['l', s],
      ['s', l],
    ] as const) {
      expect(() => open([name], [value], known), name).toThrow(tag);
    }
    const at3 = other?.known as typeof known;
    const parts = Buffer.from(m3 as Uint8Array);
    const lengths = [4, 0, 0, 0];
    const cut: Buffer[] = [];
    let at = lengths[0] as number;
    while (at < parts.length) {
      const size = parts.readInt32BE(at);
      cut.push(parts.subarray(at + 4, at + 4 + size));
      at += 4 + size;
    }
    const [k1, v1, k2, v2] = cut as [Buffer, Buffer, Buffer, Buffer];
    expect(() =>
      open(
        ['m'],
        [
          packEntries([
            [k1, v1],
            [k2, v2],
          ]),
        ],
        at3,
      ),
    ).not.toThrow();
    expect(() =>
      open(
        ['m'],
        [
          packEntries([
            [k1, v2],
            [k2, v1],
          ]),
        ],
        at3,
      ),
    ).toThrow(tag);
    const udt = Buffer.from(u3 as Uint8Array);
    const size = udt.readInt32BE(0);
    const name = udt.subarray(4, 4 + size);
    expect(() => open(['u'], [serializeTuple([null, name])], at3)).toThrow(
      expect.objectContaining({ code: 'CIPHERTEXT_SUITE' }),
    );
  });

  it('bytes that are no collection are an error, at every length', () => {
    for (const [name, value] of [
      ['l', l],
      ['m', m],
      ['u', u],
    ] as const) {
      const whole = value as Uint8Array;
      for (let length = 0; length < whole.length; length++) {
        // A user type may end after any field.
        if (name === 'u' && (length === 0 || length === 4)) continue;
        expect(
          () => open([name], [whole.subarray(0, length)], known),
          `${name} ${length}`,
        ).toThrow();
      }
      expect(() => open([name], [Buffer.concat([whole, Buffer.of(0)])], known)).toThrow();
    }
  });

  it('static columns belong to the partition, and rows to each statement of IN', () => {
    const [first] = stored("UPDATE ks.t SET sm[1] = 's' WHERE pk = 1");
    const [again] = stored("UPDATE ks.t SET sm[1] = 't' WHERE pk = 1");
    const [elsewhere] = stored("UPDATE ks.t SET sm[1] = 't' WHERE pk = 2");
    expect(hexOf(values(first)[0])).toBe(hexOf(values(again)[0]));
    expect(hexOf(values(first)[0])).not.toBe(hexOf(values(elsewhere)[0]));
    const rows = stored('DELETE m[3] FROM ks.t WHERE pk = 1 AND ck IN (2, 3)');
    expect(rows.length).toBe(2);
    expect(new Set(rows.map((row) => hexOf(values(row)[0]))).size).toBe(2);
  });

  it.each([
    ["l[0] = 'b'", true],
    ["l[2] = 'b' AND l[1] != 'b'", true],
    ['l[3] = null', true],
    ["l[3] = 'b'", false],
    ["l CONTAINS 'a'", true],
    ["l CONTAINS 'c'", false],
    ['m CONTAINS KEY 3', true],
    ["m CONTAINS 'three'", true],
    ["m[3] > 'three'", false],
    ["m[3] IN ('x', 'three')", true],
    ["m[4] IN ('x', null)", true],
    ['s = {2, 1E1}', true],
    ['u.name = null AND u.pay >= 7.0', true],
    ["u = {name: 'x'}", false],
    ["l > ['b', 'a']", true],
    ['l = []', false],
    ['l != []', true],
    ["l IN ([], ['x'])", false],
  ])('IF %s: %s', (condition, expected) => {
    const planned = plan(`UPDATE ks.t SET v = 'x' ${ROW} IF ${condition}`);
    const opened = open(['l', 's', 'm', 'u'], [l, s, m, u], known);
    const cell = (name: string): Uint8Array | null =>
      opened[['l', 's', 'm', 'u'].indexOf(name)] ?? null;
    const holds = bindConditions(planned.plan, planned.context).every((condition_, index) =>
      condition_(cell(planned.plan.conditions[index]?.column.name ?? '')),
    );
    expect(holds).toBe(expected);
  });

  it('an absent collection is null', () => {
    for (const [condition, expected] of [
      ['l = []', true],
      ['l != []', false],
      ["l < ['a']", false],
      ["l != ['a']", true],
      ['l = null', true],
      ['m = {}', true],
      ['u = null', true],
      ['u.name = null', true],
    ] as const) {
      const planned = plan(`UPDATE ks.t SET v = 'x' ${ROW} IF ${condition}`);
      const [bound] = bindConditions(planned.plan, planned.context);
      expect(bound?.(null), condition).toBe(expected);
    }
  });
});
