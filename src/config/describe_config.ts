import { formatAddress } from './address.ts';
import type { KmsConfig } from './kms_types.ts';
import type { Config } from './types.ts';

/** The configuration for the log: what is in force, secrets only as set or not set. */
export function describeConfig(config: Config): Record<string, unknown> {
  const { upstream, rootKey, notify } = config;
  return {
    file: config.file ?? 'none',
    listen: formatAddress(config.listen),
    tls: config.tls ?? 'off',
    cassandraTls: upstream.tls ?? 'off',
    authentication: config.authentication,
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
    audit: config.audit,
    kms: describeKms(config.kms),
    keyLoss: config.keyLoss,
    // The path of a webhook's URL is often its secret.
    webhook: notify.webhook === undefined ? 'none' : new URL(notify.webhook.url).origin,
    email: notify.email === undefined ? 'none' : formatAddress(notify.email.smtp),
    emailRecipients: notify.email?.to.length ?? 0,
  };
}

/** Where the KMS providers are and how the proxy comes in; never with what. */
function describeKms(kms: KmsConfig): Record<string, unknown> {
  return {
    bareNames: kms.bareNames,
    callTimeoutMs: kms.callTimeoutMs,
    providers: kms.providers.map((provider) => {
      switch (provider.kind) {
        case 'aws':
          return provider;
        case 'vault':
          return { ...provider, auth: provider.auth.kind };
        case 'pkcs11':
          return { ...provider, pin: provider.pin.kind };
        case 'kmip':
          return { ...provider, address: formatAddress(provider.address) };
      }
    }),
  };
}
