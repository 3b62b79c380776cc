import { resolve } from 'node:path';
import { z } from 'zod';
import type { Address } from './address.ts';
import { duration, setting } from './fields.ts';
import type { CassandraTlsConfig, ClientTlsConfig } from './tls_types.ts';

const file = z.string().trim().optional();
const version = z.enum(['1.2', '1.3'], 'must be 1.2 or 1.3').default('1.2');

/** The settings of TLS between clients and proxy, and between proxy and Cassandra, by the names of their variables. */
export const tlsFields = {
  CQLOCK_TLS: setting(
    z.enum(['off', 'optional', 'required'], 'must be off, optional or required').optional(),
  ),
  CQLOCK_TLS_CERT_FILE: setting(file),
  CQLOCK_TLS_KEY_FILE: setting(file),
  CQLOCK_TLS_CLIENT_CERTIFICATES: setting(
    z.enum(['none', 'optional', 'required'], 'must be none, optional or required').default('none'),
  ),
  CQLOCK_TLS_CLIENT_CA_FILE: setting(file),
  CQLOCK_TLS_MIN_VERSION: setting(version),
  CQLOCK_TLS_RELOAD_PERIOD: setting(duration(100, 10_000)),
  CQLOCK_CASSANDRA_TLS: setting(z.enum(['off', 'required'], 'must be off or required').optional()),
  CQLOCK_CASSANDRA_TLS_CA_FILE: setting(file),
  CQLOCK_CASSANDRA_TLS_CERT_FILE: setting(file),
  CQLOCK_CASSANDRA_TLS_KEY_FILE: setting(file),
  CQLOCK_CASSANDRA_TLS_VERIFY_HOST_NAME: setting(
    z.enum(['true', 'false'], 'must be true or false').default('true'),
  ),
  CQLOCK_CASSANDRA_TLS_SERVER_NAME: setting(z.string().trim().optional()),
  CQLOCK_CASSANDRA_TLS_MIN_VERSION: setting(version),
};

type Values = { readonly [Name in keyof typeof tlsFields]: z.infer<(typeof tlsFields)[Name]> };

/** What is wrong between the settings of TLS. */
export function tlsProblems(values: Values & { readonly CQLOCK_LISTEN: Address }): string[] {
  const problems: string[] = [];
  const mode = values.CQLOCK_TLS;
  const isOn = mode === 'optional' || mode === 'required';
  const certificate = ['CQLOCK_TLS_CERT_FILE', 'CQLOCK_TLS_KEY_FILE'] as const;
  if (isOn && certificate.some((name) => values[name] === undefined)) {
    problems.push(`${certificate.join(', ')}: TLS is ${mode}, so both must be set`);
  }
  if (!isOn) {
    for (const name of [...certificate, 'CQLOCK_TLS_CLIENT_CA_FILE'] as const) {
      if (values[name] === undefined) continue;
      problems.push(`${name}: needs CQLOCK_TLS to be required or optional`);
    }
    if (values.CQLOCK_TLS_CLIENT_CERTIFICATES !== 'none') {
      problems.push(
        'CQLOCK_TLS_CLIENT_CERTIFICATES: needs CQLOCK_TLS to be required, or clients have no certificates',
      );
    }
  } else if (values.CQLOCK_TLS_CLIENT_CERTIFICATES !== 'none') {
    if (values.CQLOCK_TLS_CLIENT_CA_FILE === undefined) {
      problems.push(
        'CQLOCK_TLS_CLIENT_CA_FILE: must name the CA that signs the certificates of clients, as CQLOCK_TLS_CLIENT_CERTIFICATES asks for them',
      );
    }
    if (mode === 'optional' && values.CQLOCK_TLS_CLIENT_CERTIFICATES === 'required') {
      problems.push(
        'CQLOCK_TLS: optional lets clients in without TLS and so without the certificate that CQLOCK_TLS_CLIENT_CERTIFICATES requires; set it to required',
      );
    }
  } else if (values.CQLOCK_TLS_CLIENT_CA_FILE !== undefined) {
    problems.push(
      'CQLOCK_TLS_CLIENT_CA_FILE: is for nothing while CQLOCK_TLS_CLIENT_CERTIFICATES is none; set that to required or optional',
    );
  }
  if (mode === undefined && !isLoopback(values.CQLOCK_LISTEN.host)) {
    problems.push(
      'CQLOCK_LISTEN: another address than a loopback one needs a choice at CQLOCK_TLS: required with a certificate, optional, or off for plain text',
    );
  }
  problems.push(...cassandraProblems(values));
  return problems;
}

function cassandraProblems(values: Values): string[] {
  const problems: string[] = [];
  if (values.CQLOCK_CASSANDRA_TLS !== 'required') {
    for (const name of [
      'CQLOCK_CASSANDRA_TLS_CA_FILE',
      'CQLOCK_CASSANDRA_TLS_CERT_FILE',
      'CQLOCK_CASSANDRA_TLS_KEY_FILE',
      'CQLOCK_CASSANDRA_TLS_SERVER_NAME',
    ] as const) {
      if (values[name] !== undefined) {
        problems.push(`${name}: needs CQLOCK_CASSANDRA_TLS to be required`);
      }
    }
  }
  const { CQLOCK_CASSANDRA_TLS_CERT_FILE: cert, CQLOCK_CASSANDRA_TLS_KEY_FILE: key } = values;
  if ((cert === undefined) !== (key === undefined)) {
    problems.push(
      'CQLOCK_CASSANDRA_TLS_CERT_FILE, CQLOCK_CASSANDRA_TLS_KEY_FILE: both or none must be set',
    );
  }
  return problems;
}

/** TLS between clients and proxy; undefined: plain text. */
export function clientTls(values: Values, workingDir: string): ClientTlsConfig | undefined {
  const { CQLOCK_TLS: mode, CQLOCK_TLS_CERT_FILE: cert, CQLOCK_TLS_KEY_FILE: key } = values;
  if (mode === undefined || mode === 'off' || cert === undefined || key === undefined) {
    return undefined;
  }
  return {
    mode,
    certFile: resolve(workingDir, cert),
    keyFile: resolve(workingDir, key),
    clientCertificates: values.CQLOCK_TLS_CLIENT_CERTIFICATES,
    clientCaFile: pathOf(values.CQLOCK_TLS_CLIENT_CA_FILE, workingDir),
    minVersion: `TLSv${values.CQLOCK_TLS_MIN_VERSION}`,
  };
}

/** TLS between proxy and Cassandra; undefined: plain text. */
export function cassandraTls(values: Values, workingDir: string): CassandraTlsConfig | undefined {
  if (values.CQLOCK_CASSANDRA_TLS !== 'required') return undefined;
  return {
    caFile: pathOf(values.CQLOCK_CASSANDRA_TLS_CA_FILE, workingDir),
    certFile: pathOf(values.CQLOCK_CASSANDRA_TLS_CERT_FILE, workingDir),
    keyFile: pathOf(values.CQLOCK_CASSANDRA_TLS_KEY_FILE, workingDir),
    verifiesHostName: values.CQLOCK_CASSANDRA_TLS_VERIFY_HOST_NAME === 'true',
    serverName: values.CQLOCK_CASSANDRA_TLS_SERVER_NAME,
    minVersion: `TLSv${values.CQLOCK_CASSANDRA_TLS_MIN_VERSION}`,
  };
}

function pathOf(path: string | undefined, workingDir: string): string | undefined {
  return path === undefined ? undefined : resolve(workingDir, path);
}

/** Whether only this machine reaches an address. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}
