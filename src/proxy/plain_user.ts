const LENGTH_BYTES = 4;

/** What the audit log names a client whose login says nothing that the proxy understands. */
export const UNKNOWN_USER = 'unknown';

/** User and password of a login. */
export interface PlainLogin {
  readonly user: string;
  readonly password: string;
}

/**
 * The login in an AUTH_RESPONSE with SASL PLAIN (RFC 4616), read as Cassandra's PasswordAuthenticator does: the user between the
 * last two of exactly two zero bytes. `undefined` for every other token, which may belong to another mechanism or be malformed:
 * whoever authenticates judges it.
 */
export function plainLogin(body: Buffer): PlainLogin | undefined {
  if (body.length < LENGTH_BYTES || body.readInt32BE(0) !== body.length - LENGTH_BYTES) {
    return undefined;
  }
  const bytes = body.subarray(LENGTH_BYTES);
  const first = bytes.indexOf(0);
  const second = bytes.indexOf(0, first + 1);
  if (first === -1 || second <= first + 1 || bytes.indexOf(0, second + 1) !== -1) return undefined;
  const user = bytes.subarray(first + 1, second);
  const password = bytes.subarray(second + 1);
  const text = user.toString('utf8');
  if (!Buffer.from(text, 'utf8').equals(user)) return undefined;
  return { user: text, password: password.toString('utf8') };
}

/** The token of SASL PLAIN for a login. */
export function plainToken(user: string, password: string): Buffer {
  return Buffer.from(`\0${user}\0${password}`, 'utf8');
}
