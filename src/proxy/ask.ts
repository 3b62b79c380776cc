import { UpstreamError } from '../errors/index.ts';
import { encodeQuery, Opcode } from '../wire/index.ts';
import type { Envelope, QueryOptions, ResultMessage } from '../wire/index.ts';
import { decodeError, decodeResponsePrefix, decodeResult } from './cassandra_answer.ts';
import { CassandraError } from './reply.ts';
import type { RequestContext, Session } from './session.ts';

/** The RESULT of a statement, taken apart and as it came. */
export interface Asked {
  readonly result: ResultMessage;
  readonly envelope: Envelope;
}

/**
 * Asks a statement of the proxy's own as a QUERY on the client's connection, so that Cassandra judges it by the client's role.
 * @param request what it is asked for; `flags` go with the QUERY
 * @throws CassandraError with Cassandra's refusal; UpstreamError when it answers something else
 */
export async function ask(
  { node, version }: Session,
  text: string,
  options: QueryOptions,
  request: Pick<RequestContext, 'onUpstreamMs'> & { readonly flags?: number },
): Promise<Asked> {
  const started = performance.now();
  const query = encodeQuery(text, options, version);
  const envelope = await node.request(Opcode.QUERY, query, request.flags);
  request.onUpstreamMs(performance.now() - started);
  const { body, ...prefix } = decodeResponsePrefix(envelope);
  if (envelope.opcode === Opcode.ERROR) throw new CassandraError(decodeError(body), prefix);
  if (envelope.opcode === Opcode.RESULT) return { result: decodeResult(body, version), envelope };
  throw new UpstreamError('UPSTREAM_ANSWER', 'Cassandra answered a QUERY with something else');
}

/** Options of a read of the proxy's own. */
export function readOptions(
  consistency: number,
  page: Partial<Pick<QueryOptions, 'pageSize' | 'pagingState'>> = {},
): QueryOptions {
  return {
    consistency,
    values: [],
    names: undefined,
    skipMetadata: false,
    pageSize: page.pageSize,
    pagingState: page.pagingState,
    serialConsistency: undefined,
    defaultTimestamp: undefined,
  };
}
