import { beforeEach, describe, expect, it } from 'vitest';
import type { ConnectionLeases } from '../../../src/keys/index.ts';
import { ClientConnection } from '../../../src/proxy/client_connection.ts';
import { OwnConnections } from '../../../src/proxy/own_connection.ts';
import { NodeConnection } from '../../../src/proxy/node_connection.ts';
import { ProxyServer } from '../../../src/proxy/proxy_server.ts';
import type { ProxyServerOptions } from '../../../src/proxy/proxy_server.ts';
import type { SharedServices } from '../../../src/proxy/session.ts';
import { StatementCache } from '../../../src/proxy/statement_cache.ts';
import type { Authenticator, Transport, TransportHandlers } from '../../../src/proxy/index.ts';
import {
  compressBody,
  encodeEnvelope,
  encodePrepare,
  encodeReady,
  encodeStartup,
  encodeSupported,
  EnvelopeAssembler,
  Opcode,
  Reader,
} from '../../../src/wire/index.ts';
import type { Envelope } from '../../../src/wire/index.ts';
import { fakeClock } from '../../support/fake_clock.ts';
import type { FakeClock } from '../../support/fake_clock.ts';

/** One end of a connection in memory. */
class FakeTransport implements Transport {
  readonly peer = '127.0.0.1:1';
  readonly local = { address: '127.0.0.1', port: 2 };
  bufferedBytes = 0;
  readonly calls: string[] = [];
  readonly received: Envelope[] = [];
  readonly #assembler: EnvelopeAssembler;
  #handlers: TransportHandlers | undefined;
  #isEnding = false;

  readonly #speaks: 'request' | 'response';

  constructor(speaks: 'request' | 'response') {
    this.#speaks = speaks;
    this.#assembler = new EnvelopeAssembler({
      maxBodyBytes: 2 ** 28,
      direction: speaks === 'request' ? 'response' : 'request',
      acceptVersion: () => true,
    });
  }

  setHandlers(handlers: TransportHandlers): void {
    this.#handlers = handlers;
  }

  say(streamId: number, opcode: number, body: Uint8Array, flags = 0): void {
    const isResponse = this.#speaks === 'response';
    this.#handlers?.onData(
      encodeEnvelope({ version: 4, isResponse, flags, streamId, opcode }, body),
    );
  }

  close(): void {
    this.#handlers?.onClose(undefined);
  }

  write(chunk: Uint8Array): void {
    if (this.#isEnding) return;
    this.received.push(...this.#assembler.push(Buffer.from(chunk)));
  }

  pause(): void {
    this.calls.push('pause');
  }

  resume(): void {
    this.calls.push('resume');
  }

  end(): void {
    this.#isEnding = true;
    this.calls.push('end');
  }

  destroy(): void {
    this.#isEnding = true;
    this.calls.push('destroy');
  }
}

let clock: FakeClock;
let client: FakeTransport;
let node: FakeTransport;
let logged: unknown[];
let logins: string[];
const turns = (): Promise<void> =>
  new Promise((resolve) => {
    setImmediate(resolve);
  });

function options(): ProxyServerOptions {
  const services = {
    statements: new StatementCache(),
    catalog: { snapshot: () => ({}), onChange: () => () => undefined },
    metrics: {
      recordRequest: () => undefined,
      addClientConnections: () => undefined,
      countLogin: (result: string) => logins.push(result),
    },
    logger: { error: (fields: unknown) => logged.push(fields) },
  } as unknown as SharedServices;
  return {
    services,
    keys: { leases: () => ({ release: () => undefined, identify: () => undefined }) },
    authenticator: { mode: 'cassandra' } as unknown as Authenticator,
    connector: () => Promise.resolve(node),
    contactPoints: [{ host: 'node', port: 9042 }],
    hostId: Buffer.alloc(16),
    cqlVersion: () => '3.4.7',
    limits: {
      maxFrameBytes: 2 ** 24,
      maxInFlightRequests: 2048,
      maxConnections: 1,
      loginTimeoutMs: 30_000,
    },
    clock,
  } as unknown as ProxyServerOptions;
}

/** A client that has logged in. */
async function connected(): Promise<void> {
  const { services, authenticator, hostId, cqlVersion, limits } = options();
  new ClientConnection(client, {
    services,
    leases: {
      release: () => undefined,
      identify: () => undefined,
    } as unknown as ConnectionLeases,
    authenticator,
    connect: () => Promise.resolve({ transport: node, node: 'node:9042' }),
    hostId,
    cqlVersion,
    schemaVersion: () => Buffer.alloc(16),
    limits,
    clock,
    onClose: () => undefined,
  });
  const startup = new Map([
    ['CQL_VERSION', '3.0.0'],
    ['COMPRESSION', 'lz4'],
  ]);
  client.say(0, Opcode.STARTUP, encodeStartup(startup));
  await turns();
  node.say(0, Opcode.READY, encodeReady());
  await turns();
  expect(client.received.map(({ opcode }) => opcode)).toEqual([Opcode.READY]);
}

function errorText({ body }: Envelope): string {
  const reader = new Reader(body);
  reader.readInt();
  return reader.readString();
}

beforeEach(() => {
  clock = fakeClock();
  client = new FakeTransport('request');
  node = new FakeTransport('response');
  logged = [];
  logins = [];
});

/** A statement that is passed on to Cassandra as it is. */
const USE = encodePrepare('USE ks', 4);

describe('a client connection', () => {
  it('answers requests in flight with an error before it closes, when its node is lost', async () => {
    await connected();
    client.say(1, Opcode.QUERY, Buffer.concat([USE, Buffer.from([0, 1, 0])]));
    client.say(2, Opcode.QUERY, Buffer.concat([USE, Buffer.from([0, 1, 0])]));
    await turns();
    expect(node.received.map(({ opcode }) => opcode)).toEqual([
      Opcode.STARTUP,
      Opcode.QUERY,
      Opcode.QUERY,
    ]);
    node.close();
    await turns();
    const answers = client.received.slice(1);
    expect(answers.map(({ streamId, opcode }) => [streamId, opcode])).toEqual([
      [1, Opcode.ERROR],
      [2, Opcode.ERROR],
    ]);
    expect(answers.map(errorText)).toEqual([
      expect.stringContaining('whether the request was executed is unknown'),
      expect.stringContaining('node:9042'),
    ]);
    expect(client.calls).toEqual(['pause', 'end']);
  });

  it('counts what compressed requests take in memory', async () => {
    await connected();
    const body = Buffer.concat([
      encodePrepare(`USE ks /*${' '.repeat(14_000_000)}*/`, 4),
      Buffer.from([0, 1, 0]),
    ]);
    const compressed = compressBody('lz4', body);
    expect(compressed.length).toBeLessThan(100_000);
    for (let streamId = 1; streamId <= 4; streamId++) {
      client.say(streamId, Opcode.QUERY, compressed, 1);
      await turns();
    }
    expect(client.calls).toEqual([]);
    client.say(5, Opcode.QUERY, compressed, 1);
    expect(client.calls).toEqual(['pause']);
    node.close();
    await turns();
    expect(client.received).toHaveLength(6);
  });

  it.each([
    ['an empty QUERY', Opcode.QUERY, Buffer.alloc(0), 0, []],
    [
      'a consistency that does not exist',
      Opcode.QUERY,
      Buffer.concat([USE, Buffer.from([9, 9, 0])]),
      0,
      [],
    ],
    ['an unknown flag', Opcode.QUERY, Buffer.concat([USE, Buffer.from([0, 1, 0x80])]), 0, []],
    ['a second STARTUP', Opcode.STARTUP, encodeStartup(new Map([['CQL_VERSION', '3.0.0']])), 0, []],
    ['a body that is not compressed', Opcode.QUERY, Buffer.from('not LZ4 at all'), 1, ['end']],
    ['an unknown opcode', 0x77, Buffer.alloc(0), 0, ['end']],
  ])(
    'stays open after %s unless nothing more can be understood',
    async (_name, opcode, body, flags, calls) => {
      await connected();
      client.say(1, opcode, body, flags);
      await turns();
      expect(client.received.at(-1)).toMatchObject({ streamId: 1, opcode: Opcode.ERROR });
      expect(client.calls).toEqual(calls);
      if (calls.length > 0) return;
      client.say(2, Opcode.OPTIONS, Buffer.alloc(0));
      await turns();
      expect(client.received.at(-1)).toMatchObject({ streamId: 2, opcode: Opcode.SUPPORTED });
    },
  );

  it('is cut when it does not log in, so that others find a place', async () => {
    const server = new ProxyServer(options());
    server.accept(client);
    client.say(1, Opcode.OPTIONS, Buffer.alloc(0));
    await turns();
    const refused = new FakeTransport('request');
    server.accept(refused);
    expect(refused.calls).toEqual(['destroy']);
    clock.advance(29_999);
    expect(client.calls).toEqual([]);
    clock.advance(1);
    expect(client.calls).toEqual(['destroy']);
    expect(logins).toEqual(['timeout']);
    expect(server.connectionCount).toBe(0);
    const next = new FakeTransport('request');
    server.accept(next);
    expect(next.calls).toEqual([]);
  });

  it('stays after its login, however long it rests', async () => {
    await connected();
    clock.advance(86_400_000);
    expect(client.calls).toEqual([]);
    expect(logins).toEqual([]);
  });

  it('ends alone when an answer cannot be sent', async () => {
    await connected();
    client.write = () => {
      throw new Error('no answer can be written');
    };
    client.say(1, Opcode.OPTIONS, Buffer.alloc(0));
    await turns();
    expect(client.calls).toEqual(['destroy']);
    expect(logged).toHaveLength(1);
  });
});

describe('a connection to a node', () => {
  const opened = (): { readonly connection: NodeConnection; readonly closed: string[] } => {
    const closed: string[] = [];
    const handlers = {
      onEvent: () => undefined,
      onDrain: () => undefined,
      onClose: () => closed.push('closed'),
    };
    return { connection: new NodeConnection(node, 'node:9042', 4, 1024, handlers, clock), closed };
  };

  it('is given up when the node says nothing and does not answer that it is there', async () => {
    const { connection } = opened();
    const failed = expect(connection.request(Opcode.QUERY, USE)).rejects.toMatchObject({
      code: 'UPSTREAM_CONNECTION_LOST',
    });
    clock.advance(10_000);
    expect(node.received.map(({ opcode }) => opcode)).toEqual([Opcode.QUERY, Opcode.OPTIONS]);
    expect(node.calls).toEqual([]);
    clock.advance(10_000);
    expect(node.calls).toEqual(['destroy']);
    await failed;
    await expect(connection.request(Opcode.QUERY, USE)).rejects.toThrow();
  });

  it('is kept while the node works on a request and says that it is there', async () => {
    const { connection } = opened();
    const answer = connection.request(Opcode.QUERY, USE);
    for (let minute = 0; minute < 6; minute++) {
      clock.advance(10_000);
      const asked = node.received.at(-1);
      expect(asked?.opcode).toBe(Opcode.OPTIONS);
      node.say(asked?.streamId ?? -1, Opcode.SUPPORTED, encodeSupported(new Map()));
      clock.advance(10_000);
    }
    node.say(0, Opcode.READY, encodeReady());
    expect((await answer).opcode).toBe(Opcode.READY);
    const { length } = node.received;
    clock.advance(60_000);
    expect(node.received).toHaveLength(length);
    expect(node.calls).toEqual([]);
  });

  it('is not suspected while it is not read', () => {
    const { connection } = opened();
    connection.request(Opcode.QUERY, USE).catch(() => undefined);
    connection.pause();
    clock.advance(60_000);
    expect(node.calls).toEqual(['pause']);
    connection.resume();
    clock.advance(20_000);
    expect(node.calls).toEqual(['pause', 'resume', 'destroy']);
  });
});

describe("the proxy's own connections", () => {
  it('are kept when one that was there before closes late', async () => {
    const first = node;
    const own = new OwnConnections(
      () => Promise.resolve(node),
      { username: undefined, password: undefined },
      1024,
      clock,
    );
    const refused = expect(own.to('node:9042', 4)).rejects.toThrow();
    await turns();
    first.say(0, Opcode.SUPPORTED, encodeSupported(new Map()));
    await refused;
    node = new FakeTransport('response');
    const opening = own.to('node:9042', 4);
    await turns();
    node.say(0, Opcode.READY, encodeReady());
    const connection = await opening;
    first.close();
    expect(await own.to('node:9042', 4)).toBe(connection);
  });
});

describe('the proxy server', () => {
  it('takes no client once it stops', async () => {
    const server = new ProxyServer(options());
    await server.stop(0, () => Promise.resolve());
    server.accept(client);
    expect(client.calls).toEqual(['destroy']);
    expect(server.connectionCount).toBe(0);
  });
});
