/** The AWS command line, a listener on a key store of its own, and the SDK's client for it. */
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { KMSClient } from '@aws-sdk/client-kms';
import {
  AccessKeys,
  EmbeddedKms,
  KeyStore,
  KmsApi,
  loadRootKey,
  proxyPrincipal,
  userPrincipal,
} from '../../../src/kms/index.ts';
import type { KmsAuditEvent } from '../../../src/kms/index.ts';
import { startKmsListener } from '../../../src/kms_listener/index.ts';
import type { KmsListener } from '../../../src/kms_listener/index.ts';
import { systemClock } from '../../../src/util/index.ts';
import type { Clock } from '../../../src/util/index.ts';

const run = promisify(execFile);
const VENV = fileURLToPath(new URL('../../../.cache/aws_cli', import.meta.url));
const AWS = join(VENV, 'bin', 'aws');
const AWS_VERSION = '1.45.24';

/** What signs requests. */
export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** A listener, and what is behind it. */
export interface KmsFixture {
  readonly listener: KmsListener;
  /** `http://…` or `https://…` */
  readonly endpoint: string;
  readonly kms: EmbeddedKms;
  readonly storeId: string;
  readonly proxy: string;
  readonly events: readonly KmsAuditEvent[];
  /** ARN of a user. */
  principal(user: string): string;
  credentials(user: string, actions?: readonly string[]): Promise<Credentials>;
  client(credentials: Credentials): KMSClient;
}

/** Installs the AWS command line once. */
export async function installAwsCli(): Promise<void> {
  if (existsSync(AWS)) return;
  await run('python3', ['-m', 'venv', VENV]);
  await run(join(VENV, 'bin', 'pip'), ['install', '-q', `awscli==${AWS_VERSION}`]);
}

/** Runs `aws kms …`; gives what it printed, or its complaint. */
export async function awsKms(
  fixture: KmsFixture,
  credentials: Credentials & { readonly caFile?: string },
  ...args: readonly string[]
): Promise<{ readonly output: Record<string, unknown>; readonly complaint: string }> {
  const options = ['--endpoint-url', fixture.endpoint, '--region', 'eu-west-1', '--output', 'json'];
  try {
    const { stdout } = await run(AWS, [...options, 'kms', ...args], {
      env: {
        PATH: process.env['PATH'],
        HOME: tmpdir(),
        AWS_ACCESS_KEY_ID: credentials.accessKeyId,
        AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
        AWS_MAX_ATTEMPTS: '1',
        ...(credentials.caFile === undefined ? {} : { AWS_CA_BUNDLE: credentials.caFile }),
      },
    });
    const output = stdout.trim() === '' ? {} : (JSON.parse(stdout) as Record<string, unknown>);
    return { output, complaint: '' };
  } catch (error) {
    const { stderr } = error as { stderr: string };
    return { output: {}, complaint: stderr.trim() };
  }
}

/** Starts a listener on a fresh key store, with TLS where a certificate is given. */
export async function startFixture(
  options: {
    readonly tls?: { readonly cert: string; readonly key: string };
    readonly clock?: Clock;
  } = {},
): Promise<KmsFixture> {
  const clock = options.clock ?? systemClock;
  const path = join(mkdtempSync(join(tmpdir(), 'cqlock-listener-')), 'keystore');
  const value = Buffer.alloc(32, 3).toString('base64');
  const store = await KeyStore.create({ path, rootKey: loadRootKey({ kind: 'base64', value }) });
  const events: KmsAuditEvent[] = [];
  const audit = {
    ready: () => undefined,
    record: (event: KmsAuditEvent) => {
      events.push(event);
      return Promise.resolve();
    },
  };
  const accessKeys = new AccessKeys(store, systemClock);
  const listener = await startKmsListener({
    host: '127.0.0.1',
    port: 0,
    tls: options.tls,
    api: new KmsApi({ store, audit, clock }),
    accessKeys,
    audit,
    clock: systemClock,
    onFailure: (error) => {
      throw error;
    },
  });
  const { storeId } = store.read();
  const endpoint = `${options.tls === undefined ? 'http' : 'https'}://127.0.0.1:${listener.port}`;
  return {
    listener,
    endpoint,
    kms: new EmbeddedKms({ store, clock }),
    storeId,
    proxy: proxyPrincipal(storeId),
    events,
    principal: (user) => userPrincipal(storeId, user),
    credentials: async (user, actions = ['kms:*']) => {
      const { accessKeyId, secret } = await accessKeys.create(user, actions);
      return { accessKeyId, secretAccessKey: secret };
    },
    client: (credentials) =>
      new KMSClient({
        endpoint,
        region: 'us-east-1',
        credentials,
        maxAttempts: 1,
      }),
  };
}
