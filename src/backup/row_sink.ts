import { randomInt } from 'node:crypto';
import type { ControlStatement } from '../upstream/index.ts';
import type { Clock } from '../util/index.ts';
import { isSamePartition } from './chunk.ts';
import type { BackupRow } from './chunk.ts';
import type { RowConnection } from './context.ts';
import { RowStatements } from './row_statements.ts';
import type { ListWrite, SinkTable } from './row_statements.ts';
import { retrying } from './table_scan.ts';

const IN_FLIGHT = 96;
const BATCH_BYTES = 128 * 1024;
const BATCH_STATEMENTS = 50;
/** A list is one write, in the order of its elements, unless it has more changes of write time than this. */
const LIST_STATEMENTS = 4096;
/** Bound, in microseconds, of what write times of a list that is written again are put later each time. */
const LIST_SHIFT = 1000;

/**
 * Writes the rows of a backup with their write times and the rest of their lives. At most {@link IN_FLIGHT} requests are under
 * way, so memory is bounded. Every write may be repeated.
 */
export class RowSink {
  readonly #connection: RowConnection;
  readonly #clock: Clock;
  readonly #statements: RowStatements;
  readonly #inFlight = new Set<Promise<void>>();
  #failure: { readonly error: unknown } | undefined;
  #partition: readonly Uint8Array[] | undefined;
  #batch: ControlStatement[] = [];
  #batchBytes = 0;

  constructor(connection: RowConnection, clock: Clock, table: SinkTable) {
    this.#connection = connection;
    this.#clock = clock;
    this.#statements = new RowStatements(table);
  }

  /** Whether it matters that rows may be there already. */
  get hasLists(): boolean {
    return this.#statements.hasLists;
  }

  /**
   * Writes a row some time; waits while too much is under way.
   * @param mayBeThere whether an earlier process may have written it
   * @param withLists false leaves its lists alone
   */
  async add(row: BackupRow, mayBeThere: boolean, withLists = true): Promise<void> {
    if (!isSamePartition(this.#partition, row.partition)) {
      await this.#send();
      this.#partition = row.partition;
    }
    const nowS = Math.floor(this.#clock.nowMs() / 1000);
    for (const statement of this.#statements.of(row, nowS)) {
      this.#batch.push(statement);
      this.#batchBytes += sizeOf(statement);
      if (this.#batch.length >= BATCH_STATEMENTS || this.#batchBytes >= BATCH_BYTES) {
        await this.#send();
      }
    }
    if (!this.hasLists || !withLists) return;
    for (const list of this.#statements.lists(row, nowS)) {
      await this.#begin(this.#writeList(list, mayBeThere));
    }
  }

  /** Resolves when everything added is written. @throws what the first failed write threw */
  async flush(): Promise<void> {
    await this.#send();
    await Promise.all(this.#inFlight);
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  async #send(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure.error;
    if (this.#batch.length === 0) return;
    const statements = this.#batch;
    this.#batch = [];
    this.#batchBytes = 0;
    await this.#begin(retrying(this.#clock, () => this.#connection.writePartition(statements)));
  }

  async #begin(work: Promise<void>): Promise<void> {
    const write = work
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => {
        this.#inFlight.delete(write);
      });
    this.#inFlight.add(write);
    if (this.#inFlight.size >= IN_FLIGHT) await Promise.race(this.#inFlight);
  }

  /** Appending twice would double the list: after a first attempt, whatever came of it, the list is deleted with the next. */
  async #writeList(list: ListWrite, mayBeThere: boolean): Promise<void> {
    const more = (): bigint => BigInt(1 + randomInt(LIST_SHIFT));
    let shift = mayBeThere ? more() : 0n;
    await retrying(this.#clock, async () => {
      const statements = list.statements(shift);
      shift += more();
      for (let from = 0; from < statements.length; from += LIST_STATEMENTS) {
        const some = statements.slice(from, from + LIST_STATEMENTS);
        await this.#connection.executeUnlogged(some, 'quorum');
      }
    });
  }
}

/** About how many bytes its values are. */
function sizeOf({ params }: ControlStatement): number {
  let bytes = 0;
  for (const param of params) {
    if (param instanceof Uint8Array) bytes += param.length;
    else if (Array.isArray(param)) for (const item of param as Uint8Array[]) bytes += item.length;
    else if (param instanceof Map) {
      for (const [key, value] of param as Map<Uint8Array, Uint8Array>) {
        bytes += key.length + value.length;
      }
    }
  }
  return bytes;
}
