import { UnsupportedStatementError } from '../errors/index.ts';
import type { CqlType } from '../values/index.ts';

/**
 * The value that a JSON text gives for the type; JSON's null is null.
 * @throws InvalidRequestError with Cassandra's message, values in it replaced by `<constant>`
 */
export function fromJson(type: CqlType, text: string): Uint8Array | null {
  throw new UnsupportedStatementError(`from_json of ${type.kind} (${text.length} characters)`);
}
