import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseConfigFile } from '../../../src/config/config_file.ts';
import { FILE_KEYS, loadConfig, SECRETS, SETTING_NAMES } from '../../../src/config/index.ts';
import { environmentSchema } from '../../../src/config/load_config.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const SECRET = 'c2VjcmV0IG1hcmtlcg';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'cqlock-config-'));
  writeFileSync(join(directory, 'password'), `${SECRET}\n`);
  writeFileSync(join(directory, 'empty'), '\n');
});
afterAll(() => {
  rmSync(directory, { recursive: true, force: true });
});

function load(
  text: string,
  environment: Record<string, string> = {},
): ReturnType<typeof loadConfig> {
  const path = join(directory, 'cqlock.yaml');
  writeFileSync(path, text);
  return loadConfig({ XDG_CONFIG_HOME: '/xdg', CQLOCK_CONFIG: path, ...environment }, '/work');
}

function problem(text: string, environment: Record<string, string> = {}): string {
  try {
    load(text, environment);
  } catch (error) {
    expect(error).toMatchObject({ code: 'CONFIG_INVALID' });
    return (error as Error).message.replaceAll(`${directory}/`, '');
  }
  return 'accepted';
}

describe('a configuration file', () => {
  it('gives settings, lists, blocks and numbers; its paths start from its directory', () => {
    const config = load(`
listen: 127.0.0.1:9999
cassandra:
  contact_points: [a:9043, '10.0.0.2']
  username: cqlock
  password_file: password
tls:
  mode: optional
  certificate_file: tls.crt
  key_file: /abs/tls.key
  min_version: 1.3
limits: { max_connections: 17 }
backup:
  target: s3://bucket/prefix
audit: { directory: ../audit }
`);
    expect(config.listen.port).toBe(9999);
    expect(config.upstream.contactPoints).toEqual([
      { host: 'a', port: 9043 },
      { host: '10.0.0.2', port: 9042 },
    ]);
    expect(config.upstream.password).toBe(SECRET);
    expect(config.tls).toMatchObject({
      mode: 'optional',
      certFile: join(directory, 'tls.crt'),
      keyFile: '/abs/tls.key',
      minVersion: 'TLSv1.3',
    });
    expect(config.limits.maxConnections).toBe(17);
    expect(config.backup.target).toMatchObject({ kind: 's3', bucket: 'bucket' });
    expect(config.audit.dir).toBe(join(directory, '..', 'audit'));
  });

  it('is overridden by the environment, also a secret by its variable', () => {
    const text = 'listen: 127.0.0.1:1\ncassandra:\n  username: a\n  password_file: password\n';
    const config = load(text, { CQLOCK_LISTEN: '127.0.0.1:2', CQLOCK_PASSWORD: 'another' });
    expect(config.listen.port).toBe(2);
    expect(config.upstream.password).toBe('another');
  });

  it('understands anchors', () => {
    const config = load('cassandra:\n  username: &n x\n  local_datacenter: *n\n', {
      CQLOCK_PASSWORD: 'p',
    });
    expect(config.upstream.localDatacenter).toBe('x');
  });

  it('is missing: the message says so', () => {
    expect(() => loadConfig({ CQLOCK_CONFIG: '/nowhere/x.yaml' }, '/work')).toThrow(
      /\/nowhere\/x\.yaml cannot be read \(ENOENT\): correct --config/,
    );
  });

  it('has a place for every setting that is no secret, and for none else', () => {
    const secrets = new Set(SECRETS);
    const names = SETTING_NAMES.filter((name) => !secrets.has(name));
    expect(Object.keys(FILE_KEYS).sort()).toEqual([...names].sort());
    expect(new Set(Object.values(FILE_KEYS)).size).toBe(names.length);
  });
});

describe('broken configurations name the line and what to do', () => {
  // [what is broken, the file, where, what to do]
  const cases: readonly (readonly [string, string, number, RegExp])[] = [
    [
      'an unknown key',
      'listen: 127.0.0.1:1\nlisten_port: 9\n',
      2,
      /no such setting; at the top there are listen, /,
    ],
    [
      'an unknown key of a block',
      'tls:\n  mode: off\n  cert: x\n',
      3,
      /in tls there are mode, certificate_file/,
    ],
    [
      'a key twice',
      'listen: 127.0.0.1:1\nlog_level: info\nlisten: 127.0.0.1:2\n',
      3,
      /twice: remove one/,
    ],
    ['tabs', 'tls:\n\tmode: off\n', 2, /use spaces/],
    [
      'an open quote',
      'log_level: info\nlisten: "127.0.0.1:1\n',
      3,
      /a quote, bracket or colon is missing/,
    ],
    [
      'an open bracket',
      'cassandra:\n  contact_points: [a, b\nlog_level: info\n',
      3,
      /a bracket above that is not closed/,
    ],
    ['two documents', 'log_level: info\n---\nlog_level: warn\n', 2, /one document/],
    ['a list at the top', '- listen\n', 1, /key: value/],
    ['a word for a block', '\ntls: required\n', 2, /must be a block with mode, /],
    ['a list for one value', 'listen: [a:1, b:2]\n', 1, /listen: must be one value/],
    [
      'an address without port',
      'log_level: info\nlisten: localhost\n',
      2,
      /listen: must be host:port, e\.g\. /,
    ],
    [
      'a duration without unit',
      'keys:\n  lease_idle: 5\n',
      2,
      /keys\.lease_idle: must be a duration such as/,
    ],
    [
      'a number out of range',
      'limits:\n  max_frame_bytes: 10\n',
      2,
      /limits\.max_frame_bytes: must be a whole number from/,
    ],
    [
      'a word that is none of the choices',
      'log_level: loud\n',
      1,
      /log_level: must be trace, debug/,
    ],
    [
      'a password in the file',
      `cassandra:\n  username: cqlock\n  password: ${SECRET}\n`,
      3,
      /write it to a file and name that at cassandra\.password_file, or set CQLOCK_PASSWORD/,
    ],
    [
      'a secret file that is missing',
      'cassandra:\n  username: u\n  password_file: nowhere\n',
      3,
      /cassandra\.password_file: the file .*nowhere cannot be read \(ENOENT\); correct the path/,
    ],
    [
      'a secret file that is empty',
      'cassandra:\n  username: u\n  password_file: empty\n',
      3,
      /is empty; write the secret to it/,
    ],
    [
      'a user without password',
      'log_level: info\ncassandra:\n  username: only\n',
      3,
      /cassandra\.username, cassandra\.password_file: both or none must be set/,
    ],
    [
      'a certificate without key',
      'tls:\n  mode: required\n  certificate_file: a.crt\n',
      3,
      /tls\.certificate_file, tls\.key_file: TLS is required, so both must be set/,
    ],
    [
      'a network address in plain text by mistake',
      'log_level: info\nlisten: 0.0.0.0:9142\n',
      2,
      /needs a choice at tls\.mode: required/,
    ],
    [
      'client certificates without CA',
      'tls:\n  mode: required\n  certificate_file: a\n  key_file: b\n  client_certificates: required\n',
      5,
      /tls\.client_ca_file: must name the CA/,
    ],
    [
      'client certificates where TLS is optional',
      'tls:\n  mode: optional\n  certificate_file: a\n  key_file: b\n  client_certificates: required\n  client_ca_file: c\n',
      2,
      /set it to required/,
    ],
    [
      'a CA of Cassandra without TLS',
      'cassandra:\n  tls:\n    ca_file: ca.crt\n',
      3,
      /cassandra\.tls\.ca_file: needs cassandra\.tls\.mode to be required/,
    ],
    [
      'roles without a list',
      'authentication:\n  mode: password\n',
      2,
      /authentication\.roles_file: .*cqlock role add/,
    ],
    [
      'certificates that nobody asks for',
      'authentication:\n  mode: certificate\n  roles_file: r\n',
      2,
      /tls\.client_certificates: must be required, as authentication\.mode is certificate/,
    ],
    [
      'a provider without its address',
      'kms:\n  providers: [vault]\n  vault:\n    token_file: t\n',
      3,
      /kms\.vault\.address: vault is a provider, so it must be set/,
    ],
    [
      'settings of a provider that is none',
      'kms:\n  providers: []\n  aws:\n    region: eu-central-1\n',
      4,
      /kms\.aws\.region: aws is not in kms\.providers/,
    ],
    [
      'two root keys',
      'root_key:\n  file: /a\n  passphrase_file: password\n',
      3,
      /only one of them may be set/,
    ],
    [
      'a root key beside the data',
      'directories:\n  data: /srv/cqlock\nroot_key:\n  file: /srv/cqlock/root.key\n',
      4,
      /root_key\.file: must lie outside directories\.data/,
    ],
    [
      'an age shorter than its period',
      'catalog:\n  refresh: 1m\n  max_age: 30s\n',
      3,
      /must be at least twice catalog\.refresh/,
    ],
  ];

  it.each(cases)('%s', (_what, text, line, advice) => {
    const message = problem(text);
    expect(message).toMatch(new RegExp(`cqlock\\.yaml:${String(line)}: `));
    expect(message).toMatch(advice);
    expect(message).not.toContain(SECRET);
  });

  it('says what a variable has broken by the name of the variable', () => {
    const message = problem('log_level: info\n', { CQLOCK_LISTEN: 'nonsense' });
    expect(message).toContain('CQLOCK_LISTEN: must be host:port');
    expect(message).not.toContain('cqlock.yaml');
  });

  it('lists all at once', () => {
    const message = problem('listen: x\nlog_level: loud\nnothing: 1\n');
    expect([...message.matchAll(/cqlock\.yaml:(\d)/g)].map(([, line]) => line).sort()).toEqual([
      '1',
      '2',
      '3',
    ]);
  });
});

describe('docs/configuration.md', () => {
  it('lists every setting once, with its key', () => {
    const text = readFileSync(join(ROOT, 'docs/configuration.md'), 'utf8');
    const rows = [...text.matchAll(/^\| `(CQLOCK_[A-Z0-9_]+)` +\| (?:`([a-z0-9_.]+)`|–) /gm)];
    const listed = rows.map(([, name = '', key]) => [name, key]).sort();
    const expected = SETTING_NAMES.map((name) => [name, FILE_KEYS[name]]).sort();
    expect(listed).toEqual(expected);
  });
});

describe('cqlock.example.yaml', () => {
  const example = readFileSync(join(ROOT, 'cqlock.example.yaml'), 'utf8');
  const uncommented = example.replace(/^( *)# (?=[a-z_0-9]+: )/gm, '$1');

  it('is right as it is, and changes nothing', () => {
    const changes = { CQLOCK_CONFIG: join(ROOT, 'cqlock.example.yaml'), XDG_CONFIG_HOME: '/xdg' };
    const config = loadConfig(changes, '/work');
    const defaults = loadConfig({ XDG_CONFIG_HOME: '/xdg' }, '/work');
    expect({ ...config, file: undefined, places: defaults.places }).toEqual(defaults);
  });

  it('has every setting once, with its default where there is one', () => {
    const parsed = parseConfigFile(uncommented, 'example', '');
    expect(parsed.problems).toEqual([]);
    expect([...parsed.values.keys()].sort()).toEqual(Object.keys(FILE_KEYS).sort());
    for (const [name, schema] of Object.entries(environmentSchema.shape)) {
      const fallback = schema.safeParse(undefined);
      const isShown =
        fallback.data !== undefined && name in FILE_KEYS && !/_DIR$|PROVIDERS|CONTACT/.test(name);
      if (!isShown) continue;
      const shown = schema.safeParse(parsed.values.get(name));
      expect(shown.data, name).toEqual(fallback.data);
    }
  });
});
