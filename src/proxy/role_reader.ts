import { quoteIdentifier } from '../cql/index.ts';
import { CqlErrorCode, InvalidRequestError } from '../errors/index.ts';
import { Consistency } from '../wire/index.ts';
import { ask, readOptions } from './ask.ts';
import { CassandraError } from './reply.ts';
import type { Session } from './session.ts';

/** Every column would do: Cassandra judges the permission by the table. */
const PROBE = 'SELECT role FROM system_auth.roles LIMIT 1';
const PROBE_OPTIONS = readOptions(Consistency.LOCAL_ONE);

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
  try {
    await ask(session, PROBE, PROBE_OPTIONS, { onUpstreamMs });
    return;
  } catch (error) {
    const isRefusal =
      error instanceof CassandraError && error.cqlCode === CqlErrorCode.UNAUTHORIZED;
    if (!isRefusal) throw error;
  }
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
  try {
    const { result } = await ask(session, text, PROBE_OPTIONS, { onUpstreamMs });
    return result.kind === 'rows' && result.rowCount > 0;
  } catch (error) {
    // A role that Cassandra does not know, or one that is not the client's own.
    if (error instanceof CassandraError) return false;
    throw error;
  }
}
