/** Who may restore what: the statements that the client's connection is asked, and what their answers lead to. */
import { beforeEach, describe, expect, it } from 'vitest';
import { parseStatement } from '../../../src/cql/index.ts';
import { CqlErrorCode } from '../../../src/errors/index.ts';
import type { TableRestore } from '../../../src/proxy/index.ts';
import { runRestoreTable } from '../../../src/proxy/run_restore.ts';
import type { RequestContext, Session } from '../../../src/proxy/session.ts';
import type { TableEntry } from '../../../src/schema/index.ts';
import { native } from '../../../src/values/index.ts';
import {
  decodeQuery,
  encodeError,
  encodeVoidResult,
  Opcode,
  RowsWriter,
} from '../../../src/wire/index.ts';

const VERSION = 4;
const COLUMN = { keyspace: 'k', table: 't', name: 'c', type: native('text') };
const PROBE = /^CREATE TABLE b\.new \(a blob, PRIMARY KEY \(cqlock_probe\)\)$/;
const READ = /^SELECT "?pk"? FROM a\.old LIMIT 1$/;
const LIST = /^LIST SELECT ON ALL TABLES IN KEYSPACE a OF somebody$/;
const ROLES = /^SELECT role FROM system_auth\.roles LIMIT 1$/;
const UNKNOWN = [CqlErrorCode.INVALID, 'Unknown definition cqlock_probe'] as const;
const DENIED = [CqlErrorCode.UNAUTHORIZED, 'User somebody has no SELECT permission'] as const;

type Answer = readonly [CqlErrorCode, string] | 'void' | number;

let asked: string[];
let restores: TableRestore[];
let answers: (readonly [RegExp, Answer])[];

beforeEach(() => {
  asked = [];
  restores = [];
});

function envelope(answer: Answer) {
  const base = { version: 0x80 | VERSION, flags: 0, stream: 0 };
  if (answer === 'void') return { ...base, opcode: Opcode.RESULT, body: encodeVoidResult() };
  if (typeof answer !== 'number') {
    const [code, message] = answer;
    const body = encodeError({ code, message, extra: Buffer.alloc(0) });
    return { ...base, opcode: Opcode.ERROR, body };
  }
  const writer = new RowsWriter({ columns: [COLUMN], pagingState: undefined }, VERSION);
  for (let row = 0; row < answer; row += 1) writer.writeCell(Buffer.from('x'));
  return { ...base, opcode: Opcode.RESULT, body: writer.finish() };
}

function session(table: Partial<TableEntry> | undefined): Session {
  return {
    version: VERSION,
    keyspace: 'a',
    leases: { principal: 'somebody' },
    node: {
      request: (_opcode: number, body: Buffer) => {
        const { query } = decodeQuery(body, VERSION);
        asked.push(query);
        const [, answer] = answers.find(([text]) => text.test(query)) ?? [];
        if (answer === undefined) throw new TypeError(`nobody expected ${query}`);
        return Promise.resolve(envelope(answer));
      },
    },
    services: {
      catalog: { refresh: () => Promise.resolve({ failure: undefined, table: () => table }) },
      restoreTable: (restore: TableRestore) => {
        restores.push(restore);
        return Promise.resolve([]);
      },
    },
  } as unknown as Session;
}

const REQUEST = {
  options: {
    consistency: 1,
    values: [],
    names: undefined,
    skipMetadata: false,
    pageSize: undefined,
    pagingState: undefined,
    serialConsistency: undefined,
    defaultTimestamp: undefined,
  },
  flags: 0,
  onUpstreamMs: () => undefined,
} as unknown as RequestContext;

async function run(
  table: Partial<TableEntry> | undefined,
  text = 'RESTORE TABLE b.new FROM TABLE old',
): Promise<string> {
  const { statement } = parseStatement(text);
  if (statement.kind !== 'restore_table') throw new TypeError(statement.kind);
  try {
    const { outcome } = await runRestoreTable(session(table), REQUEST, statement);
    return outcome;
  } catch (error) {
    const { cqlCode, message } = error as { cqlCode: number; message: string };
    return `${cqlCode.toString(16)} ${message}`;
  }
}

const OLD = {
  keyspace: 'a',
  name: 'old',
  partitionKey: [{ name: 'pk' }],
  allColumns: [],
  record: { tableId: '0a' },
} as unknown as TableEntry;

describe('RESTORE TABLE', () => {
  it('asks whether the new table may be made and the old one be read, then restores', async () => {
    answers = [
      [PROBE, UNKNOWN],
      [READ, 1],
    ];
    expect(await run(OLD)).toBe('ok');
    expect(asked).toHaveLength(2);
    expect(restores).toMatchObject([
      {
        from: { keyspace: 'a', name: 'old', beforeMs: undefined, tableId: '0a' },
        to: { keyspace: 'b', name: 'new' },
        principal: 'somebody',
      },
    ]);
  });

  it.each<[string, (readonly [RegExp, Answer])[], TableEntry | undefined, RegExp]>([
    [
      'the new table may not be made',
      [[PROBE, [CqlErrorCode.UNAUTHORIZED, 'no CREATE']]],
      OLD,
      /^2100 no CREATE$/,
    ],
    [
      'the new table is there',
      [[PROBE, [CqlErrorCode.ALREADY_EXISTS, 'is there']]],
      OLD,
      /^2400 is there$/,
    ],
    ['the probe is taken for a table', [[PROBE, 'void']], OLD, /^0 .*made to fail/],
    [
      'the old table may not be read',
      [
        [PROBE, UNKNOWN],
        [READ, DENIED],
      ],
      OLD,
      /^2100 User somebody/,
    ],
    [
      'the old table is gone, and neither its keyspace nor the roles may be read',
      [
        [PROBE, UNKNOWN],
        [LIST, 0],
        [ROLES, DENIED],
      ],
      undefined,
      /^2100 .*SELECT permission on <keyspace a>.*table a\.old is gone/,
    ],
    [
      'the old table is gone and Cassandra does not list permissions',
      [
        [PROBE, UNKNOWN],
        [LIST, [CqlErrorCode.UNAUTHORIZED, 'You are not authorized to view']],
        [ROLES, DENIED],
      ],
      undefined,
      /^2100 .*<keyspace a>/,
    ],
    [
      'the roles give no answer',
      [
        [PROBE, UNKNOWN],
        [LIST, 0],
        [ROLES, [CqlErrorCode.UNAVAILABLE, 'no replica']],
      ],
      undefined,
      /^1000 no replica/,
    ],
    [
      'the old table is not encrypted',
      [
        [PROBE, UNKNOWN],
        [READ, 0],
      ],
      { ...OLD, record: undefined, error: undefined },
      /^2200 table a\.old is not encrypted by the proxy/,
    ],
  ])('is refused when %s', async (_, given, table, refusal) => {
    answers = given;
    expect(await run(table)).toMatch(refusal);
    expect(restores).toEqual([]);
  });

  it.each<[string, (readonly [RegExp, Answer])[]]>([
    [
      'SELECT on its keyspace',
      [
        [PROBE, UNKNOWN],
        [LIST, 1],
      ],
    ],
    [
      'SELECT on the roles, as superusers have',
      [
        [PROBE, UNKNOWN],
        [LIST, 0],
        [ROLES, 1],
      ],
    ],
  ])('of a table that is gone takes %s', async (_, given) => {
    answers = given;
    expect(await run(undefined)).toBe('ok');
    expect(restores).toMatchObject([{ from: { tableId: undefined } }]);
  });

  it('is refused for keyspaces that are not the user’s, and asks nobody', async () => {
    for (const text of [
      'RESTORE TABLE system.x FROM TABLE old',
      'RESTORE TABLE b.new FROM TABLE system_auth.roles',
    ]) {
      expect(await run(OLD, text)).toMatch(/^2100 .*not user-modifiable/);
    }
    expect(asked).toEqual([]);
  });
});
