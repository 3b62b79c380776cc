import type { VaultAuth } from './vault/vault_token.ts';

/** Settings of one KMS provider of customer managed keys, as `config` gives them. Paths are absolute. */
export type KmsProviderSettings =
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
      readonly auth: VaultAuth;
    }
  | {
      readonly kind: 'pkcs11';
      readonly library: string;
      readonly tokenLabel: string;
      readonly pin:
        | { readonly kind: 'pin'; readonly value: string }
        | { readonly kind: 'file'; readonly path: string };
    }
  | {
      readonly kind: 'kmip';
      readonly address: { readonly host: string; readonly port: number };
      readonly caFile: string;
      readonly certificateFile: string;
      readonly keyFile: string;
    };
