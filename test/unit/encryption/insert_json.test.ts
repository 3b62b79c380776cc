import { describe, expect, it } from 'vitest';
import { parseStatement } from '../../../src/cql/index.ts';
import { compileJson } from '../../../src/encryption/insert_json.ts';
import { MarkerRegistry } from '../../../src/encryption/markers.ts';
import type { TermContext } from '../../../src/encryption/terms.ts';
import { planWrite } from '../../../src/encryption/plan_write.ts';
import type { WritePlan } from '../../../src/encryption/write_plan.ts';
import { bindWrite } from '../../../src/encryption/write_seal.ts';
import type { ColumnEntry, Snapshot, TableKeys } from '../../../src/schema/index.ts';
import { native, resolveTypeName } from '../../../src/values/index.ts';
import type { CqlType } from '../../../src/values/index.ts';
import { UNSET } from '../../../src/wire/index.ts';
import type { BoundValue } from '../../../src/wire/index.ts';
import { encryptedTable } from '../../support/table_entry.ts';
import { CONTEXT } from '../functions/vector_checks.ts';

function column(name: string, type: CqlType): ColumnEntry {
  return {
    name,
    id: new Uint8Array(16),
    kind: name === 'k' ? 'partition' : 'regular',
    position: 0,
    type,
    clusteringOrder: undefined,
    scheme: 'cell',
    padded: false,
    storedType: 'blob',
  };
}

const COLUMNS = [
  column('k', native('int')),
  column('t', native('text')),
  column('Q', native('text')),
  column('l', { kind: 'list', element: native('int'), frozen: true }),
];
const TABLE = encryptedTable(new Uint8Array(16), {} as TableKeys);

/** The values of all columns after `INSERT INTO t <json>`. */
function insert(json: string, binds: readonly BoundValue[] = []): BoundValue[] {
  const parsed = parseStatement(`INSERT INTO ks.t ${json}`);
  if (parsed.statement.kind !== 'insert' || parsed.statement.json === undefined) {
    throw new TypeError('no INSERT JSON');
  }
  const compiled = compileJson(parsed.statement.json, TABLE, COLUMNS, {
    markers: new MarkerRegistry(parsed.bindMarkers),
    types: (name) => resolveTypeName(name, { keyspace: 'ks', udt: () => undefined }),
  });
  const context: TermContext = { binds, constants: parsed.constants, functions: CONTEXT };
  return compiled.map(({ source }) => source(context));
}

/** The plan of `INSERT INTO t <json>` and what it is executed with. */
function planned(json: string): { readonly plan: WritePlan; readonly context: TermContext } {
  const parsed = parseStatement(`INSERT INTO ks.t ${json}`);
  if (parsed.statement.kind !== 'insert') throw new TypeError('no INSERT');
  const [key] = COLUMNS;
  const table = {
    ...TABLE,
    partitionKey: key === undefined ? [] : [key],
    allColumns: COLUMNS,
    columns: new Map(COLUMNS.map((entry) => [entry.name, entry])),
  };
  const snapshot = { keyspace: () => undefined } as unknown as Snapshot;
  const plan = planWrite(parsed.statement, table, snapshot, new MarkerRegistry([]));
  return { plan, context: { binds: [], constants: parsed.constants, functions: CONTEXT } };
}

const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));

describe('INSERT JSON', () => {
  it('gives every column its value, null by default', () => {
    expect(insert(`JSON '{"k": 1, "T": "x"}'`)).toEqual([
      Uint8Array.of(0, 0, 0, 1),
      bytes('x'),
      null,
      null,
    ]);
    expect(insert(`JSON '{"k": "1", "\\"Q\\"": "q", "l": null}' DEFAULT NULL`)).toEqual([
      Uint8Array.of(0, 0, 0, 1),
      null,
      bytes('q'),
      null,
    ]);
  });

  it('leaves columns unset with DEFAULT UNSET, but not those that are null', () => {
    expect(insert(`JSON ? DEFAULT UNSET`, [bytes('{"k": 1, "t": null}')])).toEqual([
      Uint8Array.of(0, 0, 0, 1),
      null,
      UNSET,
      UNSET,
    ]);
  });

  it.each([
    [`JSON '{"k": 1, "x": 2}'`, 'JSON values map contains unrecognized column: x'],
    [`JSON '{"k": 1, "Q": "q"}'`, 'JSON values map contains unrecognized column: q'],
    [
      `JSON '{"k": "secret"}'`,
      "Error decoding JSON value for k: Unable to make int from '<constant>'",
    ],
    [`JSON '{"l": [1, null]}'`, 'Error decoding JSON value for l: Invalid null element in list'],
    [`JSON 'null'`, 'Got null for INSERT JSON values'],
    [
      `JSON '{"k": 1'`,
      'Could not decode JSON string as a map: com.fasterxml.jackson.core.io.JsonEOFException: <constant>. (String was: <constant>)',
    ],
  ])('%s is refused in the words of Cassandra, without the values', (json, message) => {
    expect(() => insert(json)).toThrow(message);
  });

  it('is an INSERT of all columns on the stored table', () => {
    const { plan, context } = planned(`JSON '{"k": 1, "t": "x"}' IF NOT EXISTS USING TTL 5`);
    expect(plan.storedText).toBe(
      'INSERT INTO ks.t (k, t, "Q", l) VALUES (?, ?, ?, ?) IF NOT EXISTS USING TTL ?',
    );
    const bound = bindWrite(plan, context);
    expect(bound.partitions).toEqual([[Uint8Array.of(0, 0, 0, 1)]]);
    expect(bound.cells).toEqual([bytes('x'), null, null]);
  });

  it('leaves columns out where the protocol has no unset values', () => {
    const { plan } = planned(`JSON '{"k": 1, "t": "x"}' DEFAULT UNSET IF NOT EXISTS USING TTL 5`);
    expect(plan.textWithout?.(new Set([2, 3]))).toBe(
      'INSERT INTO ks.t (k, t) VALUES (?, ?) IF NOT EXISTS USING TTL ?',
    );
    expect(planned(`JSON '{"k": 1}'`).plan.textWithout).toBeUndefined();
  });

  it('refuses a row without its key', () => {
    const { plan, context } = planned(`JSON '{"t": "x"}'`);
    expect(() => bindWrite(plan, context)).toThrow('Invalid null value in condition for column k');
    const unset = planned(`JSON '{"t": "x"}' DEFAULT UNSET`);
    expect(() => bindWrite(unset.plan, unset.context)).toThrow('Invalid unset value for column k');
  });

  it('refuses a bound text that is null', () => {
    expect(() => insert('JSON ?', [null])).toThrow('Got null for INSERT JSON values');
  });
});
