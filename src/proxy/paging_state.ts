import { createHash } from 'node:crypto';
import { pagingOpen, pagingSeal } from '../crypto/index.ts';
import type { SivKey } from '../crypto/index.ts';
import { keyEpoch } from '../schema/index.ts';
import type { TableEntry } from '../schema/index.ts';
import { CqlErrorCode, InvalidRequestError } from '../errors/index.ts';

/** Where a paged read goes on. */
export interface PagingPosition {
  /** Index among the partitions of the statement; 0 for a scan. */
  readonly partition: number;
  /** Rows that LIMIT still allows; `undefined` without LIMIT. */
  readonly remaining: number | undefined;
  /** Cassandra's own state inside that partition or scan. */
  readonly upstream: Buffer | undefined;
  /** Whether Cassandra's own state counts the rows of LIMIT, too. */
  readonly isCounted: boolean;
}

const COUNTED = 2;

/** Paging states are refused when they are older than this, in milliseconds. */
const MAX_AGE_MS = 24 * 3600 * 1000;

/** Positions of reads that Cassandra evaluates. */
export const FORMAT = 1;

/** Positions of reads that the proxy evaluates. */
export const EVALUATED_FORMAT = 2;

/** Positions of reads whose partitions the proxy sorts. */
export const ORDERED_FORMAT = 3;

/**
 * What a paging state is bound to: another statement, table or protocol version cannot use it, nor the same table after its rows
 * were moved under another key.
 */
export function pagingBinding(
  version: number,
  table: Pick<TableEntry, 'keyspace' | 'tableId' | 'record'>,
  text: string,
  format = FORMAT,
): Uint8Array[] {
  const statement = createHash('sha256');
  for (const part of [table.keyspace, text]) {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(Buffer.byteLength(part));
    statement.update(length).update(part);
  }
  const epoch = Buffer.alloc(2);
  epoch.writeUInt16BE(keyEpoch(table.record));
  return [Buffer.from([format, version]), statement.digest(), Buffer.from(table.tableId), epoch];
}

/** Encrypts a position; clients cannot read or change it. */
export function sealPagingState(
  key: SivKey,
  binding: readonly Uint8Array[],
  position: PagingPosition,
  nowMs: number,
): Buffer {
  const upstream = position.upstream;
  const plain = Buffer.alloc(9 + (upstream?.length ?? 0));
  plain.writeUInt32BE(position.partition, 0);
  plain.writeInt32BE(position.remaining ?? -1, 4);
  plain.writeUInt8((upstream === undefined ? 0 : 1) | (position.isCounted ? COUNTED : 0), 8);
  if (upstream !== undefined) upstream.copy(plain, 9);
  return sealPosition(key, binding, plain, nowMs);
}

/** Encrypts the bytes of a position, with the time. */
export function sealPosition(
  key: SivKey,
  binding: readonly Uint8Array[],
  position: Uint8Array,
  nowMs: number,
): Buffer {
  const time = Buffer.alloc(8);
  time.writeBigUInt64BE(BigInt(nowMs), 0);
  return Buffer.from(pagingSeal(key, binding, Buffer.concat([time, position])));
}

/** @throws InvalidRequestError (a PROTOCOL ERROR to the client, as in Cassandra) for a state that is not of this statement, altered or too old. */
export function openPagingState(
  key: SivKey,
  binding: readonly Uint8Array[],
  state: Uint8Array,
  nowMs: number,
): PagingPosition {
  const plain = openPosition(key, binding, state, nowMs);
  if (plain.length < 9) throw invalidPagingState();
  const remaining = plain.readInt32BE(4);
  return {
    partition: plain.readUInt32BE(0),
    remaining: remaining < 0 ? undefined : remaining,
    upstream: (plain.readUInt8(8) & 1) === 0 ? undefined : plain.subarray(9),
    isCounted: (plain.readUInt8(8) & COUNTED) !== 0,
  };
}

/** The bytes of {@link sealPosition}; errors as of {@link openPagingState}. */
export function openPosition(
  key: SivKey,
  binding: readonly Uint8Array[],
  state: Uint8Array,
  nowMs: number,
): Buffer {
  const opened = pagingOpen(key, binding, state);
  if (opened.length < 8) throw invalidPagingState();
  const plain = Buffer.from(opened.buffer, opened.byteOffset, opened.length);
  const ageMs = nowMs - Number(plain.readBigUInt64BE(0));
  if (ageMs > MAX_AGE_MS || ageMs < -MAX_AGE_MS) throw invalidPagingState();
  return plain.subarray(8);
}

/** Whether a read has pages: not without a size, nor with the largest, which Cassandra takes for none. */
export function isPageSize(size: number | undefined): size is number {
  return size !== undefined && size > 0 && size < 0x7fff_ffff;
}

/** Cassandra's answer to a paging state that it does not know. */
export function invalidPagingState(): InvalidRequestError {
  return new InvalidRequestError('Invalid value for the paging state', CqlErrorCode.PROTOCOL_ERROR);
}
