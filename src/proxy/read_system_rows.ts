import { UpstreamError } from '../errors/index.ts';
import { encodeQuery, Opcode } from '../wire/index.ts';
import { decodeError, decodeResponsePrefix, decodeResult } from './cassandra_answer.ts';
import { CassandraError } from './reply.ts';
import type { RequestContext, Session } from './session.ts';

/** Rows of a page: a system table has a row or so for each table. */
const PAGE_ROWS = 5000;

/**
 * Reads all rows of a system table on the client's own connection, so that Cassandra judges its permission.
 * @throws CassandraError with its refusal; UpstreamError when it answers something else
 */
export async function readSystemRows(
  session: Session,
  request: RequestContext,
  text: string,
): Promise<(Uint8Array | null)[][]> {
  const all: (Uint8Array | null)[][] = [];
  let pagingState: Buffer | undefined;
  do {
    const started = performance.now();
    const envelope = await session.node.request(
      Opcode.QUERY,
      encodeQuery(
        text,
        {
          consistency: request.options.consistency,
          values: [],
          names: undefined,
          skipMetadata: false,
          pageSize: PAGE_ROWS,
          pagingState,
          serialConsistency: undefined,
          defaultTimestamp: undefined,
        },
        session.version,
      ),
    );
    request.onUpstreamMs(performance.now() - started);
    const { body } = decodeResponsePrefix(envelope);
    if (envelope.opcode === Opcode.ERROR) throw new CassandraError(decodeError(body));
    const answer = envelope.opcode === Opcode.RESULT ? decodeResult(body, session.version) : null;
    if (answer?.kind !== 'rows') {
      throw new UpstreamError('UPSTREAM_ANSWER', 'Cassandra answered a read with something else');
    }
    const { metadata, rowCount, rows } = answer;
    for (let row = 0; row < rowCount; row++) {
      const cells: (Uint8Array | null)[] = [];
      for (let column = 0; column < metadata.columnCount; column++) cells.push(rows.readBytes());
      all.push(cells);
    }
    ({ pagingState } = metadata);
  } while (pagingState !== undefined);
  return all;
}
