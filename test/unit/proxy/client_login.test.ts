import { beforeEach, describe, expect, it } from 'vitest';
import { AuthenticationError } from '../../../src/errors/index.ts';
import type { Authenticator, Transport, VerifiedClient } from '../../../src/proxy/index.ts';
import { ClientLogin } from '../../../src/proxy/client_login.ts';
import type { NodeConnection } from '../../../src/proxy/node_connection.ts';
import { plainLogin, plainToken } from '../../../src/proxy/plain_user.ts';
import {
  encodeAuthenticate,
  encodeAuthResponse,
  encodeAuthSuccess,
  encodeError,
  encodeReady,
  Opcode,
} from '../../../src/wire/index.ts';
import type { Envelope } from '../../../src/wire/index.ts';

/** What Cassandra was asked, and what it answers to logins. */
let asked: string[];
let connections: number;
let cassandra: { asks: boolean; password: string };
let ended: string[];
let loggedIn: string[];

beforeEach(() => {
  asked = [];
  connections = 0;
  ended = [];
  loggedIn = [];
  cassandra = { asks: true, password: 'in cassandra' };
});

function envelope(opcode: number, body: Buffer): Envelope {
  return { version: 4, isResponse: true, flags: 0, streamId: 0, opcode, body };
}

function connect(): Promise<NodeConnection> {
  connections++;
  const node = {
    request: (opcode: number, body: Buffer): Promise<Envelope> => {
      if (opcode === Opcode.STARTUP) {
        asked.push('STARTUP');
        return Promise.resolve(
          cassandra.asks
            ? envelope(Opcode.AUTHENTICATE, encodeAuthenticate('PasswordAuthenticator'))
            : envelope(Opcode.READY, encodeReady()),
        );
      }
      const { user = '?', password } = plainLogin(body) ?? {};
      asked.push(`login ${user}`);
      return Promise.resolve(
        password === cassandra.password
          ? envelope(Opcode.AUTH_SUCCESS, encodeAuthSuccess(null))
          : envelope(
              Opcode.ERROR,
              encodeError({ code: 0x0100, message: 'incorrect', extra: undefined }),
            ),
      );
    },
    close: () => asked.push('close'),
  };
  return Promise.resolve(node as unknown as NodeConnection);
}

const APP: VerifiedClient = {
  name: 'app',
  cassandraRole: 'app_rw',
  cassandraPassword: 'in cassandra',
};
const SAME: VerifiedClient = { name: 'app', cassandraRole: 'app', cassandraPassword: undefined };

function login(
  mode: Authenticator['mode'],
  client: VerifiedClient,
  certificate?: string,
): ClientLogin {
  return new ClientLogin({
    authenticator: {
      mode,
      admit: (user) => {
        if (user === 'limited') throw new AuthenticationError('LOGIN_LIMITED', 'wait');
      },
      ended: (user, address, isAccepted) => ended.push(`${user}@${address} ${String(isAccepted)}`),
      verifyPassword: (user, password) =>
        user === 'app' && password === 'right'
          ? Promise.resolve(client)
          : Promise.reject(new AuthenticationError('LOGIN_REFUSED', 'refused')),
      verifyCertificate: (shown) => {
        if (shown?.commonName === 'app') return client;
        throw new AuthenticationError('LOGIN_CERTIFICATE', 'no role');
      },
    },
    transport: {
      peer: '10.0.0.9:5555',
      certificate:
        certificate === undefined
          ? undefined
          : { commonName: certificate, altNames: [], fingerprint: '' },
    } as unknown as Transport,
    connect,
    loggedIn: ({ name }) => loggedIn.push(name),
  });
}

const token = (user: string, password: string): Buffer =>
  encodeAuthResponse(plainToken(user, password));

describe('a login by the list of roles', () => {
  it('asks for a password before Cassandra is connected to, and logs in there as the role', async () => {
    const way = login('password', APP);
    const first = await way.start(new Map());
    expect(first).toMatchObject({
      state: 'authenticating',
      answer: { opcode: Opcode.AUTHENTICATE },
    });
    expect(connections).toBe(0);
    const second = await way.respond(token('app', 'right'));
    expect(second).toMatchObject({
      state: 'ready',
      principal: 'app',
      answer: { opcode: Opcode.AUTH_SUCCESS },
    });
    expect(asked).toEqual(['STARTUP', 'login app_rw']);
    expect(ended).toEqual(['app@10.0.0.9 true']);
    expect(loggedIn).toEqual(['app']);
  });

  it('needs no login on a Cassandra that asks for none', async () => {
    cassandra.asks = false;
    const way = login('password', SAME);
    await way.start(new Map());
    expect(await way.respond(token('app', 'right'))).toMatchObject({
      state: 'ready',
      principal: 'app',
    });
    expect(asked).toEqual(['STARTUP']);
  });

  it('refuses a wrong password and other mechanisms without a word to Cassandra; another try is possible', async () => {
    const way = login('password', APP);
    await way.start(new Map());
    await expect(way.respond(token('app', 'in cassandra'))).rejects.toMatchObject({
      code: 'LOGIN_REFUSED',
    });
    await expect(way.respond(encodeAuthResponse(Buffer.from('n,,n=app')))).rejects.toMatchObject({
      code: 'LOGIN_REFUSED',
    });
    await expect(way.respond(token('limited', 'right'))).rejects.toMatchObject({
      code: 'LOGIN_LIMITED',
    });
    expect(connections).toBe(0);
    expect(ended).toEqual(['app@10.0.0.9 false']);
    expect(await way.respond(token('app', 'right'))).toMatchObject({ state: 'ready' });
  });

  it("gives Cassandra the client's own password where the proxy has none, and ends when that is refused there", async () => {
    const way = login('password', SAME);
    await way.start(new Map());
    await expect(way.respond(token('app', 'right'))).rejects.toMatchObject({
      code: 'LOGIN_CASSANDRA',
    });
    expect(asked).toEqual(['STARTUP', 'login app', 'close']);
    expect(loggedIn).toEqual([]);
    cassandra.password = 'right';
    expect(await way.respond(token('app', 'right'))).toMatchObject({ state: 'ready' });
  });
});

describe('a login by certificate', () => {
  it('needs no password where the proxy has that of the role', async () => {
    const step = await login('certificate', APP, 'app').start(new Map());
    expect(step).toMatchObject({
      state: 'ready',
      principal: 'app',
      answer: { opcode: Opcode.READY },
    });
    expect(asked).toEqual(['STARTUP', 'login app_rw']);
  });

  it.each([undefined, 'other'])(
    'refuses %s before Cassandra is connected to',
    async (certificate) => {
      await expect(login('certificate', APP, certificate).start(new Map())).rejects.toMatchObject({
        code: 'LOGIN_CERTIFICATE',
      });
      expect(connections).toBe(0);
    },
  );

  it("lets Cassandra ask for the password of the certificate's role, and of no other", async () => {
    const way = login('certificate', SAME, 'app');
    expect(await way.start(new Map())).toMatchObject({
      state: 'authenticating',
      principal: undefined,
    });
    for (const refused of [token('admin', 'in cassandra'), encodeAuthResponse(Buffer.from('x'))]) {
      await expect(way.respond(refused)).rejects.toMatchObject({ code: 'LOGIN_REFUSED' });
    }
    expect(asked).toEqual(['STARTUP']);
    expect(await way.respond(token('app', 'in cassandra'))).toMatchObject({
      state: 'ready',
      principal: 'app',
    });
    expect(loggedIn).toEqual(['app']);
  });
});

describe('a delegated login', () => {
  it('passes on what Cassandra and the client say, and counts failures', async () => {
    const way = login('delegated', SAME);
    expect(await way.start(new Map())).toMatchObject({ state: 'authenticating' });
    expect(await way.respond(token('bob', 'wrong'))).toMatchObject({
      state: 'authenticating',
      principal: undefined,
      answer: { opcode: Opcode.ERROR },
    });
    expect(await way.respond(token('bob', 'in cassandra'))).toMatchObject({
      state: 'ready',
      principal: 'bob',
    });
    expect(ended).toEqual(['bob@10.0.0.9 false', 'bob@10.0.0.9 true']);
    expect(loggedIn).toEqual([]);
    await expect(way.respond(token('limited', 'x'))).rejects.toMatchObject({
      code: 'LOGIN_LIMITED',
    });
  });

  it('is nobody where Cassandra asks for no login', async () => {
    cassandra.asks = false;
    expect(await login('delegated', SAME).start(new Map())).toMatchObject({
      state: 'ready',
      principal: undefined,
    });
  });
});
