/**
 * The Transit engine of HashiCorp Vault and OpenBao. Data keys are made here and encrypted by Transit with the encryption
 * context as associated data, because Transit's own `datakey` and `rewrap` do not bind any.
 *
 * Loaded only when the provider is configured. Start at vault_kms.ts; vault_token.ts logs in.
 */
export { VaultKms } from './vault_kms.ts';
export type { VaultKmsOptions } from './vault_kms.ts';
export type { VaultAuth } from './vault_token.ts';
