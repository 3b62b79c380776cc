import { formatAddress } from './address.ts';
import type { Config } from './types.ts';

/** The configuration for the log: what is in force, secrets only as set or not set. */
export function describeConfig(config: Config): Record<string, unknown> {
  const { upstream, rootKey } = config;
  return {
    listen: formatAddress(config.listen),
    httpListen: formatAddress(config.httpListen),
    contactPoints: upstream.contactPoints.map(formatAddress),
    localDatacenter: upstream.localDatacenter ?? 'found out',
    username: upstream.username ?? 'none',
    hasPassword: upstream.password !== undefined,
    dataDir: config.dataDir,
    stateDir: config.stateDir,
    rootKeySource: rootKey.kind === 'file' ? rootKey.path : rootKey.kind,
    kmsListen: config.kmsListen === undefined ? 'off' : formatAddress(config.kmsListen.address),
    logLevel: config.logLevel,
    limits: config.limits,
    leases: config.leases,
  };
}
