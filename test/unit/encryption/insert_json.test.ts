import { describe, expect, it } from 'vitest';
import { parseStatement } from '../../../src/cql/index.ts';
import { compileJson } from '../../../src/encryption/insert_json.ts';
import { MarkerRegistry } from '../../../src/encryption/markers.ts';
import type { TermContext } from '../../../src/encryption/terms.ts';
import type { ColumnEntry, TableKeys } from '../../../src/schema/index.ts';
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

  it('refuses a bound text that is null', () => {
    expect(() => insert('JSON ?', [null])).toThrow('Got null for INSERT JSON values');
  });
});
