/** What the worker is started with. */
export interface WorkerSettings {
  /** Path of the PKCS#11 library. */
  readonly library: string;
  readonly tokenLabel: string;
  readonly pin: string;
}

/** How a key is found: by CKA_ID (hex) or by CKA_LABEL. */
export interface KeyQuery {
  readonly by: 'id' | 'label';
  readonly value: string;
}

/** One thing for the token to do. */
export type TokenRequest =
  | { readonly operation: 'describe'; readonly key: KeyQuery }
  | {
      readonly operation: 'encrypt' | 'decrypt';
      readonly key: KeyQuery;
      readonly nonce: Uint8Array;
      readonly associatedData: Uint8Array;
      /** Plaintext, or ciphertext and tag. */
      readonly input: Uint8Array;
    };

/** The state of a key in the token. */
export interface TokenKey {
  /** CKA_ID, hex. */
  readonly id: string;
  readonly label: string;
  readonly isEnabled: boolean;
}

/** Why the token did not do it. */
export type TokenProblem =
  'not_found' | 'ambiguous' | 'unsuitable' | 'disabled' | 'mismatch' | 'config' | 'unavailable';

/** What came of a request. */
export type TokenAnswer =
  | { readonly key: TokenKey; readonly output: Uint8Array | undefined }
  | { readonly problem: TokenProblem; readonly detail: string };
