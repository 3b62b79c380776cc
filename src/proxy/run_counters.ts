import { randomInt } from 'node:crypto';
import {
  comparedWith,
  counterPartitions,
  incremented,
  namesWholeRow,
  sealCounterRow,
  sealWrite,
  storedStatements,
  tableName,
} from '../encryption/index.ts';
import type {
  BoundWrite,
  CounterPartition,
  CounterRow,
  StoredStatement,
} from '../encryption/index.ts';
import {
  CqlErrorCode,
  InvalidRequestError,
  MetadataIntegrityError,
  OverloadError,
} from '../errors/index.ts';
import type { TableEntry } from '../schema/index.ts';
import { BatchType, Consistency, encodeVoidResult, Opcode } from '../wire/index.ts';
import type { Envelope, QueryOptions, ResponsePrefixFields } from '../wire/index.ts';
import { decodeError, decodeResponsePrefix } from './cassandra_answer.ts';
import type { CounterState } from './counter_memory.ts';
import { counterTimeout } from './counter_timeout.ts';
import { freshCatalog } from './fresh_catalog.ts';
import { writeEach } from './partial_write.ts';
import { CassandraError, result } from './reply.ts';
import type { Reply } from './reply.ts';
import { openAnswer, rowOf } from './run_conditional.ts';
import type { Answer } from './run_conditional.ts';
import { isUnauthorized, requireModify } from './table_permission.ts';
import { executeStored, sendBatch, storedOptions, tableKeys } from './run_stored.ts';
import type { RequestContext, Session } from './session.ts';

/** Partitions of one request that are written at once. */
const CONCURRENT_PARTITIONS = 8;
/** Rounds in which somebody else changed a counter between its reading and its comparison, before the client is told. */
const ROUNDS = 100;
/** From this round on others are let by first, for a random time. */
const IMPATIENT_ROUNDS = 3;
const LONGEST_PAUSE_MS = 50;

type Cells = readonly (Uint8Array | null)[];

/**
 * Runs UPDATEs and DELETEs on counter tables, alone or as a batch. A counter is an encrypted cell: it is compared with the bytes
 * that were read and set to the sum, by lightweight transactions of one partition each. A refused round brings the counters as
 * they are then. An unknown outcome (a write timeout) is passed on, never repeated: the increment may have happened.
 */
export async function runCounters(
  session: Session,
  request: RequestContext,
  writes: readonly BoundWrite[],
): Promise<Reply> {
  const [first] = writes;
  if (first === undefined) return result(encodeVoidResult());
  checkConsistency(request.options.consistency, first.plan.table);
  const stale = freshCatalog(
    session,
    writes.map(({ plan }) => plan.table),
  );
  if (stale !== undefined) await stale;
  const { written } = request;
  written.holdCounters();
  const partitions = counterPartitions(writes).filter(({ id }) => !written.has(id));
  await writeEach(partitions, CONCURRENT_PARTITIONS, async (partition, index) => {
    const run = new PartitionRun(session, request, partition, index === 0 ? request.flags : 0);
    // Clients of one proxy do not spoil each other's rounds.
    await session.services.counterTurns.run(partition.id, () => run.run());
    written.add(partition.id, run.prefix);
  });
  return result(encodeVoidResult(), written.prefix);
}

/** Cassandra's rule for writes of counters. */
function checkConsistency(consistency: QueryOptions['consistency'], table: TableEntry): void {
  if (consistency === Consistency.ANY) {
    throw new InvalidRequestError(
      `Consistency level ANY is not yet supported for counter table ${table.name}`,
    );
  }
  if (consistency === Consistency.SERIAL || consistency === Consistency.LOCAL_SERIAL) {
    throw new InvalidRequestError('Counter operations are inherently non-serializable');
  }
}

/** One partition's part of a request. */
class PartitionRun {
  #session: Session;
  readonly #request: RequestContext;
  readonly #partition: CounterPartition;
  #flags: number;
  /** Whether the session is the proxy's own role's. */
  #isOwn = false;
  /** Tracing id and warnings of Cassandra's first answer. */
  prefix: ResponsePrefixFields | undefined;

  constructor(
    session: Session,
    request: RequestContext,
    partition: CounterPartition,
    flags: number,
  ) {
    this.#session = session;
    // A counter is one number in the whole cluster, so LOCAL_SERIAL is not enough. Write times are Paxos' own.
    const options = {
      ...request.options,
      serialConsistency: Consistency.SERIAL,
      defaultTimestamp: undefined,
    };
    this.#request = { ...request, options };
    this.#partition = partition;
    this.#flags = flags;
  }

  run(): Promise<void> {
    return this.#partition.rows.length === 0 ? this.#delete() : this.#increment();
  }

  /** Rows named whole are deleted in the order of Paxos, like the increments; slices by the coordinator's clock. */
  async #delete(): Promise<void> {
    for (const deletion of this.#partition.deletions) {
      const [statement] = await this.#sealed([deletion], []);
      if (statement === undefined) continue;
      const isRow = this.#partition.table.clustering.length === 0 || namesWholeRow(deletion.plan);
      const text = isRow ? `${statement.text} IF EXISTS` : statement.text;
      this.#checked(await this.#send([{ ...statement, text }]));
    }
  }

  async #increment(): Promise<void> {
    const { table, rows, deletions } = this.#partition;
    const { counterMemory, delay } = this.#session.services;
    // Counters that nobody incremented yet, and those that this process incremented last, need no reading.
    let current = rows.map((row) => counterMemory.take(this.#partition, row));
    for (let round = 0; round < ROUNDS; round++) {
      if (round >= IMPATIENT_ROUNDS) {
        await delay(randomInt(LONGEST_PAUSE_MS));
      }
      const next = rows.map((row, index) => incremented(row, current[index]?.values ?? []));
      const sealed = await this.#sealed(deletions, rows, next);
      const updates = sealed
        .slice(0, rows.length)
        .map((statement, index) => comparedWith(statement, current[index]?.stored ?? []));
      const envelope = await this.#send([...updates, ...sealed.slice(rows.length)]);
      this.#checked(envelope);
      const parts = rows.map(({ plan }, index) => ({
        plan,
        statement: updates[index] as StoredStatement,
      }));
      const answer = await openAnswer(this.#session, parts, envelope);
      if (!('rows' in answer)) throw foreign(table);
      if (answer.stored[0]?.[answer.appliedAt]?.[0] === 1) {
        rows.forEach((row, index) => {
          const values = next[index] ?? [];
          const stored = cellsOf(sealed[index]?.values ?? [], values.length);
          counterMemory.remember(this.#partition, row, { stored, values });
        });
        return;
      }
      const read = rows.map((row, index) =>
        countersOf(row, updates[index] as StoredStatement, answer),
      );
      const isSame = read.every(({ stored }, index) =>
        sameCells(stored, current[index]?.stored ?? []),
      );
      if (isSame) throw foreign(table);
      current = read;
    }
    throw new OverloadError(
      'OVERLOAD_CONTENTION',
      `too many clients increment the same counter of ${tableName(table)}; nothing was added, try again`,
    );
  }

  /** The rows' updates, then the deletions. */
  async #sealed(
    deletions: readonly BoundWrite[],
    rows: readonly CounterRow[],
    next: readonly (readonly Uint8Array[])[] = [],
  ): Promise<StoredStatement[]> {
    const { services } = this.#session;
    const { table } = this.#partition;
    const acquired = tableKeys(this.#session, table);
    const keys = acquired instanceof Promise ? await acquired : acquired;
    const { batch, queued } = await services.ticks.seal((sealing) => [
      ...rows.map((row, index) => sealCounterRow(sealing, keys, row, next[index] ?? [])),
      ...deletions.map((deletion) => sealWrite(sealing, keys, deletion)),
    ]);
    for (const { cellCount } of queued) {
      services.metrics.addCellsEncrypted(cellCount);
      services.onCellsEncrypted(table, cellCount);
    }
    return queued.flatMap((write) => storedStatements(batch, write, this.#session.version));
  }

  /** A role that may write and not read may increment counters, but Cassandra does not let it compare them. */
  async #send(statements: readonly StoredStatement[]): Promise<Envelope> {
    const answer = await this.#sendOnce(statements);
    if (this.#isOwn || !isUnauthorized(answer)) return answer;
    const { services, node, version } = this.#session;
    await requireModify(this.#session, this.#request, this.#partition.table);
    this.#session = { ...this.#session, node: await services.own.to(node.node, version) };
    this.#isOwn = true;
    return this.#sendOnce(statements);
  }

  async #sendOnce(statements: readonly StoredStatement[]): Promise<Envelope> {
    const { table } = this.#partition;
    const flags = this.#flags;
    this.#flags = 0;
    const [only] = statements;
    if (statements.length === 1 && only !== undefined) {
      return executeStored(
        this.#session,
        this.#request,
        table,
        only.text,
        storedOptions(this.#request.options, only.values),
        flags,
      );
    }
    return sendBatch(this.#session, this.#request, BatchType.UNLOGGED, statements, flags);
  }

  /** @throws CassandraError for an ERROR, a timeout in the words of counters. */
  #checked(envelope: Envelope): void {
    const { body, ...prefix } = decodeResponsePrefix(envelope);
    if (envelope.opcode === Opcode.ERROR) {
      const error = decodeError(body);
      throw new CassandraError(
        error.code === CqlErrorCode.WRITE_TIMEOUT
          ? counterTimeout(error, this.#request.options.consistency)
          : error,
        prefix,
      );
    }
    this.prefix ??= prefix;
  }
}

/** The cells of a row's statement: its first values. */
function cellsOf(values: StoredStatement['values'], count: number): Cells {
  return values.slice(0, count).map((value) => (value instanceof Uint8Array ? value : null));
}

/** A row's counters in an answer. */
function countersOf(
  { plan }: CounterRow,
  statement: StoredStatement,
  answer: Answer,
): CounterState {
  const index = rowOf(statement, answer);
  const isStatic = plan.conditionColumns.every(({ kind }) => kind === 'static');
  const at = plan.conditionColumns.map(({ name }) =>
    answer.columns.findIndex((column) => column?.name === name),
  );
  const cells = (rows: readonly Cells[]): Cells => {
    const row = rows[index ?? (isStatic ? 0 : -1)];
    return at.map((position) => row?.[position] ?? null);
  };
  const values = cells(answer.rows);
  if (values.some((value) => value !== null && value.length !== 8)) throw foreign(plan.table);
  return { stored: cells(answer.stored), values };
}

function sameCells(a: Cells, b: Cells): boolean {
  return a.every((cell, index) => {
    const other = b[index] ?? null;
    return cell === null || other === null ? cell === other : Buffer.compare(cell, other) === 0;
  });
}

function foreign(table: TableEntry): MetadataIntegrityError {
  return new MetadataIntegrityError(
    'METADATA_FOREIGN_RESULT',
    `Cassandra answered something that cannot be to an increment of counters of ${tableName(table)}`,
  );
}
