import { UpstreamError } from '../errors/index.ts';
import { ask, readOptions } from './ask.ts';
import { fromCassandra } from './cassandra_answer.ts';
import type { RequestContext, Session } from './session.ts';

/** Rows of a page: a system table has a row or so for each table. */
const PAGE_ROWS = 5000;

/**
 * Reads all rows of a system table on the client's own connection, so that Cassandra judges its permission.
 * @throws CassandraError with its refusal; UpstreamError when it answers something else
 */
export async function readSystemRows(
  session: Session,
  { options, onUpstreamMs }: RequestContext,
  text: string,
): Promise<(Uint8Array | null)[][]> {
  const all: (Uint8Array | null)[][] = [];
  let pagingState: Buffer | undefined;
  do {
    const page = readOptions(options.consistency, { pageSize: PAGE_ROWS, pagingState });
    const { result } = await ask(session, text, page, { onUpstreamMs });
    if (result.kind !== 'rows') {
      throw new UpstreamError('UPSTREAM_ANSWER', 'Cassandra answered a read without rows');
    }
    const { metadata, rowCount, rows } = result;
    fromCassandra(() => {
      for (let row = 0; row < rowCount; row++) {
        all.push(Array.from({ length: metadata.columnCount }, () => rows.readBytes()));
      }
    });
    ({ pagingState } = metadata);
  } while (pagingState !== undefined);
  return all;
}
