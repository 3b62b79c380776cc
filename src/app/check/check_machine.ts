import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { isLoopback } from '../../config/index.ts';
import type { Config } from '../../config/index.ts';
import { ProxyError } from '../../errors/index.ts';
import { readTlsFiles } from '../../net/index.ts';
import type { TlsFiles } from '../../net/index.ts';
import { openEmbeddedKms, openKmsProviders } from '../open_kms.ts';
import { cassandraFiles, kmipFiles, listenerFiles } from '../tls.ts';
import type { Finding } from './finding.ts';

const DAY_MS = 86_400_000;
const EXPIRES_SOON_MS = 30 * DAY_MS;
const READ_BY_OTHERS = 0o004;

/** What can be looked at without Cassandra: files, key store, KMS providers, and choices that somebody should know of. */
export async function checkMachine(config: Config, nowMs: number): Promise<Finding[]> {
  const findings: Finding[] = [
    {
      level: 'ok',
      topic: 'settings',
      message: `all settings are right${config.file === undefined ? ' (environment)' : ` (${config.file} and environment)`}`,
    },
  ];
  findings.push(...plainText(config), ...certificates(config, nowMs), ...privateFiles(config));
  if (existsSync(join(config.stateDir, 'keystore.cqlock'))) {
    await attempt(findings, 'key store', `opens with its root key (${config.stateDir})`, () =>
      openEmbeddedKms(config, false),
    );
  } else {
    findings.push({
      level: 'warning',
      topic: 'key store',
      message: `there is none in ${config.stateDir} yet: cqlock init makes it; for a cluster that was prepared before, restore it`,
    });
  }
  const names = config.kms.providers.map(({ kind }) => kind).join(', ');
  await attempt(findings, 'kms', `embedded${names === '' ? '' : `, ${names}`}`, () =>
    openKmsProviders(config),
  );
  return findings;
}

function plainText(config: Config): Finding[] {
  const findings: Finding[] = [];
  if (config.tls === undefined) {
    findings.push({
      level: isLoopback(config.listen.host) ? 'ok' : 'warning',
      topic: 'tls',
      message: isLoopback(config.listen.host)
        ? 'clients come in plain text, from this machine only'
        : 'clients come in plain text over the network: set tls.mode (CQLOCK_TLS) to required',
    });
  } else if (config.tls.mode === 'optional') {
    findings.push({
      level: 'warning',
      topic: 'tls',
      message: 'clients may come in plain text: set tls.mode (CQLOCK_TLS) to required in the end',
    });
  }
  const remote = config.upstream.contactPoints.filter(({ host }) => !isLoopback(host));
  if (config.upstream.tls === undefined && remote.length > 0) {
    findings.push({
      level: 'warning',
      topic: 'tls',
      message:
        'Cassandra is reached in plain text: values are encrypted, but passwords are not; set cassandra.tls.mode (CQLOCK_CASSANDRA_TLS) to required',
    });
  } else if (config.upstream.tls?.verifiesHostName === false) {
    findings.push({
      level: 'warning',
      topic: 'tls',
      message:
        'the names in the certificates of Cassandra are not checked: any certificate of the CA passes; set cassandra.tls.server_name instead',
    });
  }
  return findings;
}

function certificates(config: Config, nowMs: number): Finding[] {
  const findings: Finding[] = [];
  const look = (files: TlsFiles): void => {
    const topic = 'certificate';
    try {
      const { notAfterMs } = readTlsFiles(files);
      if (notAfterMs === undefined) return;
      const days = Math.floor((notAfterMs - nowMs) / DAY_MS);
      const level =
        notAfterMs <= nowMs ? 'error' : notAfterMs - nowMs < EXPIRES_SOON_MS ? 'warning' : 'ok';
      const words = level === 'error' ? 'has expired' : `expires in ${String(days)} days`;
      const advice = level === 'ok' ? '' : `: replace ${files.certFile ?? ''}`;
      findings.push({ level, topic, message: `${files.what}: ${words}${advice}` });
    } catch (error) {
      findings.push(failed(topic, error));
    }
  };
  if (config.tls !== undefined) look(listenerFiles(config.tls));
  if (config.upstream.tls !== undefined) look(cassandraFiles(config.upstream.tls));
  if (config.kmsListen?.tls !== undefined)
    look({ what: 'the KMS listener', ...config.kmsListen.tls });
  const kmip = kmipFiles(config);
  if (kmip !== undefined) look(kmip);
  return findings;
}

/** Files that only the proxy should read. */
function privateFiles(config: Config): Finding[] {
  const files = [
    config.tls?.keyFile,
    config.upstream.tls?.keyFile,
    config.kmsListen?.tls?.keyFile,
    config.authentication.rolesFile,
  ];
  const findings: Finding[] = [];
  for (const path of files) {
    if (path === undefined || !existsSync(path)) continue;
    if ((statSync(path).mode & READ_BY_OTHERS) === 0) continue;
    findings.push({
      level: 'warning',
      topic: 'permissions',
      message: `${path} can be read by everybody on this machine: chmod 600 ${path}`,
    });
  }
  return findings;
}

/** Adds what came of an attempt. */
export async function attempt(
  findings: Finding[],
  topic: string,
  message: string,
  action: () => Promise<unknown>,
): Promise<boolean> {
  try {
    await action();
    findings.push({ level: 'ok', topic, message });
    return true;
  } catch (error) {
    findings.push(failed(topic, error));
    return false;
  }
}

function failed(topic: string, error: unknown): Finding {
  if (!(error instanceof ProxyError)) throw error;
  return { level: 'error', topic, message: `${error.message} [${error.code}]` };
}
