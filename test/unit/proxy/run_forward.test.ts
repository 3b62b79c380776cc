import { expect, it } from 'vitest';
import type { Compiled } from '../../../src/proxy/compile.ts';
import { WrittenPartitions } from '../../../src/proxy/partial_write.ts';
import { forwardQuery } from '../../../src/proxy/run_forward.ts';
import { executeStored } from '../../../src/proxy/run_stored.ts';
import type { RequestContext, Session } from '../../../src/proxy/session.ts';
import { StalePlanError } from '../../../src/proxy/stale_plan.ts';
import { PREPARE_ATTEMPTS, StoredStatements } from '../../../src/proxy/stored_statements.ts';
import type { TableEntry } from '../../../src/schema/index.ts';
import {
  Consistency,
  decodePrepare,
  decodeQuery,
  encodeError,
  encodePrepared,
  encodeQuery,
  encodeVoidResult,
  Opcode,
} from '../../../src/wire/index.ts';
import type { QueryOptions } from '../../../src/wire/index.ts';

const VERSION = 4;
const OPTIONS: QueryOptions = {
  consistency: Consistency.ONE,
  values: [Buffer.of(1)],
  names: undefined,
  skipMetadata: false,
  pageSize: 7,
  pagingState: undefined,
  serialConsistency: undefined,
  defaultTimestamp: undefined,
};
const TEXT = 'SELECT v FROM t WHERE pk = ?';
const PLAIN = { keyspace: 'ks', name: 't', kind: 'plain', version: 'plain' } as TableEntry;
const ENCRYPTED = { ...PLAIN, kind: 'encrypted', version: 'encrypted' } as TableEntry;

/** A session on a node whose USE is another keyspace; `now` is what the catalog says of the table, the first EXECUTEs are UNPREPARED. */
function world(now: () => TableEntry, forgotten = 0) {
  const asked: string[] = [];
  const snapshot = { rootVersion: 1n, table: now };
  const session = {
    version: VERSION,
    services: {
      stored: new StoredStatements(),
      catalogMaxAgeMs: 1_000,
      catalog: {
        ageMs: () => 0,
        snapshot: () => snapshot,
        refresh: () => Promise.resolve(snapshot),
        readRecords: () => Promise.resolve({ root: { version: 1n } }),
      },
    },
    node: {
      node: 'node:9042',
      request: (opcode: number, body: Buffer) => {
        const answer = { version: VERSION, isResponse: true, flags: 0, streamId: 0 };
        if (opcode === Opcode.QUERY) {
          const { query, options } = decodeQuery(body, VERSION);
          asked.push(`QUERY ${query} ${String(options.pageSize)} ${String(options.values.length)}`);
        } else if (opcode === Opcode.PREPARE) {
          asked.push(`PREPARE ${decodePrepare(body, VERSION).query}`);
          const prepared = {
            id: Buffer.of(1),
            variables: { columns: [], partitionKeyIndices: [] },
            resultMetadata: { columns: [] },
          };
          const result = encodePrepared(prepared, VERSION);
          return Promise.resolve({ ...answer, opcode: Opcode.RESULT, body: result });
        } else {
          asked.push('EXECUTE');
          if (asked.filter((request) => request === 'EXECUTE').length <= forgotten) {
            const gone = { code: 0x2500, message: 'unprepared', extra: Buffer.of(0, 1, 1) };
            return Promise.resolve({ ...answer, opcode: Opcode.ERROR, body: encodeError(gone) });
          }
        }
        return Promise.resolve({ ...answer, opcode: Opcode.RESULT, body: encodeVoidResult() });
      },
    },
  } as unknown as Session;
  const request: RequestContext = {
    options: OPTIONS,
    flags: 0,
    onUpstreamMs: () => undefined,
    written: new WrittenPartitions(),
  };
  return { session, request, asked };
}

const compiled: Extract<Compiled, { kind: 'forward' }> = {
  kind: 'forward',
  edits: [{ span: { start: 14, end: 15 }, replacement: 'ks.t' }],
  table: PLAIN,
  prepared: undefined,
};

it("a read of a plain table names its keyspace, whatever the node's own is by now", async () => {
  const { session, request, asked } = world(() => PLAIN);
  const body = encodeQuery(TEXT, OPTIONS, VERSION);
  await forwardQuery(session, request, compiled, { text: TEXT, body });
  await forwardQuery(session, request, compiled, { text: TEXT, body: undefined });
  expect(asked).toEqual([
    'QUERY SELECT v FROM ks.t WHERE pk = ? 7 1',
    expect.stringMatching(/^PREPARE SELECT v FROM ks\.t WHERE pk = \? \/\* [0-9a-f]{16} \*\/$/),
    'EXECUTE',
  ]);
});

it('a read of a table that is encrypted by now is planned again, never sent', async () => {
  let now = PLAIN;
  const { session, request, asked } = world(() => now);
  await forwardQuery(session, request, compiled, { text: TEXT, body: undefined });
  expect(asked).toHaveLength(2);
  now = ENCRYPTED;
  for (const body of [undefined, encodeQuery(TEXT, OPTIONS, VERSION)]) {
    await expect(
      forwardQuery(session, request, compiled, { text: TEXT, body }),
    ).rejects.toBeInstanceOf(StalePlanError);
  }
  expect(asked).toHaveLength(2);
});

it('a write that Cassandra forgets at once, as its cache is full, is prepared until it is taken', async () => {
  const write = 'DELETE FROM ks.t WHERE pk = ?';
  const { session, request, asked } = world(() => PLAIN, PREPARE_ATTEMPTS - 1);
  await executeStored(session, request, PLAIN, write, OPTIONS, 0);
  expect(asked.filter((one) => one.startsWith('PREPARE'))).toHaveLength(PREPARE_ATTEMPTS);

  const never = world(() => PLAIN, Infinity);
  await expect(
    executeStored(never.session, never.request, PLAIN, write, OPTIONS, 0),
  ).rejects.toMatchObject({ code: 'UPSTREAM_UNPREPARED' });
  expect(never.asked.filter((one) => one.startsWith('QUERY'))).toEqual([]);
});

it('a read that Cassandra forgets at once is sent as text, and answered if its table is the same after it', async () => {
  let now = PLAIN;
  const { session, request, asked } = world(() => now, Infinity);
  await forwardQuery(session, request, compiled, { text: TEXT, body: undefined });
  expect(asked.filter((one) => one === 'EXECUTE')).toHaveLength(2);
  expect(asked.at(-1)).toBe('QUERY SELECT v FROM ks.t WHERE pk = ? 7 1');

  const { node } = session;
  const send = node.request.bind(node);
  node.request = (opcode, ...rest) => {
    if (opcode === Opcode.QUERY) now = ENCRYPTED;
    return send(opcode, ...rest);
  };
  await expect(
    forwardQuery(session, request, compiled, { text: TEXT, body: undefined }),
  ).rejects.toBeInstanceOf(StalePlanError);
});
