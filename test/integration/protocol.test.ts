/** The native protocol as clients meet it at the proxy, where it can be compared with the same bytes sent to Cassandra. */
import { readFileSync } from 'node:fs';
import { compressSync as lz4, uncompressSync as unlz4 } from 'lz4-napi';
import { compressSync as snappy, uncompressSync as unsnappy } from 'snappy';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Endpoint } from '../support/endpoint.ts';
import { encodeFrame, encodeParameters, RawClient } from '../support/raw_client.ts';
import { OP, RawWriter, readResponse } from '../support/raw_codec.ts';
import { inParallel, int, prepared, REPLICATION, rowsOf, run, startPair } from './support/pair.ts';
import { succeeded, text } from './support/pair.ts';
import type { Pair } from './support/pair.ts';
import { RawSocket, resultOf } from './support/raw_socket.ts';

const PROTOCOL = 0x0a;
const TRACING = 0x02;
const PAYLOAD = 0x04;
const COMPRESSED = 0x01;

let pair: Pair | undefined;
const open: (RawClient | RawSocket)[] = [];

function both(): Pair {
  if (pair === undefined) throw new Error('nothing is started');
  return pair;
}

async function client(endpoint: Endpoint = both().proxy, version = 4): Promise<RawClient> {
  const connected = await RawClient.connect({ ...endpoint, version });
  open.push(connected);
  return connected;
}

async function socket(endpoint: Endpoint = both().proxy): Promise<RawSocket> {
  const connected = await RawSocket.open(endpoint);
  open.push(connected);
  return connected;
}

function startup(version = 4, options: Readonly<Record<string, string>> = {}): Buffer {
  const body = new RawWriter().stringMap({ CQL_VERSION: '3.0.0', ...options }).done();
  return encodeFrame(version, 0, 1, OP.startup, body);
}

function queryBody(cql: string): Buffer {
  return encodeParameters(new RawWriter().longString(cql), {}).done();
}

function query(cql: string, stream = 2, version = 4, flags = 0): Buffer {
  return encodeFrame(version, flags, stream, OP.query, queryBody(cql));
}

async function started(endpoint?: Endpoint): Promise<RawSocket> {
  const connection = await socket(endpoint);
  connection.send(startup());
  await connection.seen(1);
  return connection;
}

beforeAll(async () => {
  pair = await startPair();
  const proxy = await client();
  const direct = await client(pair.direct);
  for (const [connection, keyspace] of [
    [direct, 'protocol_plain'],
    [proxy, 'protocol'],
  ] as const) {
    await run(connection, `CREATE KEYSPACE ${keyspace} WITH replication = ${REPLICATION}`);
    await run(connection, `CREATE TABLE ${keyspace}.t (pk int PRIMARY KEY, v text)`);
    await run(connection, `INSERT INTO ${keyspace}.t (pk, v) VALUES (1, 'one')`);
  }
});

afterAll(async () => {
  for (const connection of open) {
    if (connection instanceof RawClient) connection.close();
    else connection.end();
  }
  await pair?.stop();
});

describe('versions', () => {
  it.each([1, 2, 5, 6, 0x42])(
    'refuses %i on stream 0 as v4 and keeps the connection',
    async (v) => {
      const connection = await socket();
      connection.send(encodeFrame(v, v === 5 ? 0x10 : 0, 7, OP.options, Buffer.alloc(0)));
      const [refusal] = await connection.seen(1);
      expect(refusal).toMatchObject({ version: 0x84, stream: 0, opcode: OP.error });
      expect(refusal && resultOf(refusal)).toMatchObject({ kind: 'error', code: PROTOCOL });
      expect(refusal?.body.toString('latin1')).toContain(
        `Invalid or unsupported protocol version (${String(v)})`,
      );
      connection.send(startup());
      expect((await connection.seen(2))[1]).toMatchObject({ opcode: OP.ready, stream: 1 });
    },
  );

  it.each([3, 4])('speaks v%i, OPTIONS or STARTUP first', async (version) => {
    for (const first of ['options', 'startup'] as const) {
      const connection = await socket();
      const options = encodeFrame(version, 0, 9, OP.options, Buffer.alloc(0));
      connection.send(first === 'options' ? options : startup(version));
      await connection.seen(1);
      connection.send(first === 'options' ? startup(version) : options);
      const frames = await connection.seen(2);
      expect(frames.map((frame) => frame.opcode).sort()).toEqual([OP.ready, OP.supported].sort());
      expect(frames.every((frame) => frame.version === (version | 0x80))).toBe(true);
      connection.send(query('SELECT v FROM protocol.t WHERE pk = 1', 3, version));
      const answer = (await connection.seen(3))[2];
      expect(answer?.stream).toBe(3);
      expect(answer && rowsOf(resultOf(answer))).toEqual([[text('one')]]);
    }
  });

  it('does not change the version of a connection, as Cassandra does not', async () => {
    const answers = [];
    for (const endpoint of [both().direct, both().proxy]) {
      const connection = await started(endpoint);
      connection.send(query('SELECT key FROM system.local', 5, 3));
      const answer = (await connection.seen(2))[1];
      answers.push(answer && resultOf(answer));
    }
    expect(answers[1]).toMatchObject({ kind: 'error', code: PROTOCOL });
    expect(answers[1]).toEqual(answers[0]);
  });
});

describe('malformed messages', () => {
  const header = (version: number, opcode: number, length: number): Buffer =>
    Buffer.concat([Buffer.from([version, 0, 0, 5, opcode]), int(length)]);
  const flags = (code: number, rest = Buffer.alloc(0)): Buffer =>
    Buffer.concat([
      new RawWriter().longString('SELECT key FROM system.local').short(1).byte(code).done(),
      rest,
    ]);
  const closing: readonly (readonly [string, Buffer])[] = [
    ['a length of 2 GB', header(4, OP.query, 0x7fffffff)],
    ['a negative length', header(4, OP.query, -1)],
    ['a response', header(0x84, OP.query, 0)],
    ['an unknown opcode', header(4, 0x77, 0)],
    ["a server's opcode", header(4, OP.result, 0)],
    ['a body that is not compressed', encodeFrame(4, COMPRESSED, 5, OP.query, int(0))],
  ];
  /** Those whose end is known: the next message is understood. */
  const endured: readonly (readonly [string, Buffer])[] = [
    ['an empty QUERY', header(4, OP.query, 0)],
    ['a QUERY shorter than its text', Buffer.concat([header(4, OP.query, 8), int(100), int(0)])],
    ['a QUERY with a negative length', Buffer.concat([header(4, OP.query, 4), int(-5)])],
    [
      'a QUERY with an unknown consistency',
      encodeFrame(
        4,
        0,
        5,
        OP.query,
        encodeParameters(new RawWriter().longString('SELECT key FROM system.local'), {
          consistency: 0x1234,
        }).done(),
      ),
    ],
    [
      'a QUERY with the timestamp that is none',
      encodeFrame(4, 0, 5, OP.query, flags(0x20, Buffer.concat([int(-(2 ** 31)), int(0)]))),
    ],
    [
      'a QUERY with an impossible value',
      encodeFrame(4, 0, 5, OP.query, flags(1, Buffer.from([0, 1, 255, 255, 255, 253]))),
    ],
    [
      'a QUERY without the values that it announces',
      encodeFrame(4, 0, 5, OP.query, flags(1, Buffer.from([0, 2]))),
    ],
    [
      'an EXECUTE without its id',
      encodeFrame(4, 0, 5, OP.execute, Buffer.from([0x00, 0x10, 0x01])),
    ],
    ['a BATCH of too few children', encodeFrame(4, 0, 5, OP.batch, Buffer.from([0, 0xff, 0xff]))],
    ['a BATCH of an unknown type', encodeFrame(4, 0, 5, OP.batch, Buffer.from([7, 0, 0, 0, 1, 0]))],
    ['a REGISTER of nothing', encodeFrame(4, 0, 5, OP.register, Buffer.from([0]))],
    [
      'a REGISTER of unknown events',
      encodeFrame(4, 0, 5, OP.register, new RawWriter().short(1).string('X').done()),
    ],
    ['a second STARTUP', startup()],
    ['a payload that is too long', encodeFrame(4, PAYLOAD, 5, OP.query, Buffer.from([0, 9, 0]))],
  ];

  it.each(closing)('%s ends the connection', async (_name, bytes) => {
    const other = await started();
    const connection = await started();
    connection.send(bytes);
    const answer = (await connection.seen(2))[1];
    expect(answer && resultOf(answer)).toMatchObject({ kind: 'error', code: PROTOCOL });
    await connection.closed();
    other.send(query('SELECT v FROM protocol.t WHERE pk = 1'));
    expect((await other.seen(2))[1]?.opcode).toBe(OP.result);
  });

  it.each(endured)(
    '%s is answered, and the connection stays, as in Cassandra',
    async (_name, bytes) => {
      for (const endpoint of [both().direct, both().proxy]) {
        const connection = await started(endpoint);
        connection.send(bytes);
        const answer = (await connection.seen(2))[1];
        const isProxy = endpoint === both().proxy;
        // What ends too early is an error of the server's own there.
        expect(answer && resultOf(answer)).toMatchObject(
          isProxy ? { kind: 'error', code: PROTOCOL } : { kind: 'error' },
        );
        connection.send(query('SELECT key FROM system.local', 9));
        expect((await connection.seen(3))[2]).toMatchObject({ stream: 9, opcode: OP.result });
      }
    },
  );

  it('a paging state that is none is refused with every kind of request', async () => {
    const state = Buffer.from('deadbeef', 'hex');
    const answers = [];
    for (const [endpoint, keyspace] of [
      [both().direct, 'protocol_plain'],
      [both().proxy, 'protocol'],
    ] as const) {
      const connection = await client(endpoint);
      const insert = `INSERT INTO ${keyspace}.t (pk, v) VALUES (7, 'seven')`;
      const id = await prepared(connection, insert);
      const batch = new RawWriter().byte(0).short(1).byte(0).longString(insert).short(0);
      const frame = await connection.request(
        OP.batch,
        batch.short(1).byte(0x08).int(state.length).raw(state).done(),
      );
      const told = [
        await connection.query(`SELECT v FROM ${keyspace}.t`, { pagingState: state }),
        await connection.query(insert, { pagingState: state }),
        await connection.query(insert, { pagingState: state, pageSize: 10 }),
        await connection.query(`UPDATE ${keyspace}.t SET v = 'x' WHERE pk = 7`, {
          pagingState: state,
        }),
        await connection.query(`DELETE FROM ${keyspace}.t WHERE pk = 7`, { pagingState: state }),
        await connection.query(`TRUNCATE ${keyspace}.t`, { pagingState: state }),
        await connection.query(`CREATE TABLE ${keyspace}.never (pk int PRIMARY KEY)`, {
          pagingState: state,
        }),
        await connection.query('SELECT key FROM system.local', { pagingState: state }),
        await connection.execute(id, { pagingState: state }),
        readResponse(4, frame.opcode, frame.flags, frame.body),
      ];
      expect(rowsOf(await run(connection, `SELECT v FROM ${keyspace}.t WHERE pk = 7`))).toEqual([]);
      answers.push(told);
    }
    expect(answers[1]).toEqual(answers[0]);
    expect(answers[1]?.every((one) => one.kind === 'error' && one.code === PROTOCOL)).toBe(true);
  });

  it('garbage does not disturb others', async () => {
    const other = await started();
    for (let i = 0; i < 20; i++) {
      const connection = await socket();
      const garbage = Buffer.alloc(400, i);
      for (let at = 0; at < garbage.length; at++) garbage[at] = (at * 37 + i * 101) & 0xff;
      connection.send(i === 0 ? Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n') : garbage);
    }
    other.send(query('SELECT v FROM protocol.t WHERE pk = 1'));
    expect((await other.seen(2))[1]?.opcode).toBe(OP.result);
  });

  it('a QUERY before STARTUP is an error of the protocol', async () => {
    const connection = await socket();
    connection.send(query('SELECT key FROM system.local'));
    const [answer] = await connection.seen(1);
    expect(answer && resultOf(answer)).toMatchObject({ kind: 'error', code: PROTOCOL });
  });
});

describe('bytes in pieces', () => {
  const select = query('SELECT v FROM protocol.t WHERE pk = 1');

  it('split at every byte', async () => {
    const splits = Array.from({ length: select.length - 1 }, (_, i) => i + 1);
    await inParallel(splits, 8, async (at) => {
      const connection = await socket();
      for (const message of [startup(), select]) {
        connection.send(message.subarray(0, at));
        await new Promise((resolve) => setTimeout(resolve, 5));
        connection.send(message.subarray(at));
        await connection.seen(message === select ? 2 : 1);
      }
      const answer = connection.frames[1];
      expect(answer && rowsOf(resultOf(answer)), `at ${String(at)}`).toEqual([[text('one')]]);
      connection.end();
    });
  });

  it('one byte at a time', async () => {
    const connection = await socket();
    for (const message of [startup(), select]) {
      for (const byte of message) {
        connection.send(Buffer.from([byte]));
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      await connection.seen(message === select ? 2 : 1);
    }
    const seen = await connection.seen(2);
    expect(seen[1] && rowsOf(resultOf(seen[1]))).toEqual([[text('one')]]);
  });
});

describe('many requests', () => {
  it('1,000 on as many streams each get their own answer', async () => {
    const proxy = await client();
    await run(proxy, 'CREATE TABLE protocol.many (pk int PRIMARY KEY, v text)');
    const insert = await prepared(proxy, 'INSERT INTO protocol.many (pk, v) VALUES (?, ?)');
    const select = await prepared(proxy, 'SELECT v FROM protocol.many WHERE pk = ?');
    const keys = Array.from({ length: 1_000 }, (_, i) => i);
    await Promise.all(
      keys.map(async (key) =>
        succeeded(
          await proxy.execute(insert, { values: [int(key), text(`value ${String(key)}`)] }),
          'insert',
        ),
      ),
    );
    const answers = await Promise.all(
      keys.map((key) => proxy.execute(select, { values: [int(key)] })),
    );
    expect(answers.map((answer) => String(rowsOf(answer)[0]?.[0]))).toEqual(
      keys.map((key) => `value ${String(key)}`),
    );
  });

  it('a client that does not read costs bounded memory and holds up nobody', async () => {
    const other = await client();
    await run(other, 'CREATE TABLE protocol.wide (pk int, ck int, v blob, PRIMARY KEY (pk, ck))');
    const insert = await prepared(other, 'INSERT INTO protocol.wide (pk, ck, v) VALUES (1, ?, ?)');
    for (let ck = 0; ck < 10; ck++) {
      succeeded(await other.execute(insert, { values: [int(ck), Buffer.alloc(100_000, ck)] }), 'w');
    }
    const cql = 'SELECT v FROM protocol.wide WHERE pk = 1';
    for (let i = 0; i < 40; i++) expect(rowsOf(await run(other, cql))).toHaveLength(10);
    const before = residentMb();
    const slow = await started();
    slow.socket.pause();
    const requests = 300;
    for (let i = 0; i < requests; i++) slow.send(query(cql, i + 10));
    let most = 0;
    const until = Date.now() + 4_000;
    while (Date.now() < until) {
      const at = Date.now();
      await run(other, 'SELECT v FROM protocol.t WHERE pk = 1');
      // As long as the slow client does not read; it would wait for the end of that otherwise.
      expect(Date.now() - at).toBeLessThan(10_000);
      most = Math.max(most, residentMb());
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    // All answers together are 300 MB, and as much again as ciphertext.
    expect(most - before).toBeLessThan(150);
    slow.socket.resume();
    const frames = await slow.seen(requests + 1, 60_000);
    expect(new Set(frames.map((frame) => frame.stream)).size).toBe(requests + 1);
    expect(frames.every((frame) => frame.opcode !== OP.error)).toBe(true);
  });
});

/** Resident memory of the proxy. */
function residentMb(): number {
  const pid = both().started?.pid;
  if (pid === undefined) return 0;
  const status = readFileSync(`/proc/${String(pid)}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) / 1024;
}

describe.each([
  [
    'lz4',
    (body: Buffer): Buffer => Buffer.concat([int(body.length), lz4(body).subarray(4)]),
    (body: Buffer): Buffer => {
      const block = Buffer.from(body);
      block.writeUInt32LE(body.readUInt32BE(0), 0);
      return unlz4(block);
    },
  ],
  ['snappy', (body: Buffer) => snappy(body), (body: Buffer) => unsnappy(body) as Buffer],
] as const)('compression %s', (name, compress, decompress) => {
  it('both ways', async () => {
    const connection = await socket();
    connection.send(startup(4, { COMPRESSION: name }));
    await connection.seen(1);
    const value = 'compress me '.repeat(1_000);
    const insert = compress(
      queryBody(`INSERT INTO protocol.t (pk, v) VALUES (${String(name.length)}, '${value}')`),
    );
    connection.send(encodeFrame(4, COMPRESSED, 2, OP.query, insert));
    expect((await connection.seen(2))[1]?.opcode).toBe(OP.result);
    const select = compress(
      queryBody(`SELECT v FROM protocol.t WHERE pk = ${String(name.length)}`),
    );
    connection.send(encodeFrame(4, COMPRESSED, 3, OP.query, select));
    const answer = (await connection.seen(3))[2];
    if (answer === undefined) throw new Error('no answer');
    expect(answer.flags & COMPRESSED).toBe(COMPRESSED);
    expect(answer.body.length).toBeLessThan(value.length);
    const plain = { ...answer, flags: 0, body: decompress(answer.body) };
    expect(rowsOf(resultOf(plain))).toEqual([[text(value)]]);
  });
});

describe('beside the message', () => {
  it('tracing gives an id whose trace can be read', async () => {
    const proxy = await client();
    const id = await prepared(proxy, 'SELECT v FROM protocol.t WHERE pk = ?');
    const answers = [
      await proxy.query("INSERT INTO protocol.t (pk, v) VALUES (2, 'two')", { tracing: true }),
      await proxy.query('SELECT v FROM protocol.t WHERE pk IN (1, 2, 3)', { tracing: true }),
      await proxy.execute(id, { values: [int(1)], tracing: true }),
    ];
    for (const answer of answers) {
      succeeded(answer, 'traced');
      expect(answer.tracingId).toHaveLength(16);
      const cql = 'SELECT session_id FROM system_traces.sessions WHERE session_id = ?';
      let rows: readonly unknown[] = [];
      for (let attempt = 0; attempt < 50 && rows.length === 0; attempt++) {
        rows = rowsOf(await proxy.query(cql, { values: [answer.tracingId] }), cql);
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      expect(rows).toEqual([[answer.tracingId]]);
    }
    const frame = await proxy.request(OP.query, queryBody('SELECT v FROM protocol.t'), TRACING);
    expect(frame.flags & TRACING).toBe(TRACING);
  });

  it("warnings are Cassandra's", async () => {
    const statements = [
      'SELECT count(*) FROM KS.t',
      `BEGIN UNLOGGED BATCH ${Array.from({ length: 12 }, (_, i) => `INSERT INTO KS.t (pk, v) VALUES (${String(100 + i)}, 'x');`).join(' ')} APPLY BATCH`,
    ];
    const direct = await client(both().direct);
    const proxy = await client();
    for (const cql of statements) {
      const expected = (await run(direct, cql.replaceAll('KS', 'protocol_plain'))).warnings;
      const actual = (await run(proxy, cql.replaceAll('KS', 'protocol'))).warnings;
      expect(expected).toHaveLength(1);
      expect(actual).toEqual(expected.map((line) => line.replaceAll('protocol_plain', 'protocol')));
    }
  });

  it('a custom payload is accepted', async () => {
    const proxy = await client();
    const payload = new RawWriter().short(1).string('key').value(text('value')).done();
    const body = Buffer.concat([payload, queryBody('SELECT v FROM protocol.t WHERE pk = 1')]);
    const frame = await proxy.request(OP.query, body, PAYLOAD);
    expect(frame.opcode).toBe(OP.result);
  });
});

describe('events', () => {
  it('one SCHEMA_CHANGE for each change of the schema, as directly', async () => {
    const seen: string[][] = [];
    for (const [endpoint, keyspace] of [
      [both().direct, 'events_plain'],
      [both().proxy, 'events'],
    ] as const) {
      const listener = await client(endpoint);
      const maker = await client(endpoint);
      const events: string[] = [];
      listener.onEvent = ({ body }) => {
        const line = body.toString('latin1').replace(/[\0-\x1f]+/g, ' ');
        if (new RegExp(`\\b${keyspace}\\b`).test(line)) {
          events.push(line.replaceAll(keyspace, 'KS').trim());
        }
      };
      await listener.register(['SCHEMA_CHANGE', 'STATUS_CHANGE', 'TOPOLOGY_CHANGE']);
      for (const cql of [
        `CREATE KEYSPACE KS WITH replication = ${REPLICATION}`,
        'CREATE TYPE KS.p (a int)',
        'CREATE TABLE KS.t (pk int PRIMARY KEY, v text)',
        'ALTER TABLE KS.t ADD w text',
        'ALTER TABLE KS.t DROP w',
        'ALTER TABLE KS.t WITH default_time_to_live = 60',
        "ALTER TABLE KS.t WITH comment = 'changed'",
        'ALTER TABLE KS.t WITH gc_grace_seconds = 100',
        'ALTER TYPE KS.p ADD b text',
        'TRUNCATE KS.t',
        'DROP TABLE KS.t',
        'DROP TYPE KS.p',
        `ALTER KEYSPACE KS WITH replication = ${REPLICATION} AND durable_writes = false`,
        'DROP KEYSPACE KS',
      ]) {
        await run(maker, cql.replaceAll('KS', keyspace));
        await new Promise((resolve) => setTimeout(resolve, 400));
      }
      seen.push(events);
    }
    expect(seen[0]).toHaveLength(13);
    expect(seen[1]).toEqual(seen[0]);
  });
});
