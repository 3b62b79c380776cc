/**
 * Keys of a KMIP 1.4 server over mutual TLS. ttlv.ts is the encoding, kmip_client.ts messages and connections, kmip_kms.ts
 * the provider: Get Attributes for the state of a key, Encrypt and Decrypt with AES-GCM and associated data.
 *
 * Loaded only when the provider is configured. Spec: OASIS KMIP 1.4. Start at kmip_kms.ts.
 */
export { KmipClient } from './kmip_client.ts';
export { KmipKms } from './kmip_kms.ts';
export type { KmipKmsOptions } from './kmip_kms.ts';
export { enumeration, integer, structure, text } from './ttlv.ts';
