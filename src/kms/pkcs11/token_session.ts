import type { KeyQuery, TokenAnswer, TokenKey, TokenRequest, WorkerSettings } from './messages.ts';
import { pkcs11js } from './pkcs11_library.ts';
import type { GcmMechanism } from './pkcs11_library.ts';

const AES_256_BYTES = 32;
const TAG_BITS = 128;
const MAX_OUTPUT_BYTES = 8192;

/** The session, the token or its login is gone; a new session may well work. */
const LOST = new Set([
  pkcs11js.CKR_SESSION_HANDLE_INVALID,
  pkcs11js.CKR_SESSION_CLOSED,
  pkcs11js.CKR_DEVICE_REMOVED,
  pkcs11js.CKR_DEVICE_ERROR,
  pkcs11js.CKR_TOKEN_NOT_PRESENT,
  pkcs11js.CKR_USER_NOT_LOGGED_IN,
  pkcs11js.CKR_CRYPTOKI_NOT_INITIALIZED,
  pkcs11js.CKR_OBJECT_HANDLE_INVALID,
  pkcs11js.CKR_KEY_HANDLE_INVALID,
]);

const WRONG_PIN = new Set([
  pkcs11js.CKR_PIN_INCORRECT,
  pkcs11js.CKR_PIN_INVALID,
  pkcs11js.CKR_PIN_LEN_RANGE,
  pkcs11js.CKR_PIN_EXPIRED,
  pkcs11js.CKR_PIN_LOCKED,
  pkcs11js.CKR_USER_PIN_NOT_INITIALIZED,
]);

/** One session with a token; found, opened and logged in at the first request, and again when it is lost. Blocks. */
export class TokenSession {
  readonly #settings: WorkerSettings;
  readonly #library = new pkcs11js.PKCS11();
  #isLoaded = false;
  #session: Buffer | undefined;
  /** A wrong PIN is not tried again: a few tries lock the token. */
  #pinProblem: string | undefined;

  constructor(settings: WorkerSettings) {
    this.#settings = settings;
  }

  /** Does what is asked; a lost session is opened anew once. Never throws. */
  run(request: TokenRequest): TokenAnswer {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return this.#run(this.#open(), request);
      } catch (error) {
        if (error instanceof TokenError) return { problem: error.problem, detail: error.message };
        this.#close();
        const code = codeOf(error);
        if (attempt === 1 && code !== undefined && LOST.has(code)) continue;
        return { problem: 'unavailable', detail: textOf(error) };
      }
    }
  }

  #open(): Buffer {
    if (this.#session !== undefined) return this.#session;
    if (this.#pinProblem !== undefined) throw new TokenError('config', this.#pinProblem);
    this.#load();
    const { tokenLabel, pin } = this.#settings;
    const slots = this.#library
      .C_GetSlotList(true)
      .filter((slot) => this.#library.C_GetTokenInfo(slot).label.trim() === tokenLabel);
    const [slot] = slots;
    if (slot === undefined || slots.length > 1) {
      const how = slot === undefined ? 'no token' : 'more than one token';
      throw new TokenError('config', `there is ${how} with the label ${tokenLabel}`);
    }
    const session = this.#library.C_OpenSession(slot, pkcs11js.CKF_SERIAL_SESSION);
    this.#session = session;
    try {
      this.#library.C_Login(session, pkcs11js.CKU_USER, pin);
    } catch (error) {
      const code = codeOf(error);
      if (code === pkcs11js.CKR_USER_ALREADY_LOGGED_IN) return session;
      this.#close();
      if (code === undefined || !WRONG_PIN.has(code)) throw error;
      this.#pinProblem = `the token ${tokenLabel} does not take the PIN (${textOf(error)}); it is not tried again before a restart`;
      throw new TokenError('config', this.#pinProblem);
    }
    return session;
  }

  #load(): void {
    if (this.#isLoaded) return;
    try {
      this.#library.load(this.#settings.library);
      this.#library.C_Initialize({ flags: pkcs11js.CKF_OS_LOCKING_OK });
    } catch (error) {
      if (codeOf(error) !== pkcs11js.CKR_CRYPTOKI_ALREADY_INITIALIZED) {
        throw new TokenError(
          'config',
          `the PKCS#11 library ${this.#settings.library} cannot be loaded (${textOf(error)})`,
        );
      }
    }
    this.#isLoaded = true;
  }

  #close(): void {
    const session = this.#session;
    this.#session = undefined;
    if (session === undefined) return;
    try {
      this.#library.C_CloseSession(session);
    } catch {
      // It was lost already.
    }
  }

  #run(session: Buffer, request: TokenRequest): TokenAnswer {
    const handle = this.#find(session, request.key);
    const key = this.#describe(session, handle);
    if (request.operation === 'describe') return { key, output: undefined };
    if (!key.isEnabled) throw new TokenError('disabled', `the key ${key.label} is disabled`);
    const { nonce, associatedData, input } = request;
    const gcm = mechanism(nonce, associatedData);
    return {
      key,
      output:
        request.operation === 'encrypt'
          ? this.#encrypt(session, handle, gcm, input)
          : this.#decrypt(session, handle, gcm, input),
    };
  }

  #find(session: Buffer, query: KeyQuery): Buffer {
    const wanted =
      query.by === 'id'
        ? { type: pkcs11js.CKA_ID, value: Buffer.from(query.value, 'hex') }
        : { type: pkcs11js.CKA_LABEL, value: Buffer.from(query.value, 'utf8') };
    this.#library.C_FindObjectsInit(session, [
      { type: pkcs11js.CKA_CLASS, value: pkcs11js.CKO_SECRET_KEY },
      wanted,
    ]);
    let found: Buffer[];
    try {
      found = this.#library.C_FindObjects(session, 2);
    } finally {
      this.#library.C_FindObjectsFinal(session);
    }
    const [handle] = found;
    if (handle === undefined) throw new TokenError('not_found', 'the token has no such key');
    if (found.length > 1) {
      throw new TokenError('ambiguous', 'the token has more than one such key');
    }
    return handle;
  }

  #describe(session: Buffer, handle: Buffer): TokenKey {
    const [id, label, keyType, length, encrypt, decrypt] = this.#library
      .C_GetAttributeValue(session, handle, [
        { type: pkcs11js.CKA_ID },
        { type: pkcs11js.CKA_LABEL },
        { type: pkcs11js.CKA_KEY_TYPE },
        { type: pkcs11js.CKA_VALUE_LEN },
        { type: pkcs11js.CKA_ENCRYPT },
        { type: pkcs11js.CKA_DECRYPT },
      ])
      .map(({ value }) => (Buffer.isBuffer(value) ? value : Buffer.alloc(0)));
    if (
      !id?.length ||
      numberOf(keyType) !== pkcs11js.CKK_AES ||
      numberOf(length) !== AES_256_BYTES
    ) {
      throw new TokenError('unsuitable', 'it must be an AES key of 256 bits with a CKA_ID');
    }
    return {
      id: id.toString('hex'),
      label: (label ?? Buffer.alloc(0)).toString('utf8'),
      isEnabled: numberOf(encrypt) === 1 && numberOf(decrypt) === 1,
    };
  }

  #encrypt(session: Buffer, key: Buffer, gcm: GcmMechanism, input: Uint8Array): Uint8Array {
    this.#library.C_EncryptInit(session, gcm, key);
    return this.#library.C_Encrypt(session, Buffer.from(input), Buffer.alloc(MAX_OUTPUT_BYTES));
  }

  #decrypt(session: Buffer, key: Buffer, gcm: GcmMechanism, input: Uint8Array): Uint8Array {
    this.#library.C_DecryptInit(session, gcm, key);
    const output = Buffer.alloc(MAX_OUTPUT_BYTES);
    try {
      const plaintext = Uint8Array.from(
        this.#library.C_Decrypt(session, Buffer.from(input), output),
      );
      output.fill(0);
      return plaintext;
    } catch (error) {
      output.fill(0);
      // Tokens have no common code for a wrong tag. One that still works has judged the input.
      if (!LOST.has(codeOf(error) ?? Number.NaN) && this.#works(session, key)) {
        throw new TokenError('mismatch', textOf(error));
      }
      throw error;
    }
  }

  /** Whether the token encrypts and decrypts with the key now. */
  #works(session: Buffer, key: Buffer): boolean {
    const gcm = mechanism(Buffer.alloc(12, 0xff), Buffer.from('cqlock/1/self-test'));
    try {
      const sealed = this.#encrypt(session, key, gcm, Buffer.of(1));
      this.#library.C_DecryptInit(session, gcm, key);
      const opened = this.#library.C_Decrypt(session, Buffer.from(sealed), Buffer.alloc(64));
      return opened.length === 1 && opened[0] === 1;
    } catch {
      return false;
    }
  }
}

class TokenError extends Error {
  readonly problem: Exclude<TokenAnswer, { readonly key: TokenKey }>['problem'];

  constructor(problem: TokenError['problem'], message: string) {
    super(message);
    this.problem = problem;
  }
}

function mechanism(nonce: Uint8Array, associatedData: Uint8Array): GcmMechanism {
  const parameter = {
    type: pkcs11js.CK_PARAMS_AES_GCM_v240,
    iv: Buffer.from(nonce),
    aad: Buffer.from(associatedData),
    ivBits: nonce.length * 8,
    tagBits: TAG_BITS,
  };
  return { mechanism: pkcs11js.CKM_AES_GCM, parameter };
}

/** Numbers of PKCS#11 are in the machine's own order and width. */
function numberOf(value: Buffer | undefined): number | undefined {
  if (value === undefined || value.length === 0 || value.length > 8) return undefined;
  return value.readUIntLE(0, Math.min(value.length, 6));
}

function codeOf(error: unknown): number | undefined {
  return error instanceof pkcs11js.Pkcs11Error ? error.code : undefined;
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : 'unknown error';
}
