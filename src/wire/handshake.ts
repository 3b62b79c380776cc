import { Reader } from './reader.ts';
import { Writer } from './writer.ts';

/**
 * Reads the options of a STARTUP. Spec: native_protocol_v4 4.1.1.
 *
 * @throws ProtocolError
 */
export function decodeStartup(body: Buffer): Map<string, string> {
  return new Reader(body).readStringMap();
}

/** Makes the body of a STARTUP. Spec: native_protocol_v4 4.1.1. */
export function encodeStartup(options: ReadonlyMap<string, string>): Buffer {
  const writer = new Writer();
  writer.writeStringMap(options);
  return writer.toBuffer();
}

/**
 * Reads the options of a SUPPORTED. Spec: native_protocol_v4 4.2.4.
 *
 * @throws ProtocolError
 */
export function decodeSupported(body: Buffer): Map<string, string[]> {
  return new Reader(body).readStringMultimap();
}

/** Makes the body of a SUPPORTED. Spec: native_protocol_v4 4.2.4. */
export function encodeSupported(options: ReadonlyMap<string, readonly string[]>): Buffer {
  const writer = new Writer();
  writer.writeStringMultimap(options);
  return writer.toBuffer();
}

/**
 * Reads the event types of a REGISTER. Spec: native_protocol_v4 4.1.8.
 *
 * @throws ProtocolError
 */
export function decodeRegister(body: Buffer): string[] {
  return new Reader(body).readStringList();
}

/** Makes the body of a REGISTER. Spec: native_protocol_v4 4.1.8. */
export function encodeRegister(eventTypes: readonly string[]): Buffer {
  const writer = new Writer();
  writer.writeStringList(eventTypes);
  return writer.toBuffer();
}

/**
 * Reads the class of the authenticator. Spec: native_protocol_v4 4.2.3.
 *
 * @throws ProtocolError
 */
export function decodeAuthenticate(body: Buffer): string {
  return new Reader(body).readString();
}

/** Makes the body of an AUTHENTICATE. Spec: native_protocol_v4 4.2.3. */
export function encodeAuthenticate(authenticator: string): Buffer {
  const writer = new Writer();
  writer.writeString(authenticator);
  return writer.toBuffer();
}

/**
 * Reads the token of an AUTH_RESPONSE: a view. Spec: native_protocol_v4 4.1.2.
 *
 * @throws ProtocolError
 */
export function decodeAuthResponse(body: Buffer): Buffer | null {
  return new Reader(body).readBytes();
}

/** Makes the body of an AUTH_RESPONSE. Spec: native_protocol_v4 4.1.2. */
export function encodeAuthResponse(token: Uint8Array | null): Buffer {
  return encodeToken(token);
}

/**
 * Reads the token of an AUTH_CHALLENGE: a view. Spec: native_protocol_v4 4.2.7.
 *
 * @throws ProtocolError
 */
export function decodeAuthChallenge(body: Buffer): Buffer | null {
  return new Reader(body).readBytes();
}

/** Makes the body of an AUTH_CHALLENGE. Spec: native_protocol_v4 4.2.7. */
export function encodeAuthChallenge(token: Uint8Array | null): Buffer {
  return encodeToken(token);
}

/**
 * Reads the token of an AUTH_SUCCESS: a view. Spec: native_protocol_v4 4.2.8.
 *
 * @throws ProtocolError
 */
export function decodeAuthSuccess(body: Buffer): Buffer | null {
  return new Reader(body).readBytes();
}

/** Makes the body of an AUTH_SUCCESS. Spec: native_protocol_v4 4.2.8. */
export function encodeAuthSuccess(token: Uint8Array | null): Buffer {
  return encodeToken(token);
}

/** The body of a READY and of an OPTIONS: empty. Spec: native_protocol_v4 4.2.2, 4.1.3. */
export function encodeReady(): Buffer {
  return Buffer.alloc(0);
}

function encodeToken(token: Uint8Array | null): Buffer {
  const writer = new Writer(4 + (token?.length ?? 0));
  writer.writeBytes(token);
  return writer.toBuffer();
}
