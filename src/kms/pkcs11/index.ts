/**
 * Keys in a PKCS#11 token (an HSM, SoftHSM). The library of the token is native code that may block or crash on the network,
 * so it runs in a worker thread (pkcs11_worker.ts, token_session.ts); messages.ts is what both sides say.
 *
 * Loaded only when the provider is configured. Start at pkcs11_kms.ts.
 */
export { Pkcs11Kms } from './pkcs11_kms.ts';
export type { Pkcs11KmsOptions } from './pkcs11_kms.ts';
export { requirePkcs11Package } from './pkcs11_package.ts';
