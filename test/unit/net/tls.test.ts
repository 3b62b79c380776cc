import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectPlain } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, createServer } from 'node:tls';
import type { ConnectionOptions, TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { connectTo, listen, upstreamTlsOptions, WatchedTls } from '../../../src/net/index.ts';
import type { Listener, ListenerTls } from '../../../src/net/index.ts';
import type { Transport } from '../../../src/proxy/index.ts';
import { CqlErrorCode } from '../../../src/errors/index.ts';
import {
  decodeError,
  encodeEnvelope,
  HEADER_BYTES,
  Opcode,
  type ErrorMessage,
} from '../../../src/wire/index.ts';
import { LOCALHOST, makeCa } from '../../support/certificates.ts';
import type { Issued, TestCa } from '../../support/certificates.ts';

let directory: string;
let ca: TestCa;
let otherCa: TestCa;
let server: Issued;
const closing: (() => void)[] = [];

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'cqlock-tls-'));
  [ca, otherCa] = await Promise.all([makeCa('cqlock test'), makeCa('another')]);
  server = await ca.issue({ commonName: 'proxy' });
  write(server);
  writeFileSync(join(directory, 'ca.pem'), ca.cert);
});

afterEach(() => {
  for (const close of closing.splice(0)) close();
  write(server);
});

afterAll(() => {
  rmSync(directory, { recursive: true, force: true });
});

function write({ cert, key }: Partial<Issued>): void {
  if (cert !== undefined) writeFileSync(join(directory, 'cert.pem'), cert);
  if (key !== undefined) writeFileSync(join(directory, 'key.pem'), key);
}

const seen: { expiry: (number | undefined)[]; failures: string[]; handshakes: string[] } = {
  expiry: [],
  failures: [],
  handshakes: [],
};

function watched(): WatchedTls {
  const files = new WatchedTls(
    {
      what: 'the test',
      certFile: join(directory, 'cert.pem'),
      keyFile: join(directory, 'key.pem'),
      caFile: join(directory, 'ca.pem'),
    },
    {
      onRead: (ms) => seen.expiry.push(ms),
      onFailure: (error) => seen.failures.push(error.message),
    },
  );
  closing.push(() => {
    files.close();
  });
  return files;
}

/** Listens and echoes; what was accepted is in the list. */
async function echo(
  tls: Partial<ListenerTls>,
  handshakeTimeoutMs?: number,
): Promise<{ listener: Listener; files: WatchedTls; accepted: Transport[] }> {
  const files = watched();
  const accepted: Transport[] = [];
  const listener = await listen(
    {
      host: '127.0.0.1',
      port: 0,
      ...(handshakeTimeoutMs === undefined ? {} : { handshakeTimeoutMs }),
      tls: {
        mode: 'required',
        clientCertificates: 'none',
        minVersion: 'TLSv1.2',
        files,
        nowMs: () => Date.now(),
        onFailure: (_peer, code) => seen.handshakes.push(code),
        ...tls,
      },
    },
    () => undefined,
    (transport) => {
      accepted.push(transport);
      transport.setHandlers({
        onData: (chunk) => {
          transport.write(Buffer.from(chunk));
        },
        onDrain: () => undefined,
        onClose: () => undefined,
      });
    },
  );
  closing.push(() => {
    listener.close();
    for (const transport of accepted) transport.destroy();
  });
  return { listener, files, accepted };
}

/** Connects with TLS, sends a word and gives what comes back. */
function ask(
  port: number,
  options: ConnectionOptions = {},
): Promise<{ word: string; socket: TLSSocket }> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, ca: ca.cert, ...options });
    closing.push(() => socket.destroy());
    socket.once('error', reject);
    socket.once('close', () => {
      reject(new Error('closed'));
    });
    socket.once('data', (chunk: Buffer) => {
      resolve({ word: chunk.toString(), socket });
    });
    socket.once('secureConnect', () => socket.write('word'));
  });
}

/** OPTIONS of version 4 on stream 7. */
const OPTIONS = encodeEnvelope(
  { version: 4, isResponse: false, flags: 0, streamId: 7, opcode: Opcode.OPTIONS },
  Buffer.alloc(0),
);

/** Connects and sends OPTIONS in two pieces: the error that comes back until the connection is closed. */
function refusalFor(
  port: number,
  options: ConnectionOptions,
): Promise<{ head: number[]; error: ErrorMessage; sessions: Buffer[]; isResumed: boolean }> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, ca: ca.cert, ...options });
    const chunks: Buffer[] = [];
    const sessions: Buffer[] = [];
    let isResumed = false;
    socket.on('session', (session: Buffer) => sessions.push(session));
    socket.once('error', reject);
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.once('close', () => {
      const answer = Buffer.concat(chunks);
      const [head, body] = [answer.subarray(0, 5), answer.subarray(HEADER_BYTES)];
      if (body.length === 0) reject(new Error('closed without an answer'));
      else resolve({ head: [...head], error: decodeError(body), sessions, isResumed });
    });
    socket.once('secureConnect', () => {
      isResumed = socket.isSessionReused();
      socket.write(OPTIONS.subarray(0, 4));
      setImmediate(() => socket.write(OPTIONS.subarray(4)));
    });
  });
}

function askPlain(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connectPlain({ host: '127.0.0.1', port });
    closing.push(() => socket.destroy());
    socket.once('error', reject);
    socket.once('close', () => {
      reject(new Error('closed'));
    });
    socket.once('data', (chunk: Buffer) => {
      resolve(chunk.toString());
    });
    socket.once('connect', () => socket.write('\x04word'));
  });
}

describe('listen with TLS', () => {
  it('serves TLS and refuses plain text where it is required', async () => {
    const { listener } = await echo({});
    expect((await ask(listener.port)).word).toBe('word');
    await expect(askPlain(listener.port)).rejects.toThrow();
  });

  it('serves both on one port where it is optional', async () => {
    const { listener } = await echo({ mode: 'optional' });
    expect((await ask(listener.port)).word).toBe('word');
    expect(await askPlain(listener.port)).toBe('\x04word');
  });

  it('speaks no version older than the least', async () => {
    const { listener } = await echo({ minVersion: 'TLSv1.3' });
    await expect(ask(listener.port, { maxVersion: 'TLSv1.2' })).rejects.toThrow();
    expect((await ask(listener.port)).socket.getProtocol()).toBe('TLSv1.3');
  });

  it('refuses a client without a certificate, or with one of another CA, where they are required, and tells it why', async () => {
    const { listener, accepted } = await echo({ clientCertificates: 'required' });
    const foreign = await otherCa.issue({ commonName: 'app' });
    const expired = await ca.issue({ commonName: 'app', days: -1 });
    seen.handshakes.length = 0;
    for (const [identity, code] of [
      [{}, 'NO_CERTIFICATE'],
      [foreign, 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
      [expired, 'CERT_HAS_EXPIRED'],
    ] as const) {
      for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
        const { head, error } = await refusalFor(listener.port, { ...identity, maxVersion });
        expect(head).toEqual([0x84, 0, 0, 7, Opcode.ERROR]);
        expect(error.code).toBe(CqlErrorCode.BAD_CREDENTIALS);
        expect(error.message).toContain(`(${code}): show one`);
        expect(seen.handshakes.pop()).toBe(code);
      }
    }
    expect(accepted).toHaveLength(0);
    const good = await ca.issue({
      commonName: 'app',
      altNames: [{ type: 'url', value: 'spiffe://example.org/app' }, ...LOCALHOST],
    });
    expect((await ask(listener.port, good)).word).toBe('word');
    expect(accepted[0]?.certificate).toMatchObject({
      commonName: 'app',
      altNames: ['URI:spiffe://example.org/app', 'DNS:localhost', 'IP Address:127.0.0.1'],
      fingerprint: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
    });
  });

  it.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'refuses a client without a certificate also when it resumes its session (%s)',
    async (maxVersion) => {
      const { listener, accepted } = await echo({ clientCertificates: 'required' });
      const { sessions } = await refusalFor(listener.port, { maxVersion });
      expect(sessions.length).toBeGreaterThan(0);
      for (const session of sessions) {
        const again = await refusalFor(listener.port, { maxVersion, session });
        expect(again.isResumed).toBe(true);
        expect(again.error.message).toContain('NO_CERTIFICATE');
      }
      expect(accepted).toHaveLength(0);
    },
  );

  it.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'refuses a client whose certificate has expired also when it resumes a session of before (%s)',
    async (maxVersion) => {
      let now = Date.now();
      const { listener, accepted } = await echo({
        clientCertificates: 'required',
        nowMs: () => now,
      });
      const client = await ca.issue({ commonName: 'app', days: 1 });
      const sessions: Buffer[] = [];
      const first = connect({
        host: '127.0.0.1',
        port: listener.port,
        ca: ca.cert,
        maxVersion,
        ...client,
      });
      first.on('session', (session: Buffer) => sessions.push(session));
      first.once('secureConnect', () => first.write('word'));
      await new Promise((resolve) => first.once('data', resolve));
      first.destroy();
      const session = sessions.at(-1);
      const resumed = await ask(listener.port, { ...client, maxVersion, session });
      expect(resumed.socket.isSessionReused()).toBe(true);
      expect(accepted).toHaveLength(2);
      now += 2 * 86_400_000;
      const late = await refusalFor(listener.port, { ...client, maxVersion, session });
      expect(late.isResumed).toBe(true);
      expect(late.error.message).toContain('CERT_HAS_EXPIRED');
      expect(accepted).toHaveLength(2);
    },
  );

  it.each(['required', 'optional'] as const)(
    'cuts a client that does not end its handshake, TLS %s',
    async (mode) => {
      const { listener } = await echo({ mode }, 50);
      for (const words of [Buffer.alloc(0), Buffer.of(0x16, 3, 1)]) {
        const socket = connectPlain({ host: '127.0.0.1', port: listener.port });
        closing.push(() => socket.destroy());
        socket.on('error', () => undefined);
        socket.write(words);
        await new Promise((resolve) => socket.once('close', resolve));
      }
    },
  );

  it('closes on a client that is refused and asks nothing', async () => {
    const { listener } = await echo({ clientCertificates: 'required' });
    const socket = connect({ host: '127.0.0.1', port: listener.port, ca: ca.cert });
    const data: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => data.push(chunk));
    // Less than a head of a request.
    socket.once('secureConnect', () => socket.write(OPTIONS.subarray(0, 8)));
    await new Promise((resolve) => socket.once('close', resolve));
    expect(data).toEqual([]);
  });

  it('takes clients without a certificate where they are optional, but none with a wrong one', async () => {
    const { listener, accepted } = await echo({ clientCertificates: 'optional' });
    expect((await ask(listener.port)).word).toBe('word');
    expect(accepted[0]?.certificate).toBeUndefined();
    const foreign = await otherCa.issue({ commonName: 'app' });
    await expect(ask(listener.port, foreign)).rejects.toThrow();
    expect(accepted).toHaveLength(1);
    const good = await ca.issue({ commonName: 'app' });
    expect((await ask(listener.port, good)).word).toBe('word');
    expect(accepted[1]?.certificate?.commonName).toBe('app');
  });

  it('uses replaced certificates for new connections and keeps the open ones', async () => {
    const { listener, files } = await echo({});
    const before = await ask(listener.port);
    const next = await ca.issue({ commonName: 'replaced', days: 90 });
    // Half a pair does not fit together: the old one stays in force.
    write({ cert: next.cert });
    files.look();
    files.look();
    expect(seen.failures).toHaveLength(1);
    expect(seen.failures[0]).toMatch(/not the key of the certificate/);
    expect((await ask(listener.port)).socket.getPeerCertificate().subject.CN).toBe('proxy');
    write({ key: next.key });
    files.look();
    expect((await ask(listener.port)).socket.getPeerCertificate().subject.CN).toBe('replaced');
    const days = ((seen.expiry.at(-1) ?? 0) - Date.now()) / 86_400_000;
    expect(days).toBeGreaterThan(89);
    expect(days).toBeLessThan(91);
    const answer = new Promise((resolve) => before.socket.once('data', resolve));
    before.socket.write('still');
    expect(String(await answer)).toBe('still');
  });
});

describe('replacing certificates', () => {
  it('fails no request of 50 connections that work meanwhile', async () => {
    const { listener, files } = await echo({});
    const open = await Promise.all(Array.from({ length: 50 }, () => ask(listener.port)));
    const failures: unknown[] = [];
    let answers = 0;
    let isOver = false;
    const load = open.map(async ({ socket }) => {
      socket.on('error', (error) => failures.push(error));
      socket.on('close', () => {
        if (!isOver) failures.push('closed');
      });
      while (!isOver) {
        const answer = new Promise<string>((resolve) => {
          socket.once('data', (chunk: Buffer) => {
            resolve(chunk.toString());
          });
        });
        socket.write('request');
        if ((await answer) !== 'request') failures.push('another answer');
        answers++;
      }
    });
    for (let round = 0; round < 5; round++) {
      const next = await ca.issue({ commonName: `round ${String(round)}` });
      const before = answers;
      write({ cert: next.cert });
      files.look();
      write({ key: next.key });
      files.look();
      const { socket } = await ask(listener.port);
      expect(socket.getPeerCertificate().subject.CN).toBe(`round ${String(round)}`);
      expect(answers).toBeGreaterThan(before);
    }
    isOver = true;
    await Promise.all(load);
    expect(failures).toEqual([]);
    expect(answers).toBeGreaterThan(50);
  });
});

describe('connectTo with TLS', () => {
  async function node(issued: Issued): Promise<number> {
    const made = createServer({ cert: issued.cert, key: issued.key }, (socket) => socket.resume());
    made.on('tlsClientError', () => undefined);
    await new Promise<void>((resolve) => made.listen(0, '127.0.0.1', resolve));
    closing.push(() => made.close());
    const address = made.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  const options = (
    changed: Partial<Parameters<typeof upstreamTlsOptions>[0]> = {},
  ): (() => ConnectionOptions) => {
    const made = upstreamTlsOptions({
      files: watched(),
      verifiesHostName: true,
      serverName: undefined,
      minVersion: 'TLSv1.2',
      hosts: ['127.0.0.1'],
      ...changed,
    });
    return () => made;
  };

  const tryTo = async (port: number, tls?: () => ConnectionOptions): Promise<void> => {
    const transport = await connectTo('127.0.0.1', port, 2_000, () => undefined, tls);
    transport.destroy();
  };

  it('takes a node whose certificate is for its address, signed by the CA', async () => {
    await tryTo(await node(await ca.issue({ commonName: 'node' })), options());
  });

  it('refuses one of another CA, one for another name, and one that has expired', async () => {
    const foreign = await node(await otherCa.issue({ commonName: 'node' }));
    await expect(tryTo(foreign, options())).rejects.toMatchObject({ code: 'UPSTREAM_TLS' });
    const named = await node(
      await ca.issue({ commonName: 'x', altNames: [{ type: 'dns', value: 'db.example.org' }] }),
    );
    await expect(tryTo(named, options())).rejects.toThrow(/ERR_TLS_CERT_ALTNAME_INVALID/);
    await tryTo(named, options({ serverName: 'db.example.org' }));
    await tryTo(named, options({ hosts: ['db.example.org'] }));
    await tryTo(named, options({ verifiesHostName: false }));
    await expect(tryTo(named, options({ serverName: 'x.example.org' }))).rejects.toThrow();
    const expired = await node(await ca.issue({ commonName: 'node', days: -1 }));
    await expect(tryTo(expired, options())).rejects.toThrow(/CERT_HAS_EXPIRED/);
  });

  it('never falls back to plain text', async () => {
    const { createServer: createPlain } = await import('node:net');
    const plain = createPlain((socket) => socket.end('plain'));
    await new Promise<void>((resolve) => plain.listen(0, '127.0.0.1', resolve));
    closing.push(() => plain.close());
    const { port } = plain.address() as { port: number };
    await expect(tryTo(port, options())).rejects.toMatchObject({ code: 'UPSTREAM_TLS' });
  });
});

describe('WatchedTls', () => {
  it('refuses what is no certificate, a key of another one, and a missing file, and names the file', () => {
    write({ cert: 'nonsense' });
    expect(watched).toThrow(/cert\.pem has no certificate in PEM/);
    write(server);
    write({ key: 'nonsense' });
    expect(watched).toThrow(/key\.pem is not the key/);
    rmSync(join(directory, 'key.pem'));
    expect(watched).toThrow(/key\.pem cannot be read \(ENOENT\)/);
  });
});
