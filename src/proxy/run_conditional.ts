import { maskerOf, openRows, roleOf, storedRow } from '../encryption/index.ts';
import type {
  BoundCondition,
  Masker,
  StoredRole,
  StoredStatement,
  WritePlan,
} from '../encryption/index.ts';
import { MetadataIntegrityError, OverloadError } from '../errors/index.ts';
import type { ColumnEntry, TableEntry } from '../schema/index.ts';
import { native } from '../values/index.ts';
import { Opcode, RowsWriter } from '../wire/index.ts';
import type { BoundValue, ColumnSpec, Envelope, ResponsePrefixFields } from '../wire/index.ts';
import { decodeResponsePrefix, decodeResult } from './cassandra_answer.ts';
import { maskSight } from './mask_rights.ts';
import { openStored } from './open_stored.ts';
import { forwarded, result } from './reply.ts';
import type { Reply } from './reply.ts';
import { onlyColumns, readCells } from './run_stored.ts';
import type { RequestContext, Session } from './session.ts';

const APPLIED = '[applied]';
const NOTHING = Buffer.alloc(0);
/** Rounds in which somebody else rewrote a cell between its reading and its comparison, before the client is told. */
const ROUNDS = 50;

/** One write of a lightweight transaction; one whose `conditions` are empty is judged by Cassandra alone. */
export interface ConditionalPart {
  readonly plan: WritePlan;
  readonly statement: StoredStatement;
  /** In the order of the plan's conditions. */
  readonly conditions: readonly BoundCondition[];
}

/** Sends the statements, each whole. `isFirst` is true once: what belongs to the request goes with that one. */
type Send = (statements: readonly StoredStatement[], isFirst: boolean) => Promise<Envelope>;

/**
 * Runs writes with IF. Cassandra cannot evaluate conditions on ciphertext: the first round compares with bytes that no cell
 * can be, so it changes nothing and is a Paxos read with Cassandra's own answer; the proxy decides on the decrypted row; if
 * the conditions hold, the next round compares with exactly the stored cells that were judged. A refused round brings the row
 * as it is then, which is judged anew. An unknown outcome (a write timeout) is passed on, never repeated.
 */
export async function runConditional(
  session: Session,
  request: Pick<RequestContext, 'onUpstreamMs'>,
  parts: readonly ConditionalPart[],
  send: Send,
): Promise<Reply> {
  let statements = parts.map(({ statement }) => statement);
  let tracingId: ResponsePrefixFields['tracingId'];
  for (let round = 0; round < ROUNDS; round++) {
    const envelope = await send(statements, round === 0);
    const opened = await openAnswer(session, parts, envelope);
    if (!('rows' in opened)) return opened;
    if (round === 0) tracingId = opened.prefix.tracingId;
    const answer = { ...opened, prefix: { ...opened.prefix, tracingId } };
    const isApplied = answer.stored[0]?.[answer.appliedAt]?.[0] === 1;
    if (isApplied && round === 0 && parts.some(({ conditions }) => conditions.length > 0)) {
      throw impossible(answer.table);
    }
    if (isApplied || parts.every(({ conditions }) => conditions.length === 0)) {
      return rowsReply(session, request, answer);
    }
    const next = parts.map((part) => judged(part, answer));
    if (next.includes(undefined)) return rowsReply(session, request, answer);
    // The very cells that stand there were compared with: another part's IF EXISTS or IF NOT EXISTS does not hold.
    if (next.every((statement, index) => sameValues(statement, statements[index]))) {
      return rowsReply(session, request, answer);
    }
    statements = next as StoredStatement[];
  }
  const table = parts[0]?.plan.table;
  throw new OverloadError(
    'OVERLOAD_CONTENTION',
    `too many clients write the same row of ${table?.keyspace ?? ''}.${table?.name ?? ''} under conditions; nothing was written, try again`,
  );
}

type Row = readonly (Uint8Array | null)[];

/** An answer to IF, stored and decrypted. */
export interface Answer {
  readonly table: TableEntry;
  readonly specs: readonly ColumnSpec[];
  /** The table's columns by position in the answer; undefined for `[applied]`. */
  readonly columns: readonly (ColumnEntry | undefined)[];
  readonly appliedAt: number;
  readonly stored: readonly Row[];
  readonly rows: readonly Row[];
  readonly prefix: ResponsePrefixFields;
}

/** Takes Cassandra's answer apart; an answer without rows (an ERROR) goes to the client as it is. */
export async function openAnswer(
  session: Session,
  parts: readonly Pick<ConditionalPart, 'plan' | 'statement'>[],
  envelope: Envelope,
): Promise<Answer | Reply> {
  const { body, ...prefix } = decodeResponsePrefix(envelope);
  if (envelope.opcode !== Opcode.RESULT) return forwarded(envelope);
  const answer = decodeResult(body, session.version);
  if (answer.kind !== 'rows') return forwarded(envelope);
  const conditional = parts.find(({ plan }) => plan.conditional) ?? parts[0];
  if (conditional === undefined) return forwarded(envelope);
  const { table } = conditional.plan;
  const { columns: all } = answer.metadata;
  if (all === undefined) throw foreign(table);
  const isShown = all.map(({ name }) => !table.hiddenColumns.has(name));
  const answered = all.filter((_, index) => isShown[index]);
  const roles: StoredRole[] = [];
  const columns: (ColumnEntry | undefined)[] = [];
  const specs: ColumnSpec[] = answered.map(({ name }) => {
    const spec = { keyspace: table.keyspace, table: table.name, name };
    if (name === APPLIED) {
      columns.push(undefined);
      roles.push({ kind: 'plain', width: 1 });
      return { ...spec, type: native('boolean') };
    }
    const column = table.columns.get(name);
    if (column === undefined) throw foreign(table);
    columns.push(column);
    roles.push(roleOf(table, column));
    return { ...spec, type: column.type };
  });
  const cells = onlyColumns(readCells(answer, all.length, table), isShown);
  const hasRowKey = columns.some((column) => column?.kind === 'clustering');
  const known = {
    partition: conditional.statement.known.partition,
    // Cassandra shows the key in answers to IF EXISTS and to batches; else the row is the one the statement names.
    clustering: hasRowKey ? undefined : conditional.statement.known.clustering,
    restrictions: [],
    storedRestrictions: [],
  };
  const appliedAt = columns.indexOf(undefined);
  if (appliedAt < 0) throw foreign(table);
  const stored = Array.from({ length: cells.rowCount }, (_, row) => storedRow(cells, row));
  const opened = { table, specs, columns, appliedAt, stored, prefix };
  // What was applied says nothing more, and must not fail for want of keys.
  if (columns.length === 1) return { ...opened, rows: stored };
  const queued = await openStored(session, table, (batch, keys) =>
    openRows(batch, keys, table, roles, roles.length, known, cells),
  );
  session.services.metrics.addCellsDecrypted(queued.cellCount);
  return { ...opened, rows: queued.rows() };
}

/** The statement of the next round, or undefined when a condition does not hold on the row of the answer. */
function judged(part: ConditionalPart, answer: Answer): StoredStatement | undefined {
  const { plan, statement, conditions } = part;
  if (conditions.length === 0) return statement;
  const index = rowOf(statement, answer);
  const at = (column: ColumnEntry): number => {
    const position = answer.columns.findIndex((known) => known?.name === column.name);
    // Only [applied] stands in an answer when there is no row.
    if (position < 0 && answer.columns.length > 1) throw foreign(answer.table);
    return position;
  };
  // Static columns are the same in all rows of the partition, also where the statement's own row is not there.
  const cell = (rows: readonly Row[], column: ColumnEntry): Uint8Array | null => {
    const row = rows[index ?? (column.kind === 'static' ? 0 : -1)];
    return row?.[at(column)] ?? null;
  };
  const holds = conditions.every((condition, c) => {
    const column = plan.conditions[c]?.column;
    return column !== undefined && condition(cell(answer.rows, column));
  });
  if (!holds) return undefined;
  const cells: BoundValue[] = plan.conditionColumns.map((column) => cell(answer.stored, column));
  return {
    ...statement,
    values: [...statement.values.slice(0, statement.values.length - cells.length), ...cells],
  };
}

/** Which row of the answer a statement writes. An answer without keys has one row, or none that is there. */
export function rowOf(statement: StoredStatement, answer: Answer): number | undefined {
  const keyAt = answer.columns.flatMap((column, position) =>
    column?.kind === 'clustering' ? [{ position, at: column.position }] : [],
  );
  // Only [applied]: there is neither row nor partition.
  if (answer.columns.length === 1) return undefined;
  const { clustering } = statement.known;
  if (keyAt.length === 0 || clustering === undefined)
    return answer.stored.length === 0 ? undefined : 0;
  const index = answer.stored.findIndex((row) =>
    keyAt.every(({ position, at }) => {
      const wanted = clustering.stored[at] ?? NOTHING;
      return wanted.length > 0 && Buffer.compare(row[position] ?? NOTHING, wanted) === 0;
    }),
  );
  return index < 0 ? undefined : index;
}

function sameValues(a: StoredStatement | undefined, b: StoredStatement | undefined): boolean {
  const [values, others] = [a?.values ?? [], b?.values ?? []];
  if (values.length !== others.length) return false;
  return values.every((value, index) => {
    const other = others[index];
    if (value instanceof Uint8Array && other instanceof Uint8Array) {
      return Buffer.compare(value, other) === 0;
    }
    return value === other;
  });
}

/** Cassandra shows the row in clear to roles without UNMASK, too; the proxy does not. */
async function rowsReply(
  session: Session,
  request: Pick<RequestContext, 'onUpstreamMs'>,
  answer: Answer,
): Promise<Reply> {
  const { functions } = session.services;
  let maskers: readonly (Masker | undefined)[] = answer.columns.map(
    (column) => column && maskerOf(column),
  );
  if (maskers.some((masker) => masker !== undefined)) {
    if ((await maskSight(session, request, answer.table)) !== undefined) maskers = [];
  }
  const writer = new RowsWriter({ columns: answer.specs }, session.version);
  for (const row of answer.rows) {
    for (const [at, cell] of row.entries()) {
      const masker = maskers[at];
      writer.writeCell(masker === undefined ? cell : masker(cell, functions));
    }
  }
  return result(writer.finish(), answer.prefix);
}

function impossible(table: TableEntry): MetadataIntegrityError {
  return new MetadataIntegrityError(
    'METADATA_FOREIGN_RESULT',
    `Cassandra says that it applied a write of ${table.keyspace}.${table.name} under a condition that no stored cell can meet`,
  );
}

function foreign(table: TableEntry): MetadataIntegrityError {
  return new MetadataIntegrityError(
    'METADATA_FOREIGN_RESULT',
    `Cassandra answered unknown columns to a conditional write of ${table.keyspace}.${table.name}`,
  );
}
