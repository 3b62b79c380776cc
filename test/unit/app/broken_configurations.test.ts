/** `cqlock check`, on files that are wrong: each message names the line and says what to do. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { allFindings } from '../../../src/app/check/index.ts';
import { findFreePort } from '../../../src/app/embedded_cassandra/index.ts';
import { KeyStore, loadRootKey } from '../../../src/kms/index.ts';
import { loadConfig } from '../../../src/config/index.ts';
import { ProxyError } from '../../../src/errors/index.ts';
import { silentLogger } from '../../../src/observability/index.ts';
import { makeCa } from '../../support/certificates.ts';

/** Appears in files only, never in a message. */
const SECRET = 'c2VjcmV0IG1hcmtlcg';

let directory: string;
let freePort: number;

const put = (name: string, text: string | Uint8Array, mode = 0o600): void => {
  writeFileSync(join(directory, name), text, { mode });
};

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'cqlock-broken-'));
  freePort = await findFreePort();
  const ca = await makeCa('cqlock test');
  const [right, other, expired] = await Promise.all([
    ca.issue({ commonName: 'right' }),
    ca.issue({ commonName: 'other' }),
    ca.issue({ commonName: 'expired', days: -1 }),
  ]);
  put('ca.pem', ca.cert);
  put('right.crt', right.cert);
  put('right.key', right.key);
  put('open.key', right.key);
  chmodSync(join(directory, 'open.key'), 0o644);
  put('other.key', other.key);
  put('expired.crt', expired.cert);
  put('expired.key', expired.key);
  put('nonsense.pem', `${SECRET}\n`);
  put('password', `${SECRET}\n`);
  put('empty', '\n');
  put('short.key', Buffer.alloc(31, 1));
  put('another.key', Buffer.alloc(32, 2));
  put('plain_roles.yaml', `roles:\n  app:\n    password: ${SECRET}\n`);
  put('mistyped_roles.yaml', 'roles:\n  app:\n    certificate: CN=app\n');
  // A key store of its own root key, for what is wrong with that.
  put('root.key', Buffer.alloc(32, 1));
  mkdirSync(join(directory, 'state'));
  await KeyStore.create({
    path: join(directory, 'state', 'keystore.cqlock'),
    rootKey: loadRootKey({ kind: 'file', path: join(directory, 'root.key') }),
  });
});

afterAll(() => {
  rmSync(directory, { recursive: true, force: true });
});

/** What the command says of a file: that its settings are wrong, or its findings. */
async function check(
  text: string,
  options: { readonly isOffline?: boolean; readonly env?: Record<string, string> } = {},
): Promise<string> {
  put('cqlock.yaml', text);
  const environment = { XDG_CONFIG_HOME: directory, CQLOCK_CONFIG: 'cqlock.yaml', ...options.env };
  try {
    const config = loadConfig(environment, directory);
    const isOffline = options.isOffline ?? true;
    const findings = await allFindings(config, silentLogger, { isOffline });
    return findings.map(({ level, message }) => `${level} ${message}`).join('\n');
  } catch (error) {
    if (!(error instanceof ProxyError)) throw error;
    return `error ${error.message}`;
  }
}

const LISTENER = 'tls:\n  mode: required\n';
const KEY_STORE = 'directories:\n  state: state\n';

/** What is wrong, the file, the line and key that the message names, and what it says. */
type Case = readonly [what: string, text: string, place: string, advice: RegExp];

const OFFLINE: readonly Case[] = [
  [
    'a certificate that is missing',
    `${LISTENER}  certificate_file: nowhere.crt\n  key_file: right.key\n`,
    '3: tls.certificate_file',
    /nowhere\.crt cannot be read \(ENOENT\); correct the path/,
  ],
  [
    'a file without a certificate',
    `${LISTENER}  certificate_file: nonsense.pem\n  key_file: right.key\n`,
    '3: tls.certificate_file',
    /has no certificate in PEM/,
  ],
  [
    'the key of another certificate',
    `${LISTENER}  certificate_file: right.crt\n  key_file: other.key\n`,
    '4: tls.key_file',
    /is not the key of the certificate in .*right\.crt.*give both of one pair/,
  ],
  [
    'a certificate that has expired',
    `${LISTENER}  certificate_file: expired.crt\n  key_file: expired.key\n`,
    '3: tls.certificate_file',
    /has expired: replace .*expired\.crt/,
  ],
  [
    'a CA of clients that is none',
    `${LISTENER}  certificate_file: right.crt\n  key_file: right.key\n  client_certificates: required\n  client_ca_file: nonsense.pem\n`,
    '6: tls.client_ca_file',
    /has no certificate in PEM/,
  ],
  [
    "a CA of Cassandra's nodes that is missing",
    'cassandra:\n  tls:\n    mode: required\n    ca_file: nowhere.pem\n',
    '4: cassandra.tls.ca_file',
    /nowhere\.pem cannot be read/,
  ],
  [
    'the certificate of the KMS listener that is missing',
    'kms:\n  listener:\n    address: 0.0.0.0:9143\n    certificate_file: nowhere.crt\n    key_file: right.key\n',
    '4: kms.listener.certificate_file',
    /TLS of the KMS listener: .*nowhere\.crt cannot be read/,
  ],
  [
    'a password in the list of roles',
    'authentication:\n  mode: password\n  roles_file: plain_roles.yaml\n',
    '3: authentication.roles_file',
    /plain_roles\.yaml:3: .*must be a hash made by cqlock role add/,
  ],
  [
    'a key that the list of roles has not',
    'authentication:\n  mode: password\n  roles_file: mistyped_roles.yaml\n',
    '3: authentication.roles_file',
    /mistyped_roles\.yaml:\d: .*there are password, certificates/,
  ],
  [
    'a root key that is too short',
    `${KEY_STORE}root_key:\n  file: short.key\n`,
    '4: root_key.file',
    /short\.key has 31 bytes; it must have exactly 32/,
  ],
  [
    'a root key that is missing',
    `${KEY_STORE}root_key:\n  file: nowhere.key\n`,
    '4: root_key.file',
    /is missing; put it back from its backup/,
  ],
  [
    'the root key of another key store',
    `${KEY_STORE}root_key:\n  file: another.key\n`,
    '4: root_key.file|2: directories.state',
    /root key/,
  ],
  [
    'the CA of a Vault that is missing',
    'kms:\n  providers: [vault]\n  vault:\n    address: https://10.0.0.1:8200\n    ca_file: nowhere.pem\n    token_file: password\n',
    '5: kms.vault.ca_file',
    /nowhere\.pem/,
  ],
  [
    'the certificate of a KMIP client that is missing',
    'kms:\n  providers: [kmip]\n  kmip:\n    address: 10.0.0.1:5696\n    ca_file: ca.pem\n    certificate_file: nowhere.crt\n    key_file: right.key\n',
    '6: kms.kmip.certificate_file',
    /nowhere\.crt/,
  ],
  [
    'a setting that is mistyped',
    'log_level: info\nlistn: 127.0.0.1:1\n',
    '2: listn',
    /there is no such setting; at the top there are listen, /,
  ],
  [
    'a password in the file',
    `cassandra:\n  username: cqlock\n  password: ${SECRET}\n`,
    '3: cassandra.password',
    /write it to a file and name that at cassandra\.password_file/,
  ],
  [
    'a password file that is empty',
    'cassandra:\n  username: cqlock\n  password_file: empty\n',
    '3: cassandra.password_file',
    /is empty; write the secret to it/,
  ],
  [
    'plain text over the network by mistake',
    'log_level: info\nlisten: 0.0.0.0:9142\n',
    '2: listen',
    /needs a choice at tls\.mode/,
  ],
  [
    'a bracket that is open',
    'cassandra:\n  contact_points: [a, b\nlog_level: info\n',
    '3',
    /a bracket above that is not closed/,
  ],
];

describe('cqlock check on a broken configuration', () => {
  it.each(OFFLINE)('%s', async (_what, text, place, advice) => {
    const output = await check(text);
    expect(output).toMatch(
      new RegExp(`^(?:error|) *cqlock\\.yaml:(?:${place.replaceAll('.', '\\.')}): `, 'm'),
    );
    expect(output).toMatch(advice);
    expect(output).not.toContain(SECRET);
  });

  it('nothing that listens at the contact point', async () => {
    const address = `127.0.0.1:${String(freePort)}`;
    const output = await check(`log_level: error\ncassandra:\n  contact_points: [${address}]\n`, {
      isOffline: false,
    });
    expect(output).toMatch(/^error cqlock\.yaml:3: cassandra\.contact_points: cannot connect/m);
    expect(output).toMatch(/ECONNREFUSED.*correct the addresses of the nodes/s);
  });

  it('warns, with the line, of a key that everybody can read', async () => {
    const output = await check(`${LISTENER}  certificate_file: right.crt\n  key_file: open.key\n`);
    expect(output).toMatch(/^warning cqlock\.yaml:4: tls\.key_file: .*chmod 600 .*open\.key/m);
    expect(output).not.toMatch(/^error/m);
  });

  it('names the variable where that is what is wrong', async () => {
    const output = await check(
      `${LISTENER}  certificate_file: right.crt\n  key_file: right.key\n`,
      { env: { CQLOCK_TLS_KEY_FILE: 'other.key' } },
    );
    expect(output).toMatch(/^error CQLOCK_TLS_KEY_FILE: TLS of/m);
  });
});
