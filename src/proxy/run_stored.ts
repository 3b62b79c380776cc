import type { StoredCells, TableCipherKeys } from '../crypto/index.ts';
import type { StoredStatement } from '../encryption/index.ts';
import { MetadataIntegrityError, UpstreamError } from '../errors/index.ts';
import type { TableEntry } from '../schema/index.ts';
import { encodeBatch, encodeQuery, Opcode } from '../wire/index.ts';
import type {
  BatchType,
  BoundValue,
  Envelope,
  QueryOptions,
  ResponsePrefix,
  RowsResult,
} from '../wire/index.ts';
import {
  decodeError,
  decodeResponsePrefix,
  decodeResult,
  fromCassandra,
} from './cassandra_answer.ts';
import { usableTable } from './fresh_catalog.ts';
import { CassandraError } from './reply.ts';
import type { RequestContext, Session } from './session.ts';
import { StalePlanError } from './stale_plan.ts';
import { execute, isUnprepared, PREPARE_ATTEMPTS } from './stored_statements.ts';
import type { StoredPrepared } from './stored_statements.ts';

/** How often a read is prepared before it is sent as text. */
const READ_ATTEMPTS = 2;

/** Options of an EXECUTE that the proxy makes for a client's request. */
export function storedOptions(
  options: QueryOptions,
  values: readonly BoundValue[],
  overrides: Partial<Pick<QueryOptions, 'pageSize' | 'pagingState' | 'skipMetadata'>> = {},
): QueryOptions {
  return {
    consistency: options.consistency,
    values,
    names: undefined,
    skipMetadata: overrides.skipMetadata ?? false,
    pageSize: 'pageSize' in overrides ? overrides.pageSize : options.pageSize,
    pagingState: overrides.pagingState,
    serialConsistency: options.serialConsistency,
    defaultTimestamp: options.defaultTimestamp,
  };
}

/**
 * The stored statement as the client's node knows it. Cassandra drops prepared statements when their table changes, so an
 * id that it still takes is of a plan that was current when {@link confirmCurrent} said so, and is still.
 *
 * @throws StalePlanError when the table changed.
 */
export function preparedFor(
  session: Session,
  table: TableEntry,
  text: string,
): StoredPrepared | Promise<StoredPrepared> {
  const { stored } = session.services;
  return (
    stored.known(session.node, table.version, text) ??
    stored.prepareFenced(session.node, session.version, table.version, text, () =>
      confirmCurrent(session, table),
    )
  );
}

/** Another proxy may have changed the table before this one heard of it: the records say whether one did. */
async function confirmCurrent(session: Session, table: TableEntry): Promise<void> {
  const { catalog } = session.services;
  const { root } = await catalog.readRecords();
  let snapshot = catalog.snapshot();
  const isChanging = table.record !== undefined && table.record.claim !== null;
  if (isChanging || snapshot.rootVersion !== root.version) snapshot = await catalog.refresh();
  if (snapshot.table(table.keyspace, table.name) !== table) throw new StalePlanError();
}

/**
 * Executes a stored statement on the client's connection. When Cassandra forgot the statement, its schema may have changed:
 * the catalog is read again, and the statement is prepared again only if its table is still the same.
 *
 * @throws StalePlanError when the table changed.
 */
export async function executeStored(
  session: Session,
  request: RequestContext,
  table: TableEntry,
  text: string,
  options: QueryOptions,
  flags: number,
): Promise<Envelope> {
  const started = performance.now();
  try {
    const answer = await tryPrepared(PREPARE_ATTEMPTS, session, table, text, options, flags);
    if (answer === 'unprepared') throw forgottenAgain();
    return answer;
  } finally {
    request.onUpstreamMs(performance.now() - started);
  }
}

/**
 * Executes a stored read as {@link executeStored} does, but sends it as text when Cassandra's full cache does not keep it: as a
 * read changes nothing, it is enough that its table is seen to be the same after it.
 *
 * @throws StalePlanError when the table changed.
 */
export async function executeRead(
  session: Session,
  request: RequestContext,
  table: TableEntry,
  text: string,
  options: QueryOptions,
  flags: number,
): Promise<Envelope> {
  const started = performance.now();
  try {
    const answer = await tryPrepared(READ_ATTEMPTS, session, table, text, options, flags);
    if (answer !== 'unprepared') return answer;
    const body = encodeQuery(text, options, session.version);
    const asText = await session.node.request(Opcode.QUERY, body, flags);
    await confirmCurrent(session, table);
    return asText;
  } finally {
    request.onUpstreamMs(performance.now() - started);
  }
}

/** @returns 'unprepared' when Cassandra forgot the statement each time, and its table is still the same. */
async function tryPrepared(
  attempts: number,
  session: Session,
  table: TableEntry,
  text: string,
  options: QueryOptions,
  flags: number,
): Promise<Envelope | 'unprepared'> {
  for (let attempt = 1; attempt <= attempts; attempt++) {
    const old = usableTable(session, table);
    if (old !== undefined) await old;
    const known = preparedFor(session, table, text);
    const prepared = known instanceof Promise ? await known : known;
    const answer = await execute(session.node, session.version, prepared, options, flags);
    if (answer !== 'unprepared') return answer;
    await forget(session, [{ table, text }]);
  }
  return 'unprepared';
}

/** Forgets statements that Cassandra forgot. @throws StalePlanError when one of their tables changed */
async function forget(
  { node, services: { stored, catalog } }: Session,
  statements: readonly Pick<StoredStatement, 'table' | 'text'>[],
): Promise<void> {
  for (const { table, text } of statements) stored.forget(node, table.version, text);
  const snapshot = await catalog.refresh();
  for (const { table } of statements) {
    if (snapshot.table(table.keyspace, table.name) !== table) throw new StalePlanError();
  }
}

/** Sends statements as one BATCH on the client's connection. @throws StalePlanError when one of the tables changed. */
export async function sendBatch(
  session: Session,
  request: RequestContext,
  type: BatchType,
  statements: readonly StoredStatement[],
  flags: number,
): Promise<Envelope> {
  const { options } = request;
  const started = performance.now();
  try {
    for (let attempt = 1; ; attempt++) {
      const prepared: StoredPrepared[] = [];
      for (const { table, text } of statements) {
        const old = usableTable(session, table);
        if (old !== undefined) await old;
        const known = preparedFor(session, table, text);
        prepared.push(known instanceof Promise ? await known : known);
      }
      const body = encodeBatch(
        {
          type,
          children: statements.map((statement, index) => ({
            kind: 'prepared',
            id: prepared[index]?.id ?? Buffer.alloc(0),
            values: statement.values,
          })),
          consistency: options.consistency,
          serialConsistency: options.serialConsistency,
          defaultTimestamp: options.defaultTimestamp,
        },
        session.version,
      );
      const envelope = await session.node.request(Opcode.BATCH, body, flags);
      if (!isUnprepared(envelope)) return envelope;
      await forget(session, statements);
      if (attempt === PREPARE_ATTEMPTS) throw forgottenAgain();
    }
  } finally {
    request.onUpstreamMs(performance.now() - started);
  }
}

/** What a request ends with when Cassandra forgets its statement again and again: never Cassandra's own UNPREPARED. */
function forgottenAgain(): UpstreamError {
  return new UpstreamError(
    'UPSTREAM_UNPREPARED',
    'Cassandra forgets the prepared statement each time it is used; try again',
  );
}

/** The keys of a table for this connection; waits for the KMS only when its lease ran out. */
export function tableKeys(
  session: Session,
  table: TableEntry,
): TableCipherKeys | Promise<TableCipherKeys> {
  return session.leases.acquire(table);
}

/** A RESULT of rows as Cassandra sent it. @throws CassandraError for an ERROR. */
export function storedRows(
  envelope: Envelope,
  version: number,
): { readonly result: RowsResult; readonly prefix: Omit<ResponsePrefix, 'body'> } {
  const { body, ...prefix } = decodeResponsePrefix(envelope);
  if (envelope.opcode === Opcode.ERROR) throw new CassandraError(decodeError(body), prefix);
  if (envelope.opcode !== Opcode.RESULT) {
    throw new UpstreamError('UPSTREAM_ANSWER', 'Cassandra answered EXECUTE with something else');
  }
  const result = decodeResult(body, version);
  if (result.kind !== 'rows') {
    throw new UpstreamError('UPSTREAM_ANSWER', 'Cassandra answered a read without rows');
  }
  return { result, prefix };
}

/** Finds the cells of a result. @throws MetadataIntegrityError when it has other columns than were asked for. */
export function readCells(result: RowsResult, columnCount: number, table: TableEntry): StoredCells {
  if (result.metadata.columnCount !== columnCount) {
    throw new MetadataIntegrityError(
      'METADATA_FOREIGN_RESULT',
      `Cassandra answered ${String(result.metadata.columnCount)} columns instead of ${String(columnCount)} to a read of ${table.keyspace}.${table.name}; nothing of it is returned`,
    );
  }
  const { rows: reader, rowCount } = result;
  const starts = new Int32Array(rowCount * columnCount);
  const lengths = new Int32Array(rowCount * columnCount);
  fromCassandra(() => {
    for (let cell = 0; cell < starts.length; cell++) {
      const length = reader.skipBytes();
      lengths[cell] = length;
      starts[cell] = reader.offset - Math.max(length, 0);
    }
  });
  return { bytes: reader.bytes, columnCount, rowCount, starts, lengths };
}

/** The cells of some rows of a result, by their numbers. */
export function onlyRows(cells: StoredCells, rows: readonly number[]): StoredCells {
  const { columnCount } = cells;
  const starts = new Int32Array(rows.length * columnCount);
  const lengths = new Int32Array(rows.length * columnCount);
  for (const [at, row] of rows.entries()) {
    const from = row * columnCount;
    starts.set(cells.starts.subarray(from, from + columnCount), at * columnCount);
    lengths.set(cells.lengths.subarray(from, from + columnCount), at * columnCount);
  }
  return { bytes: cells.bytes, columnCount, rowCount: rows.length, starts, lengths };
}

/** The cells of some columns of a result: hidden ones stand between those that clients know. */
export function onlyColumns(cells: StoredCells, isKept: readonly boolean[]): StoredCells {
  if (!isKept.includes(false)) return cells;
  const kept = isKept.flatMap((keep, column) => (keep ? [column] : []));
  const { rowCount } = cells;
  const starts = new Int32Array(rowCount * kept.length);
  const lengths = new Int32Array(rowCount * kept.length);
  let cell = 0;
  for (let row = 0; row < rowCount; row++) {
    for (const column of kept) {
      const from = row * cells.columnCount + column;
      starts[cell] = cells.starts[from] as number;
      lengths[cell++] = cells.lengths[from] as number;
    }
  }
  return { bytes: cells.bytes, columnCount: kept.length, rowCount, starts, lengths };
}
