import { quoteIdentifier } from '../cql/index.ts';
import type {
  BatchStatement,
  ModificationStatement,
  ParsedStatement,
  QualifiedName,
  SelectStatement,
  Statement,
  TextEdit,
} from '../cql/index.ts';
import {
  columnsIn,
  evaluatedSpecs,
  MarkerRegistry,
  planAnySelect,
  planWrite,
} from '../encryption/index.ts';
import type { WritePlan } from '../encryption/index.ts';
import {
  CqlErrorCode,
  InvalidRequestError,
  SchemaError,
  UnsupportedStatementError,
  type ProxyError,
} from '../errors/index.ts';
import { isSystemKeyspace, RECORD_KEYSPACE } from '../schema/index.ts';
import type { Snapshot, TableEntry } from '../schema/index.ts';
import { planVirtualSelect } from '../system/index.ts';
import type { PlannedSelect } from '../system/index.ts';
import { native } from '../values/index.ts';
import { BatchType } from '../wire/index.ts';
import type { ColumnSpec } from '../wire/index.ts';
import { plannedByPresent } from './present_refusal.ts';
import type { CompiledEvaluation } from './run_evaluated.ts';
import { CassandraError } from './reply.ts';
import type { CompiledSelect } from './run_select.ts';
import type { Session } from './session.ts';
import type { StoredPrepared } from './stored_statements.ts';

/** A statement ready to run. */
export type Compiled =
  | (CompiledSelect & Variables)
  | (CompiledEvaluation & Variables)
  | ({ readonly kind: 'write'; readonly plan: WritePlan } & Variables)
  | ({
      readonly kind: 'batch';
      readonly statement: BatchStatement;
      readonly plans: readonly WritePlan[];
    } & Variables)
  /** A read of a system table, answered by the proxy. Belongs to one connection: it shows the proxy's own address. */
  | ({
      readonly kind: 'virtual';
      readonly planned: PlannedSelect;
      /** Name of a table that not every role may read; `undefined` for the others. */
      readonly restricted: string | undefined;
    } & Variables)
  /** A read that Cassandra answers from its own text: system tables without user data, and plain tables. */
  | {
      readonly kind: 'forward';
      /** The table's name where the client left its keyspace out; the node's own USE may be another one by the time. */
      readonly edits: readonly TextEdit[];
      /** A plain table; `undefined`: a system table. */
      readonly table: TableEntry | undefined;
      /** Known after PREPARE only. */
      readonly prepared: StoredPrepared | undefined;
    }
  /** Everything that is run from its syntax tree: schema changes, USE, DESCRIBE, roles. */
  | { readonly kind: 'statement'; readonly statement: Statement };

/** Bind variables of a statement. */
interface Variables {
  readonly variables: readonly ColumnSpec[];
  readonly partitionKeyIndices: readonly number[];
}

/** Plans a statement and lets Cassandra judge its stored form. @throws ProxyError of all kinds; CassandraError is Cassandra's own. */
export function compile(
  session: Session,
  parsed: ParsedStatement,
  keyspace: string | undefined,
): Promise<Compiled> {
  return plannedByPresent(session, () => compileOnce(session, parsed, keyspace));
}

async function compileOnce(
  session: Session,
  parsed: ParsedStatement,
  keyspace: string | undefined,
): Promise<Compiled> {
  const { statement } = parsed;
  switch (statement.kind) {
    case 'select':
      return compileSelect(session, parsed, statement, keyspace);
    case 'insert':
    case 'update':
    case 'delete': {
      const [table, snapshot] = await writableTable(session, statement, keyspace);
      const markers = new MarkerRegistry(parsed.bindMarkers);
      const plan = planWrite(statement, table, snapshot, markers);
      const variables = markers.specs();
      await judge(session, plan, variables === undefined);
      return {
        kind: 'write',
        plan,
        variables: variables ?? [],
        partitionKeyIndices: markers.partitionKeyIndices(table.partitionKey.length),
      };
    }
    case 'batch':
      return compileBatch(session, parsed, statement, keyspace);
    case 'unsupported':
      throw new UnsupportedStatementError(
        `${statement.name} is not supported by the proxy (see docs/compatibility.md)`,
      );
    default:
      return { kind: 'statement', statement };
  }
}

async function compileSelect(
  session: Session,
  parsed: ParsedStatement,
  statement: SelectStatement,
  keyspace: string | undefined,
): Promise<Compiled> {
  const name = requireKeyspace(statement.table, keyspace);
  if (isSystemKeyspace(name)) {
    const virtual = session.services.system.resolve(
      name,
      statement.table.name.text,
      session.identity,
    );
    if (virtual === 'passthrough' || (name === 'system' && isCalculation(statement))) {
      return forward(statement, name, undefined);
    }
    if (virtual === undefined) throw unknownTable(session, name, statement.table.name.text);
    const planned = planVirtualSelect(statement, virtual);
    return {
      kind: 'virtual',
      planned,
      restricted: virtual.isRestricted === true ? `${name}.${virtual.name}` : undefined,
      variables: planned.variables,
      partitionKeyIndices: planned.partitionKeyIndices,
    };
  }
  const [table, snapshot] = await findTable(session, name, statement.table.name.text);
  if (snapshot.failure !== undefined) throw snapshot.failure;
  if (table.kind === 'plain') return forward(statement, name, table);
  requireEncrypted(table);
  const markers = new MarkerRegistry(parsed.bindMarkers);
  const plan = planAnySelect(
    statement,
    table,
    snapshot,
    markers,
    session.services.callsUserFunctions,
  );
  const variables = markers.specs();
  const prepared = await judge(session, plan, variables === undefined);
  const bound = {
    variables: variables ?? [],
    partitionKeyIndices: markers.partitionKeyIndices(table.partitionKey.length),
  };
  if (plan.kind === 'evaluated') {
    const resultColumns = evaluatedSpecs(plan, parsed.constants);
    return { kind: 'evaluated', plan, resultColumns, ...bound };
  }
  return {
    kind: 'select',
    plan,
    resultColumns: plan.columns.map((column, index) =>
      column.nameFromCassandra
        ? { ...column.spec, name: prepared.resultColumns[index]?.name ?? column.spec.name }
        : column.spec,
    ),
    ...bound,
  };
}

function forward(
  { table: name }: SelectStatement,
  keyspace: string,
  table: TableEntry | undefined,
): Compiled {
  const replacement = qualified(keyspace, name.name.text);
  const edits = name.keyspace === undefined ? [{ span: name.span, replacement }] : [];
  return { kind: 'forward', edits, table, prepared: undefined };
}

/** Whether a read of system.local shows no column: `SELECT now() FROM system.local`. Cassandra has one row there, too. */
function isCalculation({ table, selectors, where, groupBy, orderBy }: SelectStatement): boolean {
  return (
    table.name.text === 'local' &&
    selectors !== undefined &&
    selectors.every(
      ({ expression }) => expression.kind !== 'count_rows' && columnsIn(expression).size === 0,
    ) &&
    where.length + groupBy.length + orderBy.length === 0
  );
}

async function compileBatch(
  session: Session,
  parsed: ParsedStatement,
  statement: BatchStatement,
  keyspace: string | undefined,
): Promise<Compiled> {
  if (statement.using.ttl !== undefined) {
    throw new InvalidRequestError('Global TTL on the BATCH statement is not supported.');
  }
  const markers = new MarkerRegistry(parsed.bindMarkers);
  const plans: WritePlan[] = [];
  let partitionKeySize = 0;
  for (const child of statement.statements) {
    const [table, snapshot] = await writableTable(session, child, keyspace);
    plans.push(planWrite(child, table, snapshot, markers));
    partitionKeySize = table.partitionKey.length;
  }
  const timestamp = statement.using.timestamp;
  if (timestamp?.kind === 'bind') {
    markers.declare(timestamp, {
      keyspace: '[batch]',
      table: '[batch]',
      name: '[timestamp]',
      type: native('bigint'),
    });
  }
  const variables = markers.specs();
  for (const plan of plans) await judge(session, plan, variables === undefined);
  checkBatch(BATCH_TYPES[statement.type], plans, timestamp !== undefined);
  return {
    kind: 'batch',
    statement,
    plans,
    variables: variables ?? [],
    partitionKeyIndices:
      new Set(plans.map((plan) => plan.table)).size === 1
        ? markers.partitionKeyIndices(partitionKeySize)
        : [],
  };
}

/** The type of a BATCH message, by the word of BEGIN … BATCH. */
export const BATCH_TYPES = {
  logged: BatchType.LOGGED,
  unlogged: BatchType.UNLOGGED,
  counter: BatchType.COUNTER,
} as const;

/** Cassandra's rules for batches that it can no longer see in a batch of prepared statements. */
export function checkBatch(
  type: BatchType,
  plans: readonly WritePlan[],
  hasTimestamp: boolean,
): void {
  const isCounterBatch = type === BatchType.COUNTER;
  if (hasTimestamp && isCounterBatch) {
    throw new InvalidRequestError('Cannot provide custom timestamp for counter BATCH');
  }
  if (hasTimestamp && plans.some((plan) => plan.hasTimestamp)) {
    throw new InvalidRequestError('Timestamp must be set either on BATCH or individual statements');
  }
  checkCounters(type, plans, hasTimestamp);
  const conditional = plans.some((plan) => plan.conditional);
  if (conditional && (hasTimestamp || plans.some((plan) => plan.hasTimestamp))) {
    throw new InvalidRequestError('Cannot provide custom timestamp for conditional BATCH');
  }
}

function checkCounters(type: BatchType, plans: readonly WritePlan[], hasTimestamp: boolean): void {
  const hasCounters = plans.some(({ counter }) => counter !== undefined);
  const hasOthers = plans.some(({ counter }) => counter === undefined);
  if (hasTimestamp && hasCounters) {
    throw new InvalidRequestError(
      'Cannot provide custom timestamp for a BATCH containing counters',
    );
  }
  if (type === BatchType.COUNTER && hasOthers) {
    throw new InvalidRequestError('Cannot include non-counter statement in a counter batch');
  }
  if (hasCounters && hasOthers) {
    throw new InvalidRequestError(
      'Counter and non-counter mutations cannot exist in the same batch',
    );
  }
  if (type === BatchType.LOGGED && hasCounters) {
    throw new InvalidRequestError('Cannot include a counter statement in a logged batch');
  }
}

/** Lets Cassandra judge the stored form of a statement, then the proxy. */
async function judge(
  session: Session,
  plan: {
    readonly table: TableEntry;
    readonly validationText: string;
    readonly refusal: ProxyError | undefined;
  },
  isIncomplete: boolean,
): Promise<{ readonly resultColumns: readonly ColumnSpec[] }> {
  const { stored } = session.services;
  const prepared = await withoutHiddenNames(plan.table, () =>
    stored.prepared(session.node, session.version, plan.table.version, plan.validationText),
  );
  if (plan.refusal !== undefined) throw plan.refusal;
  if (isIncomplete) {
    throw new UnsupportedStatementError(
      `a bind marker of this statement on ${plan.table.keyspace}.${plan.table.name} stands where the proxy cannot evaluate it (see docs/compatibility.md)`,
    );
  }
  return prepared;
}

/** Cassandra judges indexed columns, and a further key column of a view, by their hidden ones: its refusals name those. */
async function withoutHiddenNames<T>(table: TableEntry, judged: () => T | Promise<T>): Promise<T> {
  try {
    return await judged();
  } catch (error) {
    const renamed = [...table.partitionKey, ...table.clustering].find(
      ({ storedName }) => storedName !== undefined,
    );
    const isHidden = table.indexes.length > 0 || renamed !== undefined;
    if (!isHidden || !(error instanceof CassandraError)) throw error;
    let { message } = error;
    if (renamed?.storedName !== undefined) {
      message = message.replaceAll(renamed.storedName, renamed.name);
    }
    for (const { hidden, column } of table.indexes) {
      if (hidden !== null) message = message.replaceAll(hidden.name, column.name);
    }
    throw new CassandraError(
      { code: error.cqlCode, message, extra: Buffer.from(error.extra ?? []) },
      error.prefix,
    );
  }
}

/** The keyspace a name is in. @throws InvalidRequestError without one, as Cassandra. */
export function requireKeyspace(name: QualifiedName, keyspace: string | undefined): string {
  const found = name.keyspace?.text ?? keyspace;
  if (found === undefined) {
    throw new InvalidRequestError(
      'No keyspace has been specified. USE a keyspace, or explicitly specify keyspace.tablename',
    );
  }
  return found;
}

/** A snapshot that is younger is taken at its word about such a state, however many clients ask. */
const PASSING_STATE_AGE_MS = 100;
/** States of a table that end by themselves; the snapshot may be of before their end. */
const PASSING_STATES: ReadonlySet<string> = new Set(['SCHEMA_RESTORING', 'SCHEMA_REWRITING']);

/** Looks a table up; one that is not known, or is closed for a while, is looked for in Cassandra before that is said. */
export async function findTable(
  session: Session,
  keyspace: string,
  name: string,
): Promise<readonly [TableEntry, Snapshot]> {
  const { catalog } = session.services;
  if (keyspace === RECORD_KEYSPACE) throw unknownTable(session, keyspace, name);
  let snapshot = catalog.snapshot();
  let table = snapshot.table(keyspace, name);
  const isPassing =
    PASSING_STATES.has(table?.error?.code ?? '') && catalog.ageMs() > PASSING_STATE_AGE_MS;
  if (table === undefined || isPassing) {
    snapshot = await catalog.refresh();
    table = snapshot.table(keyspace, name);
  }
  if (table === undefined) throw unknownTable(session, keyspace, name);
  return [table, snapshot];
}

/** Cassandra's words for a table that is not there. */
export function unknownTable(session: Session, keyspace: string, name: string): ProxyError {
  const known =
    isSystemKeyspace(keyspace) ||
    session.services.catalog.snapshot().keyspace(keyspace) !== undefined;
  return new InvalidRequestError(
    known ? `table ${name} does not exist` : `keyspace ${keyspace} does not exist`,
  );
}

async function writableTable(
  session: Session,
  statement: ModificationStatement,
  keyspace: string | undefined,
): Promise<readonly [TableEntry, Snapshot]> {
  const name = requireKeyspace(statement.table, keyspace);
  if (isSystemKeyspace(name)) {
    throw new InvalidRequestError(
      `writes to tables of ${name} are not passed on by the proxy`,
      CqlErrorCode.UNAUTHORIZED,
    );
  }
  const [table, snapshot] = await findTable(session, name, statement.table.name.text);
  if (snapshot.failure !== undefined) throw snapshot.failure;
  if (table.kind === 'plain') throw plainRefusal(table);
  requireEncrypted(table);
  return [table, snapshot];
}

/** Writes to a table that was there before the proxy would leave plain text on the disks. */
export function plainRefusal(table: TableEntry): ProxyError {
  return new SchemaError(
    'SCHEMA_PLAIN_TABLE',
    `${table.keyspace}.${table.name} was made before the proxy and holds plain text: it can be read, not written. Copy it into a table made through the proxy (cqlock migrate)`,
  );
}

/** @throws the table's own error, unless it is encrypted and verified. */
export function requireEncrypted(table: TableEntry): void {
  if (table.error !== undefined) throw table.error;
  if (table.kind !== 'encrypted') {
    throw new SchemaError(
      'SCHEMA_UNKNOWN_TABLE',
      `${table.keyspace}.${table.name} is not known to the proxy; it is neither read nor written (cqlock tables adopt lists it as plain)`,
    );
  }
}

/** `"ks"."table"`, as stored statements name tables. */
export function qualified(keyspace: string, name: string): string {
  return `${quoteIdentifier(keyspace)}.${quoteIdentifier(name)}`;
}
