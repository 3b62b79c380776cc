import type { BoundEvaluation, BoundUserCall, Row } from '../encryption/index.ts';
import { UpstreamError } from '../errors/index.ts';
import { printType, sameType } from '../values/index.ts';
import type { CqlType } from '../values/index.ts';
import { Consistency } from '../wire/index.ts';
import { readOptions } from './ask.ts';
import { fromCassandra } from './cassandra_answer.ts';
import { qualified } from './compile.ts';
import type { RowPosition } from './evaluated_position.ts';
import type { RowPage, RowReader } from './evaluated_reader.ts';
import { executeSystem } from './run_forward.ts';
import { storedRows } from './run_stored.ts';
import type { RequestContext, Session } from './session.ts';

/** Calls under way at a time for one request. */
const PARALLEL = 64;

/**
 * Gives the rows of another reader with the results of functions written by users behind their columns. Cassandra
 * evaluates them on the client's connection, so by its role's permissions, with plain arguments: one request a call and row.
 */
export class CallingReader<P extends RowPage> implements RowReader<P> {
  readonly readsAhead = false;
  readonly #rows: RowReader<P>;
  readonly #session: Session;
  readonly #request: RequestContext;
  readonly #bound: BoundEvaluation;

  constructor(
    rows: RowReader<P>,
    session: Session,
    request: RequestContext,
    bound: BoundEvaluation,
  ) {
    this.#rows = rows;
    this.#session = session;
    this.#request = request;
    this.#bound = bound;
  }

  isEnd(position: RowPosition): boolean {
    return this.#rows.isEnd(position);
  }

  /** @throws CassandraError when Cassandra does not know the function, refuses its call, or the call fails */
  async page(start: RowPosition): Promise<P> {
    const page = await this.#rows.page(start);
    return { ...page, rows: await this.#withResults(page.rows) };
  }

  after(page: P, count: number): Promise<RowPosition> {
    return this.#rows.after(page, count);
  }

  async #withResults(rows: RowPage['rows']): Promise<RowPage['rows']> {
    const { accepts, calls, plan } = this.#bound;
    const width = plan.read.columns.length;
    const extended = rows.map((row) =>
      row !== undefined && accepts(row) ? row.slice(0, width) : undefined,
    );
    const wanted = extended.filter((row) => row !== undefined);
    // A call may be an argument of a later one.
    for (const call of calls) {
      const text = callText(call.function);
      for (let from = 0; from < wanted.length; from += PARALLEL) {
        await Promise.all(
          wanted.slice(from, from + PARALLEL).map(async (row) => {
            const result = await this.#result(call, text, row);
            row.push(result);
          }),
        );
      }
    }
    return extended;
  }

  async #result(
    { function: called, args }: BoundUserCall,
    text: string,
    row: Row,
  ): Promise<Uint8Array | null> {
    const { onUpstreamMs } = this.#request;
    const options = {
      ...readOptions(Consistency.ONE),
      values: args.map((evaluate) => evaluate(row, [])),
    };
    const envelope = await executeSystem(
      this.#session,
      { options, flags: 0, onUpstreamMs },
      text,
      // Else another function has the name by now.
      ({ resultColumns: [column] }) => column !== undefined && sameType(column.type, called.result),
    );
    const { result } = storedRows(envelope, this.#session.version);
    if (result.rowCount !== 1 || result.metadata.columnCount !== 1) {
      throw new UpstreamError(
        'UPSTREAM_ANSWER',
        `Cassandra answered ${String(result.rowCount)} rows of ${String(result.metadata.columnCount)} columns to a call of ${called.name}`,
      );
    }
    return fromCassandra(() => result.rows.readBytes());
  }
}

function callText({ keyspace, ownName, args }: BoundUserCall['function']): string {
  return `SELECT ${qualified(keyspace, ownName)}(${args.map(marker).join(', ')}) FROM system.local`;
}

/** A marker of a type, so that one of several functions of a name is chosen; Cassandra takes no hint of a collection or tuple here. */
function marker(type: CqlType): string {
  return type.kind === 'native' ? `(${printType(type)})?` : '?';
}
