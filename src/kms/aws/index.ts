/**
 * AWS KMS by its SDK. Records keep key ARNs; aliases and key ids are resolved once. Errors of AWS are sorted into what is
 * refused, what is set up wrongly and what is unavailable (aws_errors.ts); only the last is tried again.
 *
 * Loaded only when the provider is configured. Start at aws_kms.ts.
 */
export { AwsKms } from './aws_kms.ts';
export type { AwsKmsOptions } from './aws_kms.ts';
