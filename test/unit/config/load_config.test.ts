import { describe, expect, it } from 'vitest';
import { describeConfig, loadConfig, parseAddress } from '../../../src/config/index.ts';
import { ConfigError } from '../../../src/errors/index.ts';

const load = (environment: Record<string, string>): ReturnType<typeof loadConfig> =>
  loadConfig({ XDG_CONFIG_HOME: '/xdg', ...environment }, '/work');

function problem(environment: Record<string, string>): string {
  try {
    load(environment);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as ConfigError).message;
  }
  return 'accepted';
}

describe('loadConfig', () => {
  it('has the documented defaults', () => {
    const config = load({});
    expect(config.listen).toEqual({ host: '127.0.0.1', port: 9142 });
    expect(config.httpListen).toEqual({ host: '127.0.0.1', port: 9180 });
    expect(config.upstream).toMatchObject({ contactPoints: [], embeddedPort: 9242 });
    expect(config.dataDir).toBe('/work/data');
    expect(config.stateDir).toBe('/work/data/state');
    expect(config.rootKey).toEqual({ kind: 'file', path: '/xdg/cqlock/root.key', isDefault: true });
    expect(config.leases).toEqual({ idleMs: 300_000, maxAgeMs: 3_600_000 });
    expect(config.catalogMaxAgeMs).toBe(120_000);
    expect(config.rotation).toEqual({
      maxAgeMs: 31_536_000_000,
      maxCells: 2 ** 40,
      rowsPerSecond: 2_000,
      reencryption: 'on_demand',
    });
    expect(config.audit).toEqual({ dir: '/work/data/state/audit', required: true });
  });

  it('reads contact points with and without port, also IPv6', () => {
    expect(
      load({ CQLOCK_CONTACT_POINTS: 'a:9043, 10.0.0.2 ,[::1]:9044' }).upstream.contactPoints,
    ).toEqual([
      { host: 'a', port: 9043 },
      { host: '10.0.0.2', port: 9042 },
      { host: '::1', port: 9044 },
    ]);
  });

  it('takes an empty variable as not set', () => {
    expect(load({ CQLOCK_LISTEN: '', CQLOCK_CONTACT_POINTS: '' }).listen.port).toBe(9142);
  });

  it.each([
    ['CQLOCK_LISTEN', 'nonsense'],
    ['CQLOCK_LISTEN', '127.0.0.1:65536'],
    ['CQLOCK_HTTP_LISTEN', ':9180'],
    ['CQLOCK_CONTACT_POINTS', 'a:1,,b:2'],
    ['CQLOCK_CONTACT_POINTS', 'a:0'],
    ['CQLOCK_EMBEDDED_CASSANDRA_PORT', '0'],
    ['CQLOCK_EMBEDDED_CASSANDRA_PORT', '12.5'],
    ['CQLOCK_EMBEDDED_CASSANDRA', 'podman'],
    ['CQLOCK_LOG_LEVEL', 'loud'],
    ['CQLOCK_MAX_FRAME_BYTES', '10'],
    ['CQLOCK_LEASE_IDLE', '5'],
    ['CQLOCK_LEASE_IDLE', '0s'],
    ['CQLOCK_LEASE_MAX_AGE', '1m'],
    ['CQLOCK_CATALOG_MAX_AGE', '59s'],
    ['CQLOCK_CELL_KEY_MAX_AGE', '1w'],
    ['CQLOCK_CELL_KEY_MAX_CELLS', '70368744177665'],
    ['CQLOCK_REENCRYPT', 'never'],
    ['CQLOCK_REENCRYPT_ROWS_PER_SECOND', '0'],
    ['CQLOCK_LISTENN', '127.0.0.1:1'],
    ['CQLOCK_ROOT_KEY_FILE', '/work/data/root.key'],
    ['CQLOCK_STATE_DIR', 'data/cassandra/state'],
    ['CQLOCK_USERNAME', 'only a name'],
  ])('refuses %s=%s and names it', (name, value) => {
    expect(problem({ [name]: value })).toContain(name);
  });

  it('names every wrong setting at once', () => {
    const message = problem({ CQLOCK_LISTEN: 'x', CQLOCK_MAX_FRAME_BYTES: 'y' });
    expect(message).toContain('CQLOCK_LISTEN');
    expect(message).toContain('CQLOCK_MAX_FRAME_BYTES');
  });

  it('never repeats a secret, neither in a message nor in the description', () => {
    const secret = 'c2VjcmV0IG1hcmtlcg';
    expect(problem({ CQLOCK_ROOT_KEY: secret })).toContain('CQLOCK_ROOT_KEY');
    expect(problem({ CQLOCK_ROOT_KEY: secret })).not.toContain(secret);
    expect(problem({ CQLOCK_PASSWORD: secret })).not.toContain(secret);
    const key = Buffer.alloc(32, 7).toString('base64');
    const config = load({ CQLOCK_ROOT_KEY: key, CQLOCK_USERNAME: 'u', CQLOCK_PASSWORD: secret });
    expect(config.rootKey).toEqual({ kind: 'base64', value: key });
    const described = JSON.stringify(describeConfig(config));
    expect(described).not.toContain(key);
    expect(described).not.toContain(secret);
  });

  it('knows days, and takes no time of a lost key that is shorter', () => {
    expect(load({ CQLOCK_KEY_LOSS_DROP_AFTER: '30d' }).keyLoss.dropAfterMs).toBe(30 * 86_400_000);
    expect(load({}).keyLoss).toEqual({ checkPeriodMs: 60_000, dropAfterMs: 7 * 86_400_000 });
    expect(problem({ CQLOCK_KEY_LOSS_DROP_AFTER: '7m' })).toContain('CQLOCK_KEY_LOSS_DROP_AFTER');
  });

  const SECRET = 'sixteen letters!';

  it('takes a webhook and mail, and shows neither secret nor path nor recipients', () => {
    const config = load({
      CQLOCK_NOTIFY_WEBHOOK_URL: 'https://hooks.example.org/t0ken',
      CQLOCK_NOTIFY_WEBHOOK_SECRET: SECRET,
      CQLOCK_NOTIFY_SMTP_URL: 'smtp://user%40x:p%3Aw0rd@mail.example.org',
      CQLOCK_NOTIFY_EMAIL_FROM: 'cqlock@example.org',
      CQLOCK_NOTIFY_EMAIL_TO: 'a@example.org, b@example.org,a@example.org',
    });
    expect(config.notify).toEqual({
      webhook: { url: 'https://hooks.example.org/t0ken', secret: SECRET },
      email: {
        smtp: {
          host: 'mail.example.org',
          port: 587,
          tls: 'starttls',
          username: 'user@x',
          password: 'p:w0rd',
        },
        from: 'cqlock@example.org',
        to: ['a@example.org', 'b@example.org'],
      },
    });
    const described = JSON.stringify(describeConfig(config));
    for (const hidden of ['t0ken', SECRET, 'w0rd', 'user@x', 'a@example.org']) {
      expect(described).not.toContain(hidden);
    }
    expect(described).toContain('"webhook":"https://hooks.example.org"');
    expect(described).toContain('"email":"mail.example.org:587"');
  });

  it.each([
    ['smtps://mail.example.org', { port: 465, tls: 'implicit' }],
    ['smtp://127.0.0.1:25?tls=none', { host: '127.0.0.1', port: 25, tls: 'none' }],
    ['smtp://[::1]:25', { host: '::1', tls: 'starttls' }],
  ])('takes the mail server %s', (url, expected) => {
    const { notify } = load({
      CQLOCK_NOTIFY_SMTP_URL: url,
      CQLOCK_NOTIFY_EMAIL_FROM: 'a@b',
      CQLOCK_NOTIFY_EMAIL_TO: 'c@d',
    });
    expect(notify.email?.smtp).toMatchObject(expected);
  });

  it.each([
    ['CQLOCK_NOTIFY_WEBHOOK_URL', 'ftp://s3cret.example.org'],
    ['CQLOCK_NOTIFY_WEBHOOK_URL', 'https://s3cret@example.org/'],
    ['CQLOCK_NOTIFY_WEBHOOK_SECRET', 's3cret short'],
    ['CQLOCK_NOTIFY_SMTP_URL', 'https://u:s3cret@example.org'],
    ['CQLOCK_NOTIFY_SMTP_URL', 'smtp://u:s3cret@example.org?tls=maybe'],
    ['CQLOCK_NOTIFY_SMTP_URL', 'smtps://u:s3cret@example.org?tls=none'],
    ['CQLOCK_NOTIFY_SMTP_URL', 'smtp://s3cret@example.org'],
    ['CQLOCK_NOTIFY_SMTP_URL', 'smtp://u:%s3cret@example.org'],
    ['CQLOCK_NOTIFY_EMAIL_TO', 's3cret'],
    ['CQLOCK_NOTIFY_EMAIL_FROM', 's3cret <a@b>'],
    ['CQLOCK_NOTIFY_EMAIL_FROM', 'a@s3cret.example.org'],
    ['CQLOCK_NOTIFY_WEBHOOK_URL', 'https://example.org/s3cret'],
  ])('refuses %s that is wrong or alone, without repeating it: %s', (name, value) => {
    expect(problem({ [name]: value })).toContain(name);
    expect(problem({ [name]: value })).not.toContain('s3cret');
  });

  it('takes one source of the root key only', () => {
    expect(problem({ CQLOCK_ROOT_KEY_FILE: '/k', CQLOCK_ROOT_PASSPHRASE: 'p' })).toContain(
      'only one',
    );
  });
});

describe('parseAddress', () => {
  it.each([
    ['host:1', { host: 'host', port: 1 }],
    ['[fe80::1]:2', { host: 'fe80::1', port: 2 }],
    ['host', undefined],
    ['fe80::1:2', undefined],
    ['user@host:1', undefined],
    ['host:99999', undefined],
    ['host:0', undefined],
  ])('%s', (text, expected) => {
    expect(parseAddress(text)).toEqual(expected);
  });
});

describe('the settings of KMS providers', () => {
  it('are off unless asked for', () => {
    expect(load({}).kms).toEqual({ providers: [], bareNames: 'embedded', callTimeoutMs: 8_000 });
  });

  it('make one provider each, with paths from the working directory', () => {
    const { kms } = load({
      CQLOCK_KMS_PROVIDERS: 'kmip, aws,vault,pkcs11',
      CQLOCK_KMS_BARE_NAMES: 'aws',
      CQLOCK_KMS_AWS_REGION: 'eu-west-1',
      CQLOCK_KMS_VAULT_ADDRESS: 'https://vault:8200',
      CQLOCK_KMS_VAULT_ROLE_ID: 'r',
      CQLOCK_KMS_VAULT_SECRET_ID: 's3cret-id',
      CQLOCK_KMS_PKCS11_LIBRARY: '/lib/hsm.so',
      CQLOCK_KMS_PKCS11_TOKEN: 'token',
      CQLOCK_KMS_PKCS11_PIN: 's3cret-pin',
      CQLOCK_KMS_KMIP_ADDRESS: 'kmip',
      CQLOCK_KMS_KMIP_CA_FILE: 'ca.pem',
      CQLOCK_KMS_KMIP_CERTIFICATE_FILE: 'c.pem',
      CQLOCK_KMS_KMIP_KEY_FILE: '/k.pem',
    });
    expect(kms.bareNames).toBe('aws');
    expect(kms.providers).toEqual([
      { kind: 'aws', region: 'eu-west-1', endpoint: undefined, granteePrincipal: undefined },
      {
        kind: 'vault',
        address: 'https://vault:8200',
        namespace: '',
        mount: 'transit',
        caFile: undefined,
        auth: { kind: 'approle', mount: 'approle', roleId: 'r', secretId: 's3cret-id' },
      },
      {
        kind: 'pkcs11',
        library: '/lib/hsm.so',
        tokenLabel: 'token',
        pin: { kind: 'pin', value: 's3cret-pin' },
      },
      {
        kind: 'kmip',
        address: { host: 'kmip', port: 5696 },
        caFile: '/work/ca.pem',
        certificateFile: '/work/c.pem',
        keyFile: '/k.pem',
      },
    ]);
  });

  it('never show a secret', () => {
    const config = load({
      CQLOCK_KMS_PROVIDERS: 'vault,pkcs11',
      CQLOCK_KMS_VAULT_ADDRESS: 'https://vault:8200',
      CQLOCK_KMS_VAULT_TOKEN: 's3cret-token',
      CQLOCK_KMS_PKCS11_LIBRARY: '/lib/hsm.so',
      CQLOCK_KMS_PKCS11_TOKEN: 'token',
      CQLOCK_KMS_PKCS11_PIN: 's3cret-pin',
    });
    const text = JSON.stringify(describeConfig(config));
    expect(text).toContain('https://vault:8200');
    expect(text).not.toContain('s3cret');
  });

  it.each([
    [{ CQLOCK_KMS_PROVIDERS: 'gcp' }, 'CQLOCK_KMS_PROVIDERS'],
    [{ CQLOCK_KMS_PROVIDERS: 'aws,aws' }, 'CQLOCK_KMS_PROVIDERS'],
    [{ CQLOCK_KMS_PROVIDERS: 'vault' }, 'CQLOCK_KMS_VAULT_ADDRESS'],
    [{ CQLOCK_KMS_PROVIDERS: 'pkcs11' }, 'CQLOCK_KMS_PKCS11_PIN, CQLOCK_KMS_PKCS11_PIN_FILE'],
    [{ CQLOCK_KMS_BARE_NAMES: 'aws' }, 'CQLOCK_KMS_BARE_NAMES'],
    [{ CQLOCK_KMS_AWS_REGION: 'eu-west-1' }, 'CQLOCK_KMS_AWS_REGION'],
    [{ CQLOCK_KMS_AWS_ENDPOINT: 'http://kms.example' }, 'CQLOCK_KMS_AWS_ENDPOINT'],
    [{ CQLOCK_KMS_VAULT_ADDRESS: 'https://u:s3cret@vault' }, 'CQLOCK_KMS_VAULT_ADDRESS'],
  ])('refuse %o', (environment, named) => {
    const message = problem(environment);
    expect(message).toContain(`\n  ${named}`);
    expect(message).not.toContain('s3cret');
  });
});
