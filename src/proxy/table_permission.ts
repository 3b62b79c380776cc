import { quoteIdentifier } from '../cql/index.ts';
import { CqlErrorCode, UpstreamError } from '../errors/index.ts';
import type { TableEntry } from '../schema/index.ts';
import { Opcode } from '../wire/index.ts';
import type { Envelope, ErrorMessage } from '../wire/index.ts';
import { decodeError, decodeResponsePrefix } from './cassandra_answer.ts';
import { CassandraError } from './reply.ts';
import { executeStored, storedOptions } from './run_stored.ts';
import type { RequestContext, Session } from './session.ts';

/** Whether an answer is Cassandra's refusal for want of a permission. */
export function isUnauthorized(envelope: Envelope): boolean {
  return errorOf(envelope)?.code === CqlErrorCode.UNAUTHORIZED;
}

/**
 * Lets Cassandra say whether the client's role may modify a table: it judges that before it sees that the key of the write it
 * is asked for is null.
 *
 * @throws CassandraError with its refusal; UpstreamError when the answer is not a clear one
 */
export async function requireModify(
  session: Session,
  request: RequestContext,
  table: TableEntry,
): Promise<void> {
  const where = table.partitionKey.map(({ name }) => `${quoteIdentifier(name)} = ?`);
  const text = `DELETE FROM ${quoteIdentifier(table.keyspace)}.${quoteIdentifier(table.name)} WHERE ${where.join(' AND ')}`;
  const values = table.partitionKey.map(() => null);
  const options = storedOptions(request.options, values);
  const envelope = await executeStored(session, request, table, text, options, 0);
  const error = errorOf(envelope);
  if (error?.code === CqlErrorCode.INVALID) return;
  if (error !== undefined) throw new CassandraError(error);
  throw new UpstreamError(
    'UPSTREAM_ANSWER',
    `Cassandra took a write of ${table.keyspace}.${table.name} with a null key`,
  );
}

function errorOf(envelope: Envelope): ErrorMessage | undefined {
  if (envelope.opcode !== Opcode.ERROR) return undefined;
  return decodeError(decodeResponsePrefix(envelope).body);
}
