import { resolve } from 'node:path';
import { z } from 'zod';
import { ConfigError } from '../errors/index.ts';
import { parseAddress } from './address.ts';
import { duration, setting } from './fields.ts';
import type { KmsConfig, KmsProviderConfig, PinConfig, VaultAuthConfig } from './kms_types.ts';

const KINDS = ['aws', 'vault', 'pkcs11', 'kmip'] as const;
type Kind = (typeof KINDS)[number];

const KUBERNETES_TOKEN_FILE = '/var/run/secrets/kubernetes.io/serviceaccount/token';

const text = z.string().trim().optional();

const kinds = z
  .string()
  .transform((value, context) => {
    const names = value.split(',').map((name) => name.trim());
    const known = KINDS.filter((kind) => names.includes(kind));
    if (known.length !== names.length) {
      context.addIssue({ code: 'custom', message: `must be a list of ${KINDS.join(', ')}` });
      return z.NEVER;
    }
    return known;
  })
  .default([]);

/** Keys pass through here in the clear or as good as that, so plain HTTP is only for servers on this machine. */
const url = z
  .string()
  .trim()
  .refine((value) => {
    if (!URL.canParse(value)) return false;
    const { protocol, hostname, username, password, search, hash } = new URL(value);
    if (username !== '' || password !== '' || search !== '' || hash !== '') return false;
    const isLocal = ['127.0.0.1', '[::1]', 'localhost'].includes(hostname);
    return protocol === 'https:' || (protocol === 'http:' && isLocal);
  }, 'must be an https:// address (http:// only for this machine) without user, query or fragment')
  .optional();

const address = z
  .string()
  .trim()
  .transform((value, context) => {
    const parsed = parseAddress(value, { defaultPort: 5696 });
    if (parsed !== undefined) return parsed;
    context.addIssue({ code: 'custom', message: 'must be host:port' });
    return z.NEVER;
  })
  .optional();

const path = z
  .string()
  .trim()
  .regex(/^[A-Za-z0-9_-]+(\/[A-Za-z0-9_-]+)*$/, 'must be a path such as transit');

/** The settings of the KMS providers, by the names of their variables. */
export const kmsFields = {
  CQLOCK_KMS_PROVIDERS: setting<readonly Kind[]>(kinds),
  CQLOCK_KMS_BARE_NAMES: setting(
    z.enum(['embedded', 'aws'], 'must be embedded or aws').default('embedded'),
  ),
  CQLOCK_KMS_TIMEOUT: setting(duration(100, 8_000)),
  CQLOCK_KMS_AWS_REGION: setting(text),
  CQLOCK_KMS_AWS_ENDPOINT: setting(url),
  CQLOCK_KMS_AWS_GRANTEE: setting(text),
  CQLOCK_KMS_VAULT_ADDRESS: setting(url),
  CQLOCK_KMS_VAULT_NAMESPACE: setting(path.optional()),
  CQLOCK_KMS_VAULT_MOUNT: setting(path.default('transit')),
  CQLOCK_KMS_VAULT_CA_FILE: setting(text),
  CQLOCK_KMS_VAULT_TOKEN: setting(text),
  CQLOCK_KMS_VAULT_TOKEN_FILE: setting(text),
  CQLOCK_KMS_VAULT_ROLE_ID: setting(text),
  CQLOCK_KMS_VAULT_SECRET_ID: setting(text),
  CQLOCK_KMS_VAULT_KUBERNETES_ROLE: setting(text),
  CQLOCK_KMS_VAULT_KUBERNETES_TOKEN_FILE: setting(text),
  CQLOCK_KMS_VAULT_AUTH_MOUNT: setting(path.optional()),
  CQLOCK_KMS_PKCS11_LIBRARY: setting(text),
  CQLOCK_KMS_PKCS11_TOKEN: setting(text),
  CQLOCK_KMS_PKCS11_PIN: setting(text),
  CQLOCK_KMS_PKCS11_PIN_FILE: setting(text),
  CQLOCK_KMS_KMIP_ADDRESS: setting(address),
  CQLOCK_KMS_KMIP_CA_FILE: setting(text),
  CQLOCK_KMS_KMIP_CERTIFICATE_FILE: setting(text),
  CQLOCK_KMS_KMIP_KEY_FILE: setting(text),
};

type Values = { readonly [Name in keyof typeof kmsFields]: z.infer<(typeof kmsFields)[Name]> };

/** What each provider cannot do without; from each list exactly one setting is needed. */
const NEEDED: Readonly<Record<Kind, readonly (readonly (keyof Values)[])[]>> = {
  aws: [],
  vault: [
    ['CQLOCK_KMS_VAULT_ADDRESS'],
    [
      'CQLOCK_KMS_VAULT_TOKEN',
      'CQLOCK_KMS_VAULT_TOKEN_FILE',
      'CQLOCK_KMS_VAULT_ROLE_ID',
      'CQLOCK_KMS_VAULT_KUBERNETES_ROLE',
    ],
  ],
  pkcs11: [
    ['CQLOCK_KMS_PKCS11_LIBRARY'],
    ['CQLOCK_KMS_PKCS11_TOKEN'],
    ['CQLOCK_KMS_PKCS11_PIN', 'CQLOCK_KMS_PKCS11_PIN_FILE'],
  ],
  kmip: [
    ['CQLOCK_KMS_KMIP_ADDRESS'],
    ['CQLOCK_KMS_KMIP_CA_FILE'],
    ['CQLOCK_KMS_KMIP_CERTIFICATE_FILE'],
    ['CQLOCK_KMS_KMIP_KEY_FILE'],
  ],
};

/** What is wrong between the settings of the KMS providers. */
export function kmsProblems(values: Values): string[] {
  const problems: string[] = [];
  const chosen = values.CQLOCK_KMS_PROVIDERS;
  for (const kind of KINDS) {
    const prefix = `CQLOCK_KMS_${kind.toUpperCase()}_`;
    if (chosen.includes(kind)) {
      for (const names of NEEDED[kind]) {
        if (names.filter((name) => values[name] !== undefined).length === 1) continue;
        const one = names.length > 1 ? 'one of them' : 'it';
        problems.push(`${names.join(', ')}: ${kind} is a provider, so ${one} must be set`);
      }
    } else {
      const names = Object.keys(kmsFields) as (keyof Values)[];
      for (const name of names.filter((candidate) => candidate.startsWith(prefix))) {
        if (values[name] === undefined || name === 'CQLOCK_KMS_VAULT_MOUNT') continue;
        problems.push(`${name}: ${kind} is not in CQLOCK_KMS_PROVIDERS`);
      }
    }
  }
  const { CQLOCK_KMS_VAULT_ROLE_ID: roleId, CQLOCK_KMS_VAULT_SECRET_ID: secretId } = values;
  if ((roleId === undefined) !== (secretId === undefined)) {
    problems.push('CQLOCK_KMS_VAULT_ROLE_ID, CQLOCK_KMS_VAULT_SECRET_ID: both or none must be set');
  }
  if (values.CQLOCK_KMS_BARE_NAMES === 'aws' && !chosen.includes('aws')) {
    problems.push('CQLOCK_KMS_BARE_NAMES: aws is not in CQLOCK_KMS_PROVIDERS');
  }
  return problems;
}

/** The checked settings as the rest of the proxy sees them. */
export function kmsConfig(values: Values, workingDir: string): KmsConfig {
  return {
    providers: values.CQLOCK_KMS_PROVIDERS.map((kind) => providerConfig(kind, values, workingDir)),
    bareNames: values.CQLOCK_KMS_BARE_NAMES,
    callTimeoutMs: values.CQLOCK_KMS_TIMEOUT,
  };
}

function providerConfig(kind: Kind, values: Values, workingDir: string): KmsProviderConfig {
  const file = (name: string | undefined): string => resolve(workingDir, needed(name));
  switch (kind) {
    case 'aws':
      return {
        kind,
        region: values.CQLOCK_KMS_AWS_REGION,
        endpoint: values.CQLOCK_KMS_AWS_ENDPOINT,
        granteePrincipal: values.CQLOCK_KMS_AWS_GRANTEE,
      };
    case 'vault': {
      const caFile = values.CQLOCK_KMS_VAULT_CA_FILE;
      return {
        kind,
        address: needed(values.CQLOCK_KMS_VAULT_ADDRESS),
        namespace: values.CQLOCK_KMS_VAULT_NAMESPACE ?? '',
        mount: values.CQLOCK_KMS_VAULT_MOUNT,
        caFile: caFile === undefined ? undefined : file(caFile),
        auth: vaultAuth(values, file),
      };
    }
    case 'pkcs11':
      return {
        kind,
        library: file(values.CQLOCK_KMS_PKCS11_LIBRARY),
        tokenLabel: needed(values.CQLOCK_KMS_PKCS11_TOKEN),
        pin: pin(values, file),
      };
    case 'kmip':
      return {
        kind,
        address: needed(values.CQLOCK_KMS_KMIP_ADDRESS),
        caFile: file(values.CQLOCK_KMS_KMIP_CA_FILE),
        certificateFile: file(values.CQLOCK_KMS_KMIP_CERTIFICATE_FILE),
        keyFile: file(values.CQLOCK_KMS_KMIP_KEY_FILE),
      };
  }
}

function vaultAuth(values: Values, file: (name: string | undefined) => string): VaultAuthConfig {
  if (values.CQLOCK_KMS_VAULT_TOKEN !== undefined) {
    return { kind: 'token', token: values.CQLOCK_KMS_VAULT_TOKEN };
  }
  if (values.CQLOCK_KMS_VAULT_TOKEN_FILE !== undefined) {
    return { kind: 'token-file', path: file(values.CQLOCK_KMS_VAULT_TOKEN_FILE) };
  }
  const mount = values.CQLOCK_KMS_VAULT_AUTH_MOUNT;
  if (values.CQLOCK_KMS_VAULT_ROLE_ID !== undefined) {
    return {
      kind: 'approle',
      mount: mount ?? 'approle',
      roleId: values.CQLOCK_KMS_VAULT_ROLE_ID,
      secretId: needed(values.CQLOCK_KMS_VAULT_SECRET_ID),
    };
  }
  return {
    kind: 'kubernetes',
    mount: mount ?? 'kubernetes',
    role: needed(values.CQLOCK_KMS_VAULT_KUBERNETES_ROLE),
    tokenFile: file(values.CQLOCK_KMS_VAULT_KUBERNETES_TOKEN_FILE ?? KUBERNETES_TOKEN_FILE),
  };
}

function pin(values: Values, file: (name: string | undefined) => string): PinConfig {
  const value = values.CQLOCK_KMS_PKCS11_PIN;
  if (value !== undefined) return { kind: 'pin', value };
  return { kind: 'file', path: file(values.CQLOCK_KMS_PKCS11_PIN_FILE) };
}

/** `kmsProblems` has found what is missing before. */
function needed<T>(value: T | undefined): T {
  if (value === undefined) throw new ConfigError('CONFIG_INVALID', 'a KMS setting is missing');
  return value;
}
