import {
  bindConditions,
  bindWrite,
  checkConditionalBatch,
  lacksIndexKeys,
  sealWrite,
  storedStatements,
} from '../encryption/index.ts';
import type { StoredStatement, TermContext, WritePlan } from '../encryption/index.ts';
import { InvalidRequestError } from '../errors/index.ts';
import type { TableCipherKeys } from '../crypto/index.ts';
import type { TableEntry } from '../schema/index.ts';
import { BatchType, encodeVoidResult, Opcode } from '../wire/index.ts';
import type { Envelope } from '../wire/index.ts';
import { decodeError, decodeResponsePrefix } from './cassandra_answer.ts';
import { freshCatalog } from './fresh_catalog.ts';
import { partitionId, writeEach } from './partial_write.ts';
import { CassandraError, forwarded, result } from './reply.ts';
import type { Reply } from './reply.ts';
import { runConditional } from './run_conditional.ts';
import { runCounters } from './run_counters.ts';
import { executeStored, sendBatch, storedOptions, tableKeys } from './run_stored.ts';
import type { RequestContext, Session } from './session.ts';
import { StalePlanError } from './stale_plan.ts';

/** Partitions of one statement that are written at once. */
const CONCURRENT_PARTITIONS = 8;

/** Runs an INSERT, UPDATE or DELETE on an encrypted table. */
export async function runWrite(
  session: Session,
  request: RequestContext,
  plan: WritePlan,
  context: TermContext,
): Promise<Reply> {
  if (plan.counter !== undefined) {
    return runCounters(session, request, [bindWrite(plan, context)]);
  }
  const statements = await sealedStatement(session, plan, context);
  const [only] = statements;
  if (only === undefined) return result(encodeVoidResult());
  if (statements.length === 1) {
    const send = (statement: StoredStatement, flags: number): Promise<Envelope> =>
      executeStored(
        session,
        request,
        plan.table,
        statement.text,
        storedOptions(request.options, statement.values),
        flags,
      );
    if (!plan.conditional) return forwarded(await send(only, request.flags));
    const part = { plan, statement: only, conditions: bindConditions(plan, context) };
    return runConditional(session, request, [part], ([statement], isFirst) =>
      send(statement ?? only, isFirst ? request.flags : 0),
    );
  }
  return runPartitions(session, request, plan.table, statements);
}

/** A statement of a batch, and the values it is executed with. */
export interface BatchPart {
  readonly plan: WritePlan;
  readonly context: TermContext;
}

/** Runs a client's BATCH as one batch of stored prepared statements. */
export async function runBatch(
  session: Session,
  request: RequestContext,
  type: BatchType,
  parts: readonly BatchPart[],
): Promise<Reply> {
  // A batch has counters only, or none.
  if (parts.some(({ plan }) => plan.counter !== undefined)) {
    return runCounters(
      session,
      request,
      parts.map(({ plan, context }) => bindWrite(plan, context)),
    );
  }
  checkConditionalBatch(parts.map(({ plan }) => plan));
  const conditions = parts.map(({ plan, context }) => bindConditions(plan, context));
  const sealed = await sealedBatch(session, parts);
  const statements = sealed.flat();
  if (statements.length === 0) return result(encodeVoidResult());
  if (!parts.some(({ plan }) => plan.conditional)) {
    return forwarded(await sendBatch(session, request, type, statements, request.flags));
  }
  const conditional = parts.flatMap(({ plan }, index) =>
    (sealed[index] ?? []).map((statement) => ({
      plan,
      statement,
      conditions: conditions[index] ?? [],
    })),
  );
  return runConditional(session, request, conditional, (current, isFirst) =>
    sendBatch(session, request, type, current, isFirst ? request.flags : 0),
  );
}

/** Encrypts one statement. Without a wait but for the batch of the turn, unless the KMS has to be asked. */
async function sealedStatement(
  session: Session,
  plan: WritePlan,
  context: TermContext,
): Promise<StoredStatement[]> {
  const bound = bindWrite(plan, context);
  const stale = freshCatalog(session, [plan.table]);
  if (stale !== undefined) await stale;
  const acquired = tableKeys(session, plan.table);
  const keys = acquired instanceof Promise ? await acquired : acquired;
  if (lacksIndexKeys([...plan.blinds, ...plan.mirrors], keys)) await replan(session);
  const { batch, queued } = await session.services.ticks.seal((sealing) =>
    sealWrite(sealing, keys, bound),
  );
  session.services.metrics.addCellsEncrypted(queued.cellCount);
  session.services.onCellsEncrypted(plan.table, queued.cellCount);
  return storedStatements(batch, queued, session.version);
}

async function sealedBatch(
  session: Session,
  parts: readonly BatchPart[],
): Promise<StoredStatement[][]> {
  const bound = parts.map((part) => bindWrite(part.plan, part.context));
  const stale = freshCatalog(
    session,
    parts.map((part) => part.plan.table),
  );
  if (stale !== undefined) await stale;
  const keys = new Map<TableEntry, TableCipherKeys>();
  for (const { plan } of parts) {
    if (!keys.has(plan.table)) keys.set(plan.table, await tableKeys(session, plan.table));
  }
  // Keys hold for the turn in which they were given: those that came before a wait are asked for again.
  for (const table of keys.keys()) {
    const again = tableKeys(session, table);
    if (!(again instanceof Promise)) keys.set(table, again);
  }
  for (const { plan } of parts) {
    const held = keys.get(plan.table);
    if (held === undefined || lacksIndexKeys([...plan.blinds, ...plan.mirrors], held))
      await replan(session);
  }
  const { batch, queued } = await session.services.ticks.seal((sealing) =>
    bound.map((write) => {
      const tableCipherKeys = keys.get(write.plan.table);
      if (tableCipherKeys === undefined) throw new StalePlanError();
      return sealWrite(sealing, tableCipherKeys, write);
    }),
  );
  for (const write of queued) {
    session.services.metrics.addCellsEncrypted(write.cellCount);
    session.services.onCellsEncrypted(write.bound.plan.table, write.cellCount);
  }
  return queued.map((write) => storedStatements(batch, write, session.version));
}

/** An index was dropped, or its table's keys changed, since the statement was planned. */
async function replan(session: Session): Promise<never> {
  await session.services.catalog.refresh();
  throw new StalePlanError();
}

/** One batch a partition: rows of one partition are written atomically, as Cassandra does for one statement. */
async function runPartitions(
  session: Session,
  request: RequestContext,
  table: TableEntry,
  statements: readonly StoredStatement[],
): Promise<Reply> {
  const partitions = new Map<number, StoredStatement[]>();
  for (const statement of statements) {
    const group = partitions.get(statement.partitionIndex);
    if (group === undefined) partitions.set(statement.partitionIndex, [statement]);
    else group.push(statement);
  }
  const { written } = request;
  const idOf = ([first]: readonly StoredStatement[]): string =>
    first === undefined ? '' : partitionId(table, first.known.partition.logical);
  const groups = [...partitions.values()].filter((group) => !written.has(idOf(group)));
  await writeEach(groups, CONCURRENT_PARTITIONS, async (group, index) => {
    const [first] = group;
    if (first === undefined) return;
    const flags = index === 0 ? request.flags : 0;
    const envelope =
      group.length === 1
        ? await executeStored(
            session,
            request,
            table,
            first.text,
            storedOptions(request.options, first.values),
            flags,
          )
        : await sendBatch(session, request, BatchType.UNLOGGED, group, flags);
    const { body, ...prefix } = decodeResponsePrefix(envelope);
    if (envelope.opcode === Opcode.ERROR) throw new CassandraError(decodeError(body), prefix);
    written.add(idOf(group), prefix);
  });
  return result(encodeVoidResult(), written.prefix);
}

/** @throws InvalidRequestError unless as many values are bound as there are markers, in Cassandra's words. */
export function checkBoundCount(markers: number, values: number): void {
  if (markers === values) return;
  throw new InvalidRequestError(
    `there were ${String(markers)} markers(?) in CQL but ${String(values)} bound variables`,
  );
}
