const LENGTH_BYTES = 4;

/** What the audit log names a client whose login says nothing that the proxy understands. */
export const UNKNOWN_USER = 'unknown';

/**
 * The user of an AUTH_RESPONSE with SASL PLAIN (RFC 4616), read as Cassandra's PasswordAuthenticator does: between the last two
 * of exactly two zero bytes. `undefined` for every other token, which may belong to another mechanism or be malformed: Cassandra
 * judges it.
 */
export function plainUserOf(body: Buffer): string | undefined {
  if (body.length < LENGTH_BYTES || body.readInt32BE(0) !== body.length - LENGTH_BYTES) {
    return undefined;
  }
  const bytes = body.subarray(LENGTH_BYTES);
  const first = bytes.indexOf(0);
  const second = bytes.indexOf(0, first + 1);
  if (first === -1 || second <= first + 1 || bytes.indexOf(0, second + 1) !== -1) return undefined;
  const user = bytes.subarray(first + 1, second);
  const text = user.toString('utf8');
  return Buffer.from(text, 'utf8').equals(user) ? text : undefined;
}
