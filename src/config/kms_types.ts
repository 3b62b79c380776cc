import type { Address } from './address.ts';

/** How the proxy proves to Vault who it is. */
export type VaultAuthConfig =
  | { readonly kind: 'token'; readonly token: string }
  | { readonly kind: 'token-file'; readonly path: string }
  | {
      readonly kind: 'approle';
      readonly mount: string;
      readonly roleId: string;
      readonly secretId: string;
    }
  | {
      readonly kind: 'kubernetes';
      readonly mount: string;
      readonly role: string;
      readonly tokenFile: string;
    };

/** The PIN of a PKCS#11 token, or the file that has it. */
export type PinConfig =
  | { readonly kind: 'pin'; readonly value: string }
  | { readonly kind: 'file'; readonly path: string };

/** One KMS that customer managed keys may lie in. */
export type KmsProviderConfig =
  | {
      readonly kind: 'aws';
      readonly region: string | undefined;
      readonly endpoint: string | undefined;
      readonly granteePrincipal: string | undefined;
    }
  | {
      readonly kind: 'vault';
      readonly address: string;
      readonly namespace: string;
      readonly mount: string;
      readonly caFile: string | undefined;
      readonly auth: VaultAuthConfig;
    }
  | {
      readonly kind: 'pkcs11';
      readonly library: string;
      readonly tokenLabel: string;
      readonly pin: PinConfig;
    }
  | {
      readonly kind: 'kmip';
      readonly address: Address;
      readonly caFile: string;
      readonly certificateFile: string;
      readonly keyFile: string;
    };

/** The KMS providers of customer managed keys. */
export interface KmsConfig {
  readonly providers: readonly KmsProviderConfig[];
  /** The provider whose keys are meant by aliases and key ids that name none. */
  readonly bareNames: 'embedded' | 'aws';
  /** Longest time of one call with its retries, milliseconds. */
  readonly callTimeoutMs: number;
}
