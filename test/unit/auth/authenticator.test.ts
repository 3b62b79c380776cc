import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  hashPassword,
  putRole,
  readRoles,
  removeRole,
  RoleAuthenticator,
} from '../../../src/auth/index.ts';
import { LoginLimiter } from '../../../src/auth/login_limiter.ts';
import { isPasswordHash, verifyHash } from '../../../src/auth/password_hash.ts';
import { fakeClock } from '../../support/fake_clock.ts';

let directory: string;
let path: string;
let hash: string;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'cqlock-roles-'));
  path = join(directory, 'roles.yaml');
  hash = await hashPassword('right');
});
beforeEach(() => {
  rmSync(path, { force: true });
});
afterAll(() => {
  rmSync(directory, { recursive: true, force: true });
});

const logins: string[] = [];
function open(mode: 'password' | 'certificate' = 'password'): RoleAuthenticator {
  return new RoleAuthenticator({
    mode,
    rolesFile: path,
    maxFailures: 3,
    failurePeriodMs: 60_000,
    clock: fakeClock(),
    onLogin: (result) => logins.push(result),
  });
}

describe('hashes of passwords', () => {
  it('have a salt, and fit their password alone', async () => {
    const other = await hashPassword('right');
    expect(other).not.toBe(hash);
    expect(hash).toMatch(/^scrypt\$32768\$8\$1\$/);
    expect(await verifyHash('right', hash)).toBe(true);
    expect(await verifyHash('Right', hash)).toBe(false);
    expect(await verifyHash('', hash)).toBe(false);
    expect(hash).not.toContain('right');
  });

  it.each([
    'right',
    '',
    'scrypt$3$8$1$AAAAAAAAAAAAAAAAAAAAAA==$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=',
    'scrypt$1073741824$8$1$AAAAAAAAAAAAAAAAAAAAAA==$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=',
  ])('are nothing else, and ask for no boundless work: %s', async (text) => {
    expect(isPasswordHash(text)).toBe(false);
    expect(await verifyHash('right', text)).toBe(false);
  });
});

describe('the list of roles', () => {
  it('is made, changed and kept private; comments stay', () => {
    putRole(path, 'app', { passwordHash: hash });
    expect(statSync(path).mode & 0o777).toBe(0o600);
    writeFileSync(path, readFileSync(path, 'utf8').replace('roles:', '# mine\nroles:'));
    putRole(path, 'job', { certificates: ['URI:spiffe://x/job'], cassandraRole: 'batch' });
    putRole(path, 'app', { cassandraRole: 'app_cassandra' });
    expect(readFileSync(path, 'utf8')).toContain('# mine');
    expect(readRoles(path)).toEqual([
      {
        name: 'app',
        passwordHash: hash,
        certificates: [],
        cassandraRole: 'app_cassandra',
        cassandraPassword: undefined,
      },
      {
        name: 'job',
        passwordHash: undefined,
        certificates: ['URI:spiffe://x/job'],
        cassandraRole: 'batch',
        cassandraPassword: undefined,
      },
    ]);
    removeRole(path, 'app');
    expect(readRoles(path).map(({ name }) => name)).toEqual(['job']);
    expect(() => removeRole(path, 'app')).toThrow(/no role app/);
  });

  it.each([
    [
      'a password in the clear',
      'roles:\n  app:\n    password: s3cret\n',
      /:3: roles\.app\.password: must be a hash made by cqlock role add/,
    ],
    [
      'a role without anything',
      'roles:\n  app: {}\n',
      /:2: roles\.app: has neither password nor certificates/,
    ],
    [
      'a certificate of no form',
      'roles:\n  app:\n    certificates: [app]\n',
      /:3: roles\.app\.certificates\.0: must be CN=name/,
    ],
    [
      'an unknown key',
      'roles:\n  app:\n    certificate: CN=x\n',
      /:3: roles\.app: has no certificate; there are password/,
    ],
    [
      'one certificate twice',
      'roles:\n  a:\n    certificates: [CN=x]\n  b:\n    certificates: [CN=x]\n',
      /:5: CN=x is that of a too/,
    ],
    ['no roles', 'app: {}\n', /:1: roles: must be a block of roles/],
    ['no YAML', 'roles: {', /:1: this is not YAML/],
    [
      'a password file that is missing',
      'roles:\n  a:\n    certificates: [CN=x]\n    cassandra_password_file: nowhere\n',
      /:3: cassandra_password_file nowhere cannot be read/,
    ],
  ])('refuses %s, with the line', (_what, text, message) => {
    writeFileSync(path, text);
    expect(() => readRoles(path)).toThrow(message);
    expect(() => readRoles(path)).not.toThrow(/s3cret/);
  });

  it('is not written when it would not be right', () => {
    putRole(path, 'app', { passwordHash: hash });
    const before = readFileSync(path, 'utf8');
    expect(() => putRole(path, 'other', {})).toThrow(/neither password nor certificates/);
    expect(() => putRole(path, 'other', { passwordHash: 'clear' })).toThrow(/must be a hash/);
    expect(readFileSync(path, 'utf8')).toBe(before);
  });
});

describe('RoleAuthenticator', () => {
  it('takes the right password, and refuses others and unknown roles in the same words', async () => {
    putRole(path, 'app', { passwordHash: hash, cassandraRole: 'db' });
    const authenticator = open();
    await expect(authenticator.verifyPassword('app', 'right')).resolves.toEqual({
      name: 'app',
      cassandraRole: 'db',
      cassandraPassword: undefined,
    });
    // From the cache now; a wrong one is still wrong.
    await expect(authenticator.verifyPassword('app', 'right')).resolves.toMatchObject({});
    for (const [user, password] of [
      ['app', 'wrong'],
      ['nobody', 'right'],
    ] as const) {
      await expect(authenticator.verifyPassword(user, password)).rejects.toMatchObject({
        code: 'LOGIN_REFUSED',
        message: `Provided username ${user} and/or password are incorrect`,
      });
    }
  });

  it('forgets a password that was changed, and names the roles whose connections are to be cut', async () => {
    putRole(path, 'app', { passwordHash: hash });
    putRole(path, 'job', { passwordHash: hash });
    const authenticator = open();
    await authenticator.verifyPassword('app', 'right');
    expect(authenticator.reload()).toEqual(new Set());
    putRole(path, 'app', { passwordHash: await hashPassword('new') });
    expect(authenticator.reload()).toEqual(new Set(['app']));
    await expect(authenticator.verifyPassword('app', 'right')).rejects.toThrow();
    await authenticator.verifyPassword('app', 'new');
    writeFileSync(path, 'nonsense');
    expect(() => authenticator.reload()).toThrow(/block/);
    expect(authenticator.reload()).toEqual(new Set());
    await authenticator.verifyPassword('app', 'new');
    rmSync(path);
    putRole(path, 'job', { passwordHash: hash });
    expect(authenticator.reload()).toEqual(new Set(['app']));
    await expect(authenticator.verifyPassword('app', 'new')).rejects.toThrow();
  });

  it('knows a role by the names in its certificate', () => {
    putRole(path, 'app', { certificates: ['CN=app', 'DNS:app.example.org'] });
    putRole(path, 'job', { certificates: ['URI:spiffe://x/job', `sha256:${'a'.repeat(64)}`] });
    const authenticator = open('certificate');
    const of = (
      commonName: string | undefined,
      altNames: string[] = [],
      fingerprint = 'b'.repeat(64),
    ) => authenticator.verifyCertificate({ commonName, altNames, fingerprint }).name;
    expect(of('app')).toBe('app');
    expect(of('x', ['DNS:app.example.org'])).toBe('app');
    expect(of(undefined, ['URI:spiffe://x/job'])).toBe('job');
    expect(of(undefined, [], 'a'.repeat(64))).toBe('job');
    expect(() => of('App')).toThrow(/that of no role/);
    expect(() => of('app.example.org')).toThrow(/that of no role/);
    expect(() => of('app', ['URI:spiffe://x/job'])).toThrow(/several roles \(app, job\)/);
    expect(() => authenticator.verifyCertificate(undefined)).toThrow(/that of no role/);
  });
});

describe('LoginLimiter', () => {
  it('makes a role wait at one address, and nobody else', () => {
    const clock = fakeClock();
    const limiter = new LoginLimiter(clock, { maxFailures: 3, periodMs: 60_000 });
    for (let i = 0; i < 3; i++) {
      limiter.admit('app', '10.0.0.1');
      limiter.ended('app', '10.0.0.1', false);
    }
    expect(() => limiter.admit('app', '10.0.0.1')).toThrow(/wait 60 s/);
    limiter.admit('job', '10.0.0.1');
    limiter.admit('app', '10.0.0.2');
    clock.advance(30_000);
    expect(() => limiter.admit('app', '10.0.0.1')).toThrow(/wait 30 s/);
    clock.advance(30_000);
    limiter.admit('app', '10.0.0.1');
    limiter.ended('app', '10.0.0.1', false);
    limiter.admit('app', '10.0.0.1');
  });

  it('forgets the failures of a role that came in, but not those of the address', () => {
    const clock = fakeClock();
    const limiter = new LoginLimiter(clock, { maxFailures: 2, periodMs: 60_000 });
    for (let i = 0; i < 20; i++) {
      limiter.ended('app', 'a', true);
      limiter.ended(`guess ${String(i)}`, 'a', false);
    }
    expect(() => limiter.admit('app', 'a')).toThrow(/too many failed logins/);
    limiter.admit('app', 'b');
  });
});
