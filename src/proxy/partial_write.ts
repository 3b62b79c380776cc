import {
  CqlErrorCode,
  PartialWriteError,
  toProxyError,
  UnpreparedError,
  UpstreamError,
} from '../errors/index.ts';
import type { TableEntry } from '../schema/index.ts';
import { Writer } from '../wire/index.ts';
import type { ResponsePrefixFields } from '../wire/index.ts';
import { CassandraError } from './reply.ts';
import { StalePlanError } from './stale_plan.ts';

/**
 * What one request has written already, by partition. A request that writes several partitions may be planned again when
 * some of them are done: those are not written twice, or their counters would be incremented twice.
 */
export class WrittenPartitions {
  readonly #prefixes = new Map<string, ResponsePrefixFields | undefined>();
  #hasCounters = false;

  /** Whether something was written. */
  get hasBegun(): boolean {
    return this.#prefixes.size > 0;
  }

  /** What stood before Cassandra's answers: that of the request that was traced, or the first. */
  get prefix(): ResponsePrefixFields | undefined {
    const prefixes = [...this.#prefixes.values()];
    return prefixes.find((prefix) => prefix?.tracingId !== undefined) ?? prefixes[0];
  }

  /** The request increments counters: an error after one of them must not be one that drivers repeat. */
  holdCounters(): void {
    this.#hasCounters = true;
  }

  /** Whether a partition is done. */
  has(partition: string): boolean {
    return this.#prefixes.has(partition);
  }

  /** Remembers a partition that is done. */
  add(partition: string, prefix: ResponsePrefixFields | undefined): void {
    this.#prefixes.set(partition, prefix);
  }

  /**
   * What a failure is to the client. Drivers repeat a whole request after errors that say that nothing was done; where
   * something was, or may have been, the error says so: a write timeout.
   */
  failure(error: unknown, consistency: number): unknown {
    if (error instanceof StalePlanError) return error;
    const { cqlCode, message } = toProxyError(error);
    const isUnknown = this.#hasCounters && error instanceof UpstreamError;
    const isOwn = this.#hasCounters || !(error instanceof CassandraError);
    if (!isUnknown && !(this.hasBegun && isOwn && isRepeated(error, cqlCode))) return error;
    const extra = new Writer(32);
    extra.writeUnsignedShort(consistency);
    extra.writeInt(0);
    extra.writeInt(1);
    extra.writeString(this.#hasCounters ? 'COUNTER' : 'UNLOGGED_BATCH');
    return new PartialWriteError(
      `a part of the request ${this.hasBegun ? 'was' : 'may have been'} written, the rest was not: ${message}`,
      { extra: extra.toBuffer(), cause: error },
    );
  }
}

/** Whether drivers repeat the whole request after the error. */
function isRepeated(error: unknown, code: number): boolean {
  if (error instanceof UnpreparedError) return true;
  return (
    code < CqlErrorCode.SYNTAX_ERROR &&
    code !== CqlErrorCode.WRITE_TIMEOUT &&
    code !== CqlErrorCode.WRITE_FAILURE
  );
}

/** The same for the same partition, by whatever plan it is written. */
export function partitionId(table: TableEntry, key: readonly Uint8Array[]): string {
  return `${table.id} ${key.map((value) => Buffer.from(value).toString('base64')).join(' ')}`;
}

/**
 * Writes partitions, some at a time. After a failure none is begun, and those that are under way are awaited: nothing of a
 * request is written any more when it is planned again.
 *
 * @throws the failure of a partition; one that is final before one that asks for a new plan
 */
export async function writeEach<T>(
  items: readonly T[],
  atOnce: number,
  write: (item: T, index: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const failures: unknown[] = [];
  const worker = async (): Promise<void> => {
    while (next < items.length && failures.length === 0) {
      const index = next++;
      try {
        await write(items[index] as T, index);
      } catch (error) {
        failures.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, () => worker()));
  if (failures.length === 0) return;
  throw failures.find((error) => !(error instanceof StalePlanError)) ?? failures[0];
}
