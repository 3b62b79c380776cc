/**
 * Key management services: the provider interface that the rest of the proxy sees, and the embedded KMS.
 *
 * A provider makes and unwraps data keys under a KMS key that never leaves it. The embedded KMS keeps its KMS keys in a
 * key store: one file, sealed under a root key that lies outside the data directory. The key store also holds what must
 * be trusted and therefore cannot come from Cassandra: the id of the cluster, the KMS key of the catalog and the anchor,
 * which is the highest root version ever seen.
 *
 * Customer managed keys may lie in other KMSs, a folder each (aws, vault, pkcs11, kmip), loaded only when they are
 * configured. Calls of remote ones go through remote_calls.ts: time limits, retries, a circuit breaker.
 *
 * May import: crypto, errors, util. Start reading at kms_provider.ts, then embedded_kms.ts.
 */
export { AccessKeys } from './embedded/access_keys.ts';
export type { AccessKey } from './embedded/access_keys.ts';
export { KmsApi } from './embedded/api/kms_api.ts';
export type { KmsApiOptions } from './embedded/api/kms_api.ts';
export type { KmsAnswer } from './embedded/api/kms_call.ts';
export {
  backUpKeyStore,
  checkBackup,
  compareWithBackup,
  restoreKeyStore,
} from './embedded/key_store_backup.ts';
export type { CheckedBackup, RestoreComparison } from './embedded/key_store_backup.ts';
export { KmsFault } from './embedded/kms_fault.ts';
export type { KmsException } from './embedded/kms_fault.ts';
export { operator, proxyPrincipal, userPrincipal } from './embedded/principals.ts';
export type { KmsPrincipal } from './embedded/principals.ts';
export { EmbeddedKms } from './embedded_kms.ts';
export type { EmbeddedKmsOptions } from './embedded_kms.ts';
export { KeyStore } from './key_store.ts';
export type { KmsKeyEntry, KmsKeyState } from './key_entry.ts';
export type { ClusterEntry, KeyStoreOptions } from './key_store.ts';
export { noAudit } from './kms_audit.ts';
export type { KmsAuditEvent, KmsAuditSink } from './kms_audit.ts';
export { BACKGROUND_CALLER, clientCaller } from './kms_caller.ts';
export type { KmsCaller } from './kms_caller.ts';
export type {
  DataKey,
  EncryptionContext,
  GrantRequest,
  KmsKeyDescription,
  KmsProvider,
  ServiceKeyProvider,
  ServiceKeyPurpose,
} from './kms_provider.ts';
export { KmsRegistry } from './kms_registry.ts';
export { openKmsProvider } from './open_provider.ts';
export type { KmsProviderSettings } from './provider_settings.ts';
export { createRootKeyFile, defaultRootKeyPath, loadRootKey } from './root_key.ts';
export type { RootKey, RootKeySource } from './root_key.ts';
