import { KeyAccessError, KeyUnavailableError, MetadataIntegrityError } from '../../errors/index.ts';
import type { ProxyError } from '../../errors/index.ts';

/** AWS knows the caller not, or not any more: nothing is said about the key. */
const CREDENTIALS = new Set([
  'CredentialsProviderError',
  'TokenProviderError',
  'UnrecognizedClientException',
  'InvalidClientTokenId',
  'InvalidSignatureException',
  'SignatureDoesNotMatch',
  'IncompleteSignature',
  'IncompleteSignatureException',
  'MissingAuthenticationToken',
  'MissingAuthenticationTokenException',
  'ExpiredToken',
  'ExpiredTokenException',
  'RequestExpired',
  'OptInRequired',
  'NotAuthorized',
]);

const UNAVAILABLE = new Set([
  'KeyUnavailableException',
  'DependencyTimeoutException',
  'KMSInternalException',
  'ThrottlingException',
  'Throttling',
  'ThrottledException',
  'TooManyRequestsException',
  'RequestLimitExceeded',
  'RequestThrottled',
  'SlowDown',
  'ServiceUnavailable',
  'InternalFailure',
  'CloudHsmClusterNotActiveException',
  'XksProxyUriUnreachableException',
]);

/** What an error of the AWS SDK says, as far as this provider looks. */
interface SdkError {
  readonly name: string;
  readonly message: string;
  readonly fault: string | undefined;
  readonly status: number | undefined;
}

/** Whether AWS says that the state of the key does not allow the call; which state, DescribeKey tells. */
export function isStateError(error: unknown): boolean {
  return ['DisabledException', 'KMSInvalidStateException'].includes(sdkError(error).name);
}

/** Whether AWS knows no such key, alias or grant. */
export function isNotFound(error: unknown): boolean {
  return ['NotFoundException', 'InvalidArnException', 'InvalidGrantIdException'].includes(
    sdkError(error).name,
  );
}

/** What an error of the AWS SDK means; `subject` says which key, for the message. */
export function awsError(error: unknown, subject: string): ProxyError {
  const { name, message, fault, status } = sdkError(error);
  const options = { cause: error };
  if (isNotFound(error)) {
    return new KeyAccessError('KEY_NOT_FOUND', `AWS KMS has no key ${subject}`, options);
  }
  if (isStateError(error)) return awsStateError(stateInMessage(message), subject, error);
  switch (name) {
    case 'AccessDeniedException':
    case 'AccessDenied':
    case 'InvalidGrantTokenException':
      return new KeyAccessError(
        'KEY_ACCESS_DENIED',
        `AWS KMS denies the proxy the use of the key ${subject}; look at the key policy, the grants and the proxy's IAM policy`,
        options,
      );
    case 'InvalidKeyUsageException':
      return new KeyAccessError(
        'KEY_ACCESS_DENIED',
        `the key ${subject} is not a symmetric encryption key`,
        options,
      );
    case 'IncorrectKeyException':
    case 'InvalidCiphertextException':
      return new MetadataIntegrityError(
        'METADATA_WRAPPED_KEY',
        `a wrapped key does not belong to the KMS key ${subject} and its encryption context`,
        options,
      );
  }
  if (CREDENTIALS.has(name) || message.startsWith('Region is missing')) {
    return new KeyUnavailableError(
      'KEY_KMS_CONFIG',
      `AWS KMS cannot be asked about the key ${subject}: region or credentials of the proxy are missing or not valid (${name})`,
      options,
    );
  }
  // Only what is spelt as AWS KMS spells its errors counts as an answer of AWS KMS.
  if (
    fault === 'client' &&
    status === 400 &&
    name.endsWith('Exception') &&
    !UNAVAILABLE.has(name)
  ) {
    return new KeyUnavailableError(
      'KEY_KMS_CONFIG',
      `AWS KMS does not accept a call about the key ${subject} (${name})`,
      options,
    );
  }
  return new KeyUnavailableError(
    'KEY_UNAVAILABLE',
    `AWS KMS did not answer about the key ${subject} (${name})`,
    options,
  );
}

/** The error for a key in the state that DescribeKey names; `undefined` where the state is not known. */
export function awsStateError(
  state: string | undefined,
  subject: string,
  cause?: unknown,
): ProxyError {
  const options = { cause };
  switch (state) {
    case 'Disabled':
      return new KeyAccessError('KEY_DISABLED', `the KMS key ${subject} is disabled`, options);
    case 'PendingImport':
      return new KeyAccessError(
        'KEY_DISABLED',
        `the KMS key ${subject} has no key material; import it again`,
        options,
      );
    case 'PendingDeletion':
    case 'PendingReplicaDeletion':
      return new KeyAccessError(
        'KEY_PENDING_DELETION',
        `the KMS key ${subject} is scheduled for deletion`,
        options,
      );
    default:
      // Creating, Updating, or a custom key store that is not connected: it may pass by itself.
      return new KeyUnavailableError(
        'KEY_UNAVAILABLE',
        `the KMS key ${subject} cannot be used now (${state ?? 'state not known'})`,
        options,
      );
  }
}

function stateInMessage(message: string): string | undefined {
  if (/pending (replica )?deletion/i.test(message)) return 'PendingDeletion';
  if (/pending import/i.test(message)) return 'PendingImport';
  if (/disabled/i.test(message)) return 'Disabled';
  return undefined;
}

function sdkError(error: unknown): SdkError {
  const fields = (typeof error === 'object' && error !== null ? error : {}) as {
    readonly name?: unknown;
    readonly message?: unknown;
    readonly $fault?: unknown;
    readonly $metadata?: { readonly httpStatusCode?: unknown };
  };
  const status = fields.$metadata?.httpStatusCode;
  return {
    name: typeof fields.name === 'string' ? fields.name : 'unknown error',
    message: typeof fields.message === 'string' ? fields.message : '',
    fault: typeof fields.$fault === 'string' ? fields.$fault : undefined,
    status: typeof status === 'number' ? status : undefined,
  };
}
