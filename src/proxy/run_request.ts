import { parseStatement, statementShape } from '../cql/index.ts';
import type { ParsedStatement } from '../cql/index.ts';
import type { TermContext } from '../encryption/index.ts';
import {
  CqlErrorCode,
  InvalidRequestError,
  ProtocolError,
  UnpreparedError,
} from '../errors/index.ts';
import { constantToBytes, native } from '../values/index.ts';
import {
  decodeBatch,
  decodeExecute,
  decodePrepare,
  decodeQuery,
  encodePrepared,
  encodeVoidResult,
  Opcode,
  RowsWriter,
} from '../wire/index.ts';
import type { BatchMessage, BoundValue, ColumnSpec, QueryOptions } from '../wire/index.ts';
import { BATCH_TYPES, checkBatch, compile } from './compile.ts';
import type { Compiled } from './compile.ts';
import { invalidPagingState } from './paging_state.ts';
import { WrittenPartitions } from './partial_write.ts';
import { result } from './reply.ts';
import { readSystemRows } from './read_system_rows.ts';
import { requireRoleReader } from './role_reader.ts';
import type { Reply } from './reply.ts';
import { runEvaluated } from './run_evaluated.ts';
import { runSelect } from './run_select.ts';
import { runStatement } from './run_statement.ts';
import { checkBoundCount, runBatch, runWrite } from './run_write.ts';
import type { BatchPart } from './run_write.ts';
import { forwardQuery, preparedForward } from './run_forward.ts';
import { named, positional, termContext } from './term_values.ts';
import type { RequestValues } from './term_values.ts';
import type { RequestContext, Session } from './session.ts';
import { idKey, isCurrent } from './statement_cache.ts';
import type { PreparedEntry } from './statement_cache.ts';
import { untilCurrent } from './until_current.ts';

/** Statements that Cassandra gets with the paging state of the client, and judges it. */
const PASSED_ON: ReadonlySet<string> = new Set(['use', 'describe', 'roles']);

/** A request of a client, its prefix already taken off. */
export interface ClientRequest {
  readonly opcode: number;
  readonly body: Buffer;
  /** Header flags that go to Cassandra with the first request: TRACING. */
  readonly flags: number;
  readonly onUpstreamMs: (ms: number) => void;
  /** Told the kind of the statement, for metrics. */
  readonly onKind: (kind: string) => void;
}

/** Answers QUERY, PREPARE, EXECUTE and BATCH. @throws ProxyError of all kinds. */
export function runRequest(session: Session, request: ClientRequest): Promise<Reply> {
  switch (request.opcode) {
    case Opcode.QUERY:
      return runQuery(session, request);
    case Opcode.PREPARE:
      return runPrepare(session, request);
    case Opcode.EXECUTE:
      return runExecute(session, request);
    case Opcode.BATCH:
      return runBatchMessage(session, request);
    default:
      throw new ProtocolError(
        'PROTOCOL_OPCODE',
        `Unexpected message of opcode ${String(request.opcode)}`,
      );
  }
}

async function runQuery(session: Session, request: ClientRequest): Promise<Reply> {
  const { query, options } = decodeQuery(request.body, session.version);
  const { keyspace } = session;
  return untilCurrent(session, contextOf(request, options), async (context) => {
    const { shape, constants } = statementShape(query);
    const { statements, catalog } = session.services;
    let compiled = statements.literal(keyspace, shape, catalog.snapshot());
    if (compiled === undefined) {
      compiled = await compile(session, parseStatement(query), keyspace);
      statements.setLiteral(keyspace, shape, compiled);
    }
    request.onKind(kindOf('query', compiled));
    return run(session, context, compiled, {
      text: query,
      constants,
      values: options.values,
      names: options.names,
      noMetadata: false,
      body: request.body,
    });
  });
}

function contextOf(request: ClientRequest, options: QueryOptions): RequestContext {
  const { flags, onUpstreamMs } = request;
  return { options, flags, onUpstreamMs, written: new WrittenPartitions() };
}

async function runPrepare(session: Session, request: ClientRequest): Promise<Reply> {
  const { query } = decodePrepare(request.body, session.version);
  const { statements } = session.services;
  const parsed = parseStatement(query);
  const { keyspace } = session;
  const compiled = await compileToKeep(session, parsed, keyspace, query);
  request.onKind(kindOf('prepare', compiled));
  const id = statements.idOf(keyspace, query);
  const entry: PreparedEntry = {
    id,
    text: query,
    keyspace,
    parsed,
    compiled,
    ...fingerprints(compiled),
  };
  statements.setPrepared(entry);
  session.knownMetadata.set(idKey(id), entry.resultFingerprint);
  return result(
    encodePrepared(
      {
        id,
        variables: {
          columns: variablesOf(compiled),
          partitionKeyIndices: [
            ...('partitionKeyIndices' in compiled ? compiled.partitionKeyIndices : []),
          ],
        },
        resultMetadata: { columns: resultColumnsOf(compiled) },
      },
      session.version,
    ),
  );
}

/** The plan of a statement that is prepared: what the client is told of it, Cassandra says where it is passed on. */
async function compileToKeep(
  session: Session,
  parsed: ParsedStatement,
  keyspace: string | undefined,
  text: string,
): Promise<Compiled> {
  const compiled = await compile(session, parsed, keyspace);
  if (compiled.kind !== 'forward') return compiled;
  return { ...compiled, prepared: await preparedForward(session, compiled, text) };
}

async function runExecute(session: Session, request: ClientRequest): Promise<Reply> {
  const { id, options } = decodeExecute(request.body, session.version);
  const key = idKey(id);
  return untilCurrent(session, contextOf(request, options), async (context) => {
    const entry = await currentEntry(session, id, key);
    const { compiled } = entry;
    request.onKind(kindOf('execute', compiled));
    return run(session, context, compiled, {
      text: entry.text,
      constants: entry.parsed.constants,
      values: options.values,
      names: options.names,
      noMetadata:
        options.skipMetadata &&
        session.knownMetadata.get(key) === entry.resultFingerprint &&
        session.services.statements.isUnchanged(key),
      body: undefined,
    });
  });
}

/**
 * A prepared statement whose plan is current. A plan that is not is made again; where that changes what the client was told
 * at PREPARE, the client has to prepare again.
 */
async function currentEntry(session: Session, id: Buffer, key: string): Promise<PreparedEntry> {
  const { statements, catalog } = session.services;
  const entry = statements.prepared(key);
  if (entry === undefined) throw unprepared(id);
  const { compiled } = entry;
  if (compiled.kind === 'statement') return entry;
  if (isCurrent(compiled, catalog.snapshot())) return entry;
  const again = await compileToKeep(session, entry.parsed, entry.keyspace, entry.text);
  const prints = fingerprints(again);
  if (compiled.kind === 'virtual') return { ...entry, compiled: again, ...prints };
  if (
    prints.resultFingerprint !== entry.resultFingerprint ||
    prints.variablesFingerprint !== entry.variablesFingerprint
  ) {
    statements.forgetPrepared(entry);
    throw unprepared(id);
  }
  entry.compiled = again;
  return entry;
}

function unprepared(id: Buffer): UnpreparedError {
  return new UnpreparedError(
    id,
    `Prepared query with ID ${id.toString('hex')} not found (either the query was not prepared on this host (maybe the host has been restarted?) or you have prepared too many queries and it has been evicted from the internal cache)`,
  );
}

/** A statement's values and what else one execution needs. */
interface Execution extends RequestValues {
  readonly text: string;
  readonly noMetadata: boolean;
  /** The client's own QUERY, to pass on unchanged; `undefined` for a prepared statement. */
  readonly body: Buffer | undefined;
}

async function run(
  session: Session,
  request: RequestContext,
  compiled: Compiled,
  execution: Execution,
): Promise<Reply> {
  switch (compiled.kind) {
    case 'select':
      refusePageSizeZero(request.options);
      return runSelect(
        session,
        request,
        compiled,
        termContext(session, compiled.variables, execution),
        execution.noMetadata,
        execution.text,
      );
    case 'evaluated':
      refusePageSizeZero(request.options);
      return runEvaluated(
        session,
        request,
        compiled,
        termContext(session, compiled.variables, execution),
        execution.noMetadata,
        execution.text,
      );
    case 'write':
      refusePagingState(request.options);
      return runWrite(
        session,
        request,
        compiled.plan,
        termContext(session, compiled.variables, execution),
      );
    case 'batch': {
      refusePagingState(request.options);
      const context = termContext(session, compiled.variables, execution);
      const timestamp = batchTimestamp(compiled, context);
      return runBatch(
        session,
        timestamp === undefined
          ? request
          : { ...request, options: { ...request.options, defaultTimestamp: timestamp } },
        BATCH_TYPES[compiled.statement.type],
        compiled.plans.map((plan) => ({ plan, context })),
      );
    }
    case 'virtual':
      refusePageSizeZero(request.options);
      return runVirtual(session, request, compiled, execution);
    case 'forward':
      return forwardQuery(session, request, compiled, execution);
    case 'statement':
      checkBoundCount(0, execution.values.length);
      if (!PASSED_ON.has(compiled.statement.kind)) refusePagingState(request.options);
      return runStatement(session, request, compiled.statement, execution.text);
  }
}

/** Zero rows a page would never end; less than zero means no paging. */
function refusePageSizeZero({ pageSize }: QueryOptions): void {
  if (pageSize !== 0) return;
  throw new InvalidRequestError('The page size cannot be 0', CqlErrorCode.PROTOCOL_ERROR);
}

/** What has no pages gave no paging state: one that comes with it is of another statement, or of nobody. */
function refusePagingState({ pagingState }: { readonly pagingState?: Buffer | undefined }): void {
  if (pagingState !== undefined) throw invalidPagingState();
}

function batchTimestamp(
  compiled: Extract<Compiled, { kind: 'batch' }>,
  context: TermContext,
): bigint | undefined {
  const expression = compiled.statement.using.timestamp;
  if (expression === undefined) return undefined;
  let bytes: BoundValue = null;
  if (expression.kind === 'bind') bytes = context.binds[expression.index] ?? null;
  else if (expression.kind === 'constant') {
    const text = context.constants[expression.index]?.text ?? '';
    bytes = constantToBytes({ type: expression.type, text }, native('bigint'), '[timestamp]');
  }
  if (!(bytes instanceof Uint8Array)) {
    if (bytes === null) throw new InvalidRequestError('Invalid null value of timestamp');
    return undefined;
  }
  if (bytes.length !== 8) throw new InvalidRequestError('Invalid timestamp value');
  return Buffer.from(bytes).readBigInt64BE();
}

async function runVirtual(
  session: Session,
  request: RequestContext,
  compiled: Extract<Compiled, { kind: 'virtual' }>,
  execution: Execution,
): Promise<Reply> {
  const { planned } = compiled;
  if (compiled.restricted !== undefined) {
    await requireRoleReader(session, compiled.restricted, request.onUpstreamMs);
  }
  const values =
    execution.names === undefined
      ? positional(planned.variables, execution.values)
      : named(planned.variables, execution.names, execution.values);
  const read =
    planned.readBy === undefined
      ? undefined
      : await readSystemRows(session, request, planned.readBy);
  const { pageSize, pagingState } = request.options;
  const page = planned.execute(values, { pageSize, pagingState }, read);
  const writer = new RowsWriter(
    {
      columns: planned.resultColumns,
      pagingState: page.pagingState,
      noMetadata: execution.noMetadata,
    },
    session.version,
  );
  for (const row of page.rows) for (const cell of row) writer.writeCell(cell);
  return result(writer.finish());
}

async function runBatchMessage(session: Session, request: ClientRequest): Promise<Reply> {
  const message = decodeBatch(request.body, session.version);
  request.onKind('batch');
  refusePagingState(message);
  return untilCurrent(session, contextOf(request, batchOptions(message)), async (context) => {
    const parts = await batchParts(session, message);
    checkBatch(
      message.type,
      parts.map((part) => part.plan),
      false,
    );
    if (parts.length === 0) return result(encodeVoidResult());
    return runBatch(session, context, message.type, parts);
  });
}

function batchOptions(message: BatchMessage): QueryOptions {
  return {
    consistency: message.consistency,
    values: [],
    names: undefined,
    skipMetadata: false,
    pageSize: undefined,
    pagingState: undefined,
    serialConsistency: message.serialConsistency,
    defaultTimestamp: message.defaultTimestamp,
  };
}

async function batchParts(session: Session, message: BatchMessage): Promise<BatchPart[]> {
  const { statements, catalog } = session.services;
  const parts: BatchPart[] = [];
  for (const child of message.children) {
    let compiled: Compiled | undefined;
    let constants: readonly { readonly text: string }[];
    if (child.kind === 'prepared') {
      const entry = await currentEntry(session, child.id, idKey(child.id));
      compiled = entry.compiled;
      constants = entry.parsed.constants;
    } else {
      const { keyspace } = session;
      const shaped = statementShape(child.query);
      constants = shaped.constants;
      compiled = statements.literal(keyspace, shaped.shape, catalog.snapshot());
      if (compiled === undefined) {
        compiled = await compile(session, parseStatement(child.query), keyspace);
        statements.setLiteral(keyspace, shaped.shape, compiled);
      }
    }
    if (compiled.kind !== 'write') {
      throw new InvalidRequestError(
        'Invalid statement in batch: only UPDATE, INSERT and DELETE statements are allowed.',
      );
    }
    const { variables } = compiled;
    if (child.values.length !== variables.length) {
      throw new InvalidRequestError(
        `There were ${String(variables.length)} markers(?) in CQL but ${String(child.values.length)} bound variables`,
      );
    }
    parts.push({
      plan: compiled.plan,
      context: {
        binds: child.values,
        constants,
        functions: session.services.functions,
      },
    });
  }
  return parts;
}

function variablesOf(compiled: Compiled): readonly ColumnSpec[] {
  if (compiled.kind === 'forward') return compiled.prepared?.variables.columns ?? [];
  return 'variables' in compiled ? compiled.variables : [];
}

function resultColumnsOf(compiled: Compiled): readonly ColumnSpec[] {
  switch (compiled.kind) {
    case 'select':
    case 'evaluated':
      return compiled.resultColumns;
    case 'virtual':
      return compiled.planned.resultColumns;
    // Cassandra does not say at PREPARE what a conditional write answers.
    case 'write':
    case 'batch':
      return [];
    case 'forward':
      return compiled.prepared?.resultColumns ?? [];
    case 'statement':
      return [];
  }
}

function fingerprints(
  compiled: Compiled,
): Pick<PreparedEntry, 'resultFingerprint' | 'variablesFingerprint'> {
  return {
    resultFingerprint: fingerprint(resultColumnsOf(compiled)),
    variablesFingerprint: fingerprint(variablesOf(compiled)),
  };
}

function fingerprint(columns: readonly ColumnSpec[]): string {
  return JSON.stringify(
    // The whole type: names of the fields of user types are told to clients, too.
    columns.map((column) => [column.keyspace, column.table, column.name, column.type]),
  );
}

function kindOf(message: string, compiled: Compiled): string {
  switch (compiled.kind) {
    case 'write':
      return `${message}_${compiled.plan.statement}`;
    case 'virtual':
      return `${message}_system`;
    case 'statement':
      return `${message}_${compiled.statement.kind}`;
    case 'evaluated':
      return `${message}_select`;
    case 'select':
    case 'batch':
    case 'forward':
      return `${message}_${compiled.kind}`;
  }
}
