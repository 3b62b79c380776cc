import { isUtf8 } from 'node:buffer';
import { JavaError } from './failures.ts';

/**
 * A text as Java decodes it: Cassandra stores more than that, e.g. lone surrogates, and fails where it has to read characters.
 * No character is ever replaced by another.
 * @throws JavaError ERROR 0x0000, as Cassandra's
 */
export function decodedText(bytes: Uint8Array): string {
  if (!isUtf8(bytes)) {
    throw new JavaError('org.apache.cassandra.serializers.MarshalException', 'Invalid UTF-8 bytes');
  }
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8');
}
