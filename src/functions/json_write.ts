import { UnsupportedStatementError } from '../errors/index.ts';
import type { CqlType } from '../values/index.ts';

/** A value as Cassandra prints it in `SELECT JSON` and `to_json`; null is `null`. */
export function toJson(type: CqlType, bytes: Uint8Array | null): string {
  throw new UnsupportedStatementError(`JSON of ${type.kind} ${bytes === null ? 'null' : ''}`);
}
