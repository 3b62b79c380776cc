import { quoteIdentifier } from '../cql/index.ts';
import type { Statement } from '../cql/index.ts';
import { InternalError, InvalidRequestError } from '../errors/index.ts';
import { RECORD_KEYSPACE } from '../schema/index.ts';
import { describeAllowed, transformDescribeRow } from '../system/index.ts';
import { encodeQuery, Opcode, RowsWriter } from '../wire/index.ts';
import type { ColumnSpec, Envelope } from '../wire/index.ts';
import { decodeResponsePrefix, decodeResult, fromCassandra } from './cassandra_answer.ts';
import { forwarded, result } from './reply.ts';
import type { Reply } from './reply.ts';
import { runIndexStatement } from './run_index.ts';
import { runRestoreTable } from './run_restore.ts';
import { runSchemaChange, runTruncate } from './run_schema_change.ts';
import { runViewStatement } from './run_view.ts';
import { storedOptions } from './run_stored.ts';
import type { RequestContext, Session } from './session.ts';

type Row = readonly (Uint8Array | null)[];

/** Runs what is not a read or write of rows. Statements that are not named here are refused, never passed on. */
export async function runStatement(
  session: Session,
  request: RequestContext,
  statement: Statement,
  text: string,
): Promise<Reply> {
  switch (statement.kind) {
    case 'use': {
      const keyspace = statement.keyspace.text;
      if (keyspace === RECORD_KEYSPACE) {
        throw new InvalidRequestError(`Keyspace '${keyspace}' does not exist`);
      }
      const envelope = await query(session, request, `USE ${quoteIdentifier(keyspace)}`);
      if (envelope.opcode === Opcode.RESULT) session.keyspace = keyspace;
      return forwarded(envelope);
    }
    case 'describe': {
      const snapshot = session.services.catalog.snapshot();
      describeAllowed(statement, snapshot);
      const envelope = await query(session, request, text);
      return transformed(session, envelope, (columns, row) =>
        transformDescribeRow(columns, row, snapshot),
      );
    }
    case 'roles': {
      const { resource } = statement;
      const keyspace =
        resource?.kind === 'table' ? resource.table.keyspace?.text : resource?.keyspace.text;
      if (keyspace === RECORD_KEYSPACE) {
        throw new InvalidRequestError(`<keyspace ${keyspace}> doesn't exist`);
      }
      const envelope = await query(session, request, text);
      return transformed(session, envelope, (_columns, row) =>
        namesHiddenKeyspace(row) ? undefined : row,
      );
    }
    case 'truncate':
      return runTruncate(session, request, statement);
    case 'create_keyspace':
    case 'alter_keyspace':
    case 'drop_keyspace':
    case 'create_table':
    case 'alter_table':
    case 'drop_table':
    case 'create_type':
    case 'alter_type':
    case 'drop_type':
    case 'user_function':
      return runSchemaChange(session, request, statement, text);
    case 'restore_table':
      return runRestoreTable(session, request, statement);
    case 'create_index':
    case 'drop_index':
      return runIndexStatement(session, request, statement, text);
    case 'create_view':
    case 'alter_view':
    case 'drop_view':
      return runViewStatement(session, request, statement, text);
    case 'select':
    case 'insert':
    case 'update':
    case 'delete':
    case 'batch':
    case 'unsupported':
      throw new InternalError(`a ${statement.kind} reached the wrong runner`);
  }
}

async function query(session: Session, request: RequestContext, text: string): Promise<Envelope> {
  const started = performance.now();
  const options = storedOptions(request.options, [], {
    pageSize: request.options.pageSize,
    ...(request.options.pagingState === undefined
      ? {}
      : { pagingState: request.options.pagingState }),
  });
  const envelope = await session.node.request(
    Opcode.QUERY,
    encodeQuery(text, options, session.version),
    request.flags,
  );
  request.onUpstreamMs(performance.now() - started);
  return envelope;
}

/** Cassandra's answer with its rows changed or left out; answers without rows pass. */
function transformed(
  session: Session,
  envelope: Envelope,
  transform: (columns: readonly ColumnSpec[], row: Row) => Row | undefined,
): Reply {
  if (envelope.opcode !== Opcode.RESULT) return forwarded(envelope);
  const { body, ...prefix } = decodeResponsePrefix(envelope);
  const answer = decodeResult(body, session.version);
  if (answer.kind !== 'rows') return forwarded(envelope);
  const { columns, pagingState } = answer.metadata;
  if (columns === undefined)
    throw new InternalError('rows without the metadata that was asked for');
  const writer = new RowsWriter({ columns, pagingState }, session.version);
  for (let index = 0; index < answer.rowCount; index++) {
    const row = fromCassandra(() => columns.map(() => answer.rows.readBytes()));
    const shown = transform(columns, row);
    if (shown !== undefined) for (const cell of shown) writer.writeCell(cell);
  }
  return result(writer.finish(), prefix);
}

/** As LIST PERMISSIONS shows resources. */
const HIDDEN_RESOURCE = new RegExp(
  `^<(keyspace ${RECORD_KEYSPACE}|all (tables|functions) in ${RECORD_KEYSPACE}|(table|function) ${RECORD_KEYSPACE}\\..*)>$`,
  's',
);

function namesHiddenKeyspace(row: Row): boolean {
  return row.some((cell) => cell !== null && HIDDEN_RESOURCE.test(Buffer.from(cell).toString()));
}
