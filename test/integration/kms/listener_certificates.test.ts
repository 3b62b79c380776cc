/** The certificate of the KMS listener, replaced while a client is connected. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import type { TLSSocket } from 'node:tls';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { serveKms } from '../../../src/app/start_kms_listener.ts';
import { KeyStore, loadRootKey } from '../../../src/kms/index.ts';
import type { KmsListener } from '../../../src/kms_listener/index.ts';
import { createLogger, createMetrics } from '../../../src/observability/index.ts';
import { makeCa } from '../../support/certificates.ts';
import type { TestCa } from '../../support/certificates.ts';

const DAY_SECONDS = 86_400;

let directory: string;
let ca: TestCa;
let listener: KmsListener;
const metrics = createMetrics();
const file = (name: string): string => join(directory, name);

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'cqlock-kms-tls-'));
  ca = await makeCa('cqlock test');
  const { cert, key } = await ca.issue({ commonName: 'first', days: 30 });
  writeFileSync(file('tls.crt'), cert);
  writeFileSync(file('tls.key'), key);
  const value = Buffer.alloc(32, 3).toString('base64');
  const store = await KeyStore.create({
    path: file('keystore'),
    rootKey: loadRootKey({ kind: 'base64', value }),
  });
  listener = await serveKms(
    {
      address: { host: '127.0.0.1', port: 0 },
      tls: { certFile: file('tls.crt'), keyFile: file('tls.key') },
    },
    store,
    createLogger({ level: 'silent' }),
    { ready: () => undefined, record: () => Promise.resolve() },
    { metrics, reloadMs: 20 },
  );
});

afterAll(async () => {
  await listener?.close();
  rmSync(directory, { recursive: true, force: true });
});

function open(): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port: listener.port, ca: ca.cert }, () => {
      resolve(socket);
    });
    socket.once('error', reject);
  });
}

/** Status line of an answer on this connection. */
function ask(socket: TLSSocket): Promise<string> {
  return new Promise((resolve, reject) => {
    socket.once('data', (chunk: Buffer) => {
      resolve(chunk.toString('latin1').split('\r\n', 1)[0] ?? '');
    });
    socket.once('close', () => {
      reject(new Error('the connection was closed'));
    });
    socket.write('POST / HTTP/1.1\r\nHost: kms\r\nContent-Length: 2\r\n\r\n{}');
  });
}

async function subject(): Promise<string> {
  const socket = await open();
  const { CN } = socket.getPeerCertificate().subject;
  socket.destroy();
  return String(CN);
}

async function daysLeft(): Promise<number> {
  const [, expiry] =
    /certificate_expiry_timestamp_seconds\{use="kms_listener"\} (\d+)/.exec(
      await metrics.render(),
    ) ?? [];
  return (Number(expiry) - Date.now() / 1_000) / DAY_SECONDS;
}

it('is seen by new connections, drops none that is open, and its expiry is a metric', async () => {
  const before = await open();
  expect(await subject()).toBe('first');
  const answer = await ask(before);
  expect(answer).toMatch(/^HTTP\/1\.1 4\d\d /);
  expect(await daysLeft()).toBeCloseTo(30, 0);

  const second = await ca.issue({ commonName: 'second', days: 90 });
  writeFileSync(file('tls.crt'), second.cert);
  // Half replaced: the pair does not fit, the old one stays and that is counted.
  await expect
    .poll(() => metrics.render(), { timeout: 30_000 })
    .toMatch(/certificate_reload_failures_total\{use="kms_listener"\} 1/);
  expect(await subject()).toBe('first');
  writeFileSync(file('tls.key'), second.key);
  await expect.poll(subject, { timeout: 30_000 }).toBe('second');
  expect(await daysLeft()).toBeCloseTo(90, 0);
  expect(await ask(before)).toBe(answer);
  before.destroy();
});
