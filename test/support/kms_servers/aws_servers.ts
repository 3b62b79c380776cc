/** The two emulators of AWS KMS. What each gets wrong is in the tests that use it. */
import { KMSClient } from '@aws-sdk/client-kms';
import { findFreePort } from '../../../src/app/embedded_cassandra/index.ts';
import { pythonEnvironment } from './python_environment.ts';
import { serverDirectory, startServer } from './test_server.ts';
import type { MissingServer, TestServer } from './test_server.ts';

const MOTO = ['moto[server,kms,iam,sts]==5.2.5'];
const LOCALSTACK = [
  'localstack-core[base-runtime]==2026.3.0',
  'moto-ext[kms,iam,sts]==5.1.54',
  'cbor2<6',
  'pyopenssl==25.1.0',
  'cryptography<46',
  'service-identity',
];

/** Where the emulators think the keys are. */
export const TEST_REGION = 'eu-west-1';

/** Starts moto. */
export async function startMoto(): Promise<TestServer | MissingServer> {
  const python = await pythonEnvironment('moto', MOTO);
  if (python.missing !== undefined) return python;
  const port = await findFreePort();
  return await startServer({
    name: 'moto',
    command: [`${python.bin}/moto_server`, '-H', '127.0.0.1', '-p', String(port)],
    port,
    directory: await serverDirectory('moto'),
  });
}

/** Starts LocalStack with KMS only. */
export async function startLocalStack(): Promise<TestServer | MissingServer> {
  const python = await pythonEnvironment('localstack', LOCALSTACK, 13);
  if (python.missing !== undefined) return python;
  const port = await findFreePort();
  const directory = await serverDirectory('localstack');
  return await startServer({
    name: 'localstack',
    command: [`${python.bin}/python`, '-m', 'localstack.runtime.main'],
    port,
    directory,
    environment: {
      SERVICES: 'kms,sts,iam',
      GATEWAY_LISTEN: `127.0.0.1:${port}`,
      GATEWAY_SERVER: 'hypercorn',
      USE_SSL: '0',
      SKIP_SSL_CERT_DOWNLOAD: '1',
      DISABLE_EVENTS: '1',
      DNS_ADDRESS: '0',
      OVERRIDE_IN_DOCKER: '0',
      FILESYSTEM_ROOT: directory,
    },
    isReady: async () => {
      try {
        return (await fetch(`http://127.0.0.1:${port}/_localstack/health`)).ok;
      } catch {
        return false;
      }
    },
  });
}

/** The administrator's own client, beside the provider. */
export function awsAdministrator(port: number): KMSClient {
  return new KMSClient({
    region: TEST_REGION,
    endpoint: `http://127.0.0.1:${port}`,
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  });
}
