/**
 * The listener that speaks the AWS KMS API for the embedded KMS, so that the AWS command line and SDKs manage its keys, and
 * several proxies share them. HTTP and signatures are here; what the operations do is in kms.
 *
 * May import: kms, errors, util. Start reading at listener.ts, then answer_request.ts.
 */
export { startKmsListener } from './listener.ts';
export type { KmsListener, KmsListenerOptions } from './listener.ts';
