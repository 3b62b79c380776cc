import { KeyAccessError } from '../../errors/index.ts';

/** Our code for each exception of the AWS KMS API that the embedded KMS gives; the ones not listed are KEY_REQUEST. */
const CODES = {
  NotFoundException: 'KEY_NOT_FOUND',
  DisabledException: 'KEY_DISABLED',
  AccessDeniedException: 'KEY_ACCESS_DENIED',
  KMSInvalidStateException: 'KEY_STATE',
  LimitExceededException: 'KEY_LIMIT',
  AlreadyExistsException: 'KEY_EXISTS',
} as const satisfies Record<string, `KEY_${string}`>;

/** Names of exceptions as AWS KMS gives them. */
export type KmsException =
  | keyof typeof CODES
  | 'DryRunOperationException'
  | 'IncompleteSignatureException'
  | 'IncorrectKeyException'
  | 'InvalidAliasNameException'
  | 'InvalidArnException'
  | 'InvalidCiphertextException'
  | 'InvalidGrantIdException'
  | 'InvalidGrantTokenException'
  | 'InvalidMarkerException'
  | 'InvalidSignatureException'
  | 'MalformedPolicyDocumentException'
  | 'MissingAuthenticationTokenException'
  | 'NotAuthorizedException'
  | 'RequestEntityTooLargeException'
  | 'SerializationException'
  | 'TagException'
  | 'UnknownOperationException'
  | 'UnrecognizedClientException'
  | 'UnsupportedOperationException'
  | 'ValidationException';

/** A call of the embedded KMS is refused; carries the exception that AWS KMS would give. */
export class KmsFault extends KeyAccessError {
  readonly exception: KmsException;

  constructor(exception: KmsException, message: string) {
    super(
      Object.hasOwn(CODES, exception) ? CODES[exception as keyof typeof CODES] : 'KEY_REQUEST',
      message,
    );
    this.exception = exception;
  }
}

/** No such key, or one that the caller must not know of. */
export function keyNotFound(identifier: string): KmsFault {
  return new KmsFault('NotFoundException', `Key '${identifier}' does not exist`);
}
