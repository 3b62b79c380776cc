import { ProtocolError } from '../errors/index.ts';
import type { ProxyError } from '../errors/index.ts';

/** What is wrong inside of a message whose end is known: the next one is understood. */
const IN_A_BODY: ReadonlySet<string> = new Set([
  'PROTOCOL_FLAG',
  'PROTOCOL_LENGTH',
  'PROTOCOL_PAGING_STATE',
  'PROTOCOL_STATE',
  'PROTOCOL_TRUNCATED',
  'PROTOCOL_TYPE',
  'PROTOCOL_UTF8',
  'PROTOCOL_VALUE',
  'PROTOCOL_VERSION_CHANGE',
]);

/** Whether a connection ends with an error. Cassandra, too, keeps a client whose request alone was malformed. */
export function endsConnection(error: ProxyError, isLoggedIn: boolean): boolean {
  return error instanceof ProtocolError && !(isLoggedIn && IN_A_BODY.has(error.code));
}

/** The error for a message of version `got` on a connection of version `before`. */
export function versionChange(got: number, before: number): ProtocolError {
  return new ProtocolError(
    'PROTOCOL_VERSION_CHANGE',
    `Invalid message version. Got ${versionName(got)} but previous messages on this connection had version ${versionName(before)}`,
  );
}

/** As Cassandra writes versions. */
function versionName(version: number): string {
  return `${String(version)}/v${String(version)}`;
}
