/**
 * What is used of the optional package pkcs11js, with types of our own: without a compiler it is not installed, and neither its
 * code nor its types are there.
 */
import { createRequire } from 'node:module';

/** A handle of a slot, session or object. */
export type Handle = Buffer;

/** An attribute to look for, or to ask for where it has no value. */
interface Attribute {
  readonly type: number;
  readonly value?: number | Buffer;
}

/** AES-GCM and its parameters. */
export interface GcmMechanism {
  readonly mechanism: number;
  readonly parameter: {
    readonly type: number;
    readonly iv: Buffer;
    readonly aad: Buffer;
    readonly ivBits: number;
    readonly tagBits: number;
  };
}

/** A loaded PKCS#11 library; every call blocks, and throws what is a `Pkcs11Error` of its module. */
interface Pkcs11Library {
  load(path: string): void;
  C_Initialize(options: { readonly flags: number }): void;
  C_GetSlotList(tokenPresent: boolean): Handle[];
  C_GetTokenInfo(slot: Handle): { readonly label: string };
  C_OpenSession(slot: Handle, flags: number): Handle;
  C_CloseSession(session: Handle): void;
  C_Login(session: Handle, userType: number, pin: string): void;
  C_FindObjectsInit(session: Handle, template: readonly Attribute[]): void;
  C_FindObjects(session: Handle, maxObjects: number): Handle[];
  C_FindObjectsFinal(session: Handle): void;
  C_GetAttributeValue(
    session: Handle,
    object: Handle,
    template: readonly Attribute[],
  ): { readonly value: unknown }[];
  C_EncryptInit(session: Handle, mechanism: GcmMechanism, key: Handle): void;
  C_Encrypt(session: Handle, input: Buffer, output: Buffer): Buffer;
  C_DecryptInit(session: Handle, mechanism: GcmMechanism, key: Handle): void;
  C_Decrypt(session: Handle, input: Buffer, output: Buffer): Buffer;
}

type ConstantName =
  | `CKA_${'CLASS' | 'DECRYPT' | 'ENCRYPT' | 'ID' | 'LABEL' | 'VALUE_LEN'}`
  | 'CKA_KEY_TYPE'
  | `CKF_${'OS_LOCKING_OK' | 'SERIAL_SESSION'}`
  | 'CKK_AES'
  | 'CKM_AES_GCM'
  | 'CKO_SECRET_KEY'
  | 'CKU_USER'
  | 'CK_PARAMS_AES_GCM_v240'
  | `CKR_CRYPTOKI_${'ALREADY_INITIALIZED' | 'NOT_INITIALIZED'}`
  | `CKR_DEVICE_${'ERROR' | 'REMOVED'}`
  | `CKR_${'KEY' | 'OBJECT' | 'SESSION'}_HANDLE_INVALID`
  | `CKR_PIN_${'EXPIRED' | 'INCORRECT' | 'INVALID' | 'LEN_RANGE' | 'LOCKED'}`
  | `CKR_${'SESSION_CLOSED' | 'TOKEN_NOT_PRESENT'}`
  | `CKR_USER_${'ALREADY_LOGGED_IN' | 'NOT_LOGGED_IN' | 'PIN_NOT_INITIALIZED'}`;

/** The module. */
type Pkcs11Module = Readonly<Record<ConstantName, number>> & {
  readonly PKCS11: new () => Pkcs11Library;
  readonly Pkcs11Error: new () => Error & { readonly code: number };
};

const loaded: unknown = createRequire(import.meta.url)('pkcs11js');

/** The package; importing this file throws where it is not installed. */
export const pkcs11js = loaded as Pkcs11Module;
