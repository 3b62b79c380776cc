/** A PyKMIP server with certificates of its own. */
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findFreePort } from '../../../src/app/embedded_cassandra/index.ts';
import { pythonEnvironment } from './python_environment.ts';
import { serverDirectory, startServer } from './test_server.ts';
import type { MissingServer, TestServer } from './test_server.ts';

const run = promisify(execFile);
const PACKAGES = ['pykmip==0.11.0'];

/** What a client of the server needs: PEM files. */
export interface KmipFiles {
  readonly caFile: string;
  readonly certificateFile: string;
  readonly keyFile: string;
}

/** Starts PyKMIP; `files` are of a client that it takes, `strangerFiles` of one that it does not know. */
export async function startPyKmip(): Promise<
  (TestServer & { readonly files: KmipFiles; readonly strangerFiles: KmipFiles }) | MissingServer
> {
  try {
    await run('openssl', ['version']);
  } catch {
    return { missing: 'there is no openssl to make certificates with' };
  }
  const python = await pythonEnvironment('pykmip', PACKAGES);
  if (python.missing !== undefined) return python;
  const directory = await serverDirectory('pykmip');
  await certificateAuthority(directory, 'ca');
  await certificateAuthority(directory, 'other-ca');
  await certificate(directory, 'ca', 'server', 'serverAuth');
  await certificate(directory, 'ca', 'client', 'clientAuth');
  await certificate(directory, 'other-ca', 'stranger', 'clientAuth');
  const port = await findFreePort();
  const configFile = join(directory, 'server.conf');
  await writeFile(
    configFile,
    [
      '[server]',
      'hostname=127.0.0.1',
      `port=${port}`,
      `certificate_path=${join(directory, 'server.pem')}`,
      `key_path=${join(directory, 'server.key')}`,
      `ca_path=${join(directory, 'ca.pem')}`,
      'auth_suite=TLS1.2',
      `policy_path=${directory}`,
      'enable_tls_client_auth=True',
      'logging_level=ERROR',
      `database_path=${join(directory, 'keys.db')}`,
    ].join('\n'),
  );
  const server = await startServer({
    name: 'pykmip',
    command: [`${python.bin}/pykmip-server`, '-f', configFile, '-l', join(directory, 'kmip.log')],
    port,
    directory,
  });
  const filesOf = (name: string): KmipFiles => ({
    caFile: join(directory, 'ca.pem'),
    certificateFile: join(directory, `${name}.pem`),
    keyFile: join(directory, `${name}.key`),
  });
  return { ...server, files: filesOf('client'), strangerFiles: filesOf('stranger') };
}

async function certificateAuthority(directory: string, name: string): Promise<void> {
  await run('openssl', [
    ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', `/CN=${name}`],
    ...['-keyout', join(directory, `${name}.key`), '-out', join(directory, `${name}.pem`)],
  ]);
}

async function certificate(
  directory: string,
  authority: string,
  name: string,
  usage: string,
): Promise<void> {
  const path = (suffix: string): string => join(directory, `${name}.${suffix}`);
  await run('openssl', [
    ...['req', '-newkey', 'rsa:2048', '-nodes', '-subj', `/CN=${name}`],
    ...['-keyout', path('key'), '-out', path('csr')],
  ]);
  await writeFile(path('ext'), `subjectAltName=IP:127.0.0.1\nextendedKeyUsage=${usage}\n`);
  await run('openssl', [
    ...['x509', '-req', '-in', path('csr'), '-days', '2', '-extfile', path('ext')],
    ...['-CA', join(directory, `${authority}.pem`), '-CAkey', join(directory, `${authority}.key`)],
    ...['-CAcreateserial', '-out', path('pem')],
  ]);
}
