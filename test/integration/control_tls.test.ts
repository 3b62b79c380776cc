import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer } from 'node:tls';
import type { Server } from 'node:tls';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { upstreamTlsOptions, WatchedTls } from '../../src/net/index.ts';
import { ControlConnection } from '../../src/upstream/index.ts';
import { makeCa } from '../support/certificates.ts';
import type { TestCa } from '../support/certificates.ts';

let directory: string;
let ca: TestCa;
let server: Server;
let port: number;
/** Who has shown a certificate that the CA vouches for. */
const seen: string[] = [];

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'cqlock-control-'));
  ca = await makeCa('cqlock test');
  const node = await ca.issue({ commonName: 'node' });
  server = createServer(
    { ...node, ca: ca.cert, requestCert: true, rejectUnauthorized: true },
    (socket) => {
      seen.push(String(socket.getPeerCertificate().subject.CN));
      socket.on('error', () => undefined);
      socket.destroy();
    },
  );
  server.on('tlsClientError', () => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  port = typeof address === 'object' && address !== null ? address.port : 0;
});

afterAll(() => {
  server?.close();
  rmSync(directory, { recursive: true, force: true });
});

async function put(commonName: string): Promise<void> {
  const { cert, key } = await ca.issue({ commonName });
  writeFileSync(join(directory, 'own.crt'), cert);
  writeFileSync(join(directory, 'own.key'), key);
}

function files(caPem: string): WatchedTls {
  writeFileSync(join(directory, 'ca.pem'), caPem);
  return new WatchedTls(
    {
      what: 'a test',
      certFile: join(directory, 'own.crt'),
      keyFile: join(directory, 'own.key'),
      caFile: join(directory, 'ca.pem'),
    },
    { onRead: () => undefined, onFailure: () => undefined },
  );
}

async function connects(material: WatchedTls): Promise<string> {
  const control = new ControlConnection({
    contactPoints: [`127.0.0.1:${String(port)}`],
    tls: upstreamTlsOptions({
      files: material,
      verifiesHostName: true,
      serverName: undefined,
      minVersion: 'TLSv1.2',
      hosts: ['127.0.0.1'],
    }),
    logger: { info: () => undefined, warn: () => undefined },
  });
  try {
    await control.connect();
    return 'connected';
  } catch (error) {
    return (error as Error).message;
  } finally {
    await control.close();
  }
}

it('the control connection shows its certificate, the newest one, and takes no node of another CA', async () => {
  await put('first');
  const material = files(ca.cert);
  // The server ends the connection after the handshake: that it came that far is what is seen.
  await connects(material);
  expect(seen).toContain('first');
  await put('second');
  material.look();
  seen.length = 0;
  await connects(material);
  expect(seen).toContain('second');
  expect(seen).not.toContain('first');
  seen.length = 0;
  const foreign = await makeCa('foreign');
  expect(await connects(files(foreign.cert))).toMatch(
    /cannot connect to Cassandra: .*(certificate|issuer)/,
  );
  expect(seen).toEqual([]);
});
