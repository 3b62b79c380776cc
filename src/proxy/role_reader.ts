import { quoteIdentifier } from '../cql/index.ts';
import { CqlErrorCode, InvalidRequestError, UpstreamError } from '../errors/index.ts';
import { Consistency, encodeQuery, Opcode } from '../wire/index.ts';
import type { QueryOptions } from '../wire/index.ts';
import { decodeError, decodeResponsePrefix, decodeResult } from './cassandra_answer.ts';
import { CassandraError } from './reply.ts';
import type { Session } from './session.ts';

/** Every column would do: Cassandra judges the permission by the table. */
const PROBE = 'SELECT role FROM system_auth.roles LIMIT 1';
const PROBE_OPTIONS: QueryOptions = {
  consistency: Consistency.LOCAL_ONE,
  values: [],
  names: undefined,
  skipMetadata: false,
  pageSize: undefined,
  pagingState: undefined,
  serialConsistency: undefined,
  defaultTimestamp: undefined,
};

/**
 * Lets Cassandra say whether the client's role may read `system_auth.roles`, as superusers and roles with SELECT ON ALL
 * KEYSPACES may: who may see the roles may see what they did. Asked for each statement, on the client's own connection.
 * @throws InvalidRequestError 0x2100 in Cassandra's words, CassandraError or UpstreamError when there is no clear answer.
 */
export async function requireRoleReader(
  session: Session,
  table: string,
  onUpstreamMs: (ms: number) => void,
): Promise<void> {
  const started = performance.now();
  const envelope = await session.node.request(
    Opcode.QUERY,
    encodeQuery(PROBE, PROBE_OPTIONS, session.version),
  );
  onUpstreamMs(performance.now() - started);
  if (envelope.opcode === Opcode.RESULT) return;
  if (envelope.opcode !== Opcode.ERROR) {
    throw new UpstreamError('UPSTREAM_ANSWER', 'Cassandra answered a read with something else');
  }
  const error = decodeError(decodeResponsePrefix(envelope).body);
  if (error.code !== CqlErrorCode.UNAUTHORIZED) throw new CassandraError(error);
  throw new InvalidRequestError(
    `User ${session.leases.principal} has no SELECT permission on <table ${table}> or any of its parents (it takes SELECT on system_auth.roles)`,
    CqlErrorCode.UNAUTHORIZED,
  );
}

/**
 * Whether Cassandra lists a permission on all tables of a keyspace, or on more, for the client's role. False also where there is no
 * clear answer, and for superusers, whose permissions are not listed.
 */
export async function hasKeyspacePermission(
  session: Session,
  permission: 'SELECT',
  keyspace: string,
  onUpstreamMs: (ms: number) => void,
): Promise<boolean> {
  const role = session.leases.principal;
  const text = `LIST ${permission} ON ALL TABLES IN KEYSPACE ${quoteIdentifier(keyspace)} OF ${quoteIdentifier(role)}`;
  const started = performance.now();
  const envelope = await session.node.request(
    Opcode.QUERY,
    encodeQuery(text, PROBE_OPTIONS, session.version),
  );
  onUpstreamMs(performance.now() - started);
  // A role that Cassandra does not know, or one that is not the client's own.
  if (envelope.opcode !== Opcode.RESULT) return false;
  const answer = decodeResult(decodeResponsePrefix(envelope).body, session.version);
  return answer.kind === 'rows' && answer.rowCount > 0;
}
