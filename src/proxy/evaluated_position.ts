import type { PartitionMark } from '../encryption/index.ts';
import { invalidPagingState } from './paging_state.ts';

/** Where the rows of an evaluated read go on. */
export interface RowPosition {
  /** Index of the inner read; past the last one when all rows were read. */
  readonly read: number;
  /** Cassandra's own state inside that read; undefined at its beginning. */
  readonly upstream: Buffer | undefined;
}

/** Where a paged answer of an evaluated read goes on. */
export interface EvaluatedPosition extends RowPosition {
  /** Results that LIMIT still allows; undefined without LIMIT. */
  readonly remaining: number | undefined;
  readonly partition: PartitionMark;
}

const DIGEST_BYTES = 16;
const HEAD_BYTES = 14 + DIGEST_BYTES;

/** read | remaining | results of the partition | has digest | digest | has upstream | upstream. */
export function encodePosition(position: EvaluatedPosition): Buffer {
  const { upstream, partition } = position;
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt32BE(position.read, 0);
  head.writeInt32BE(position.remaining ?? -1, 4);
  head.writeUInt32BE(partition.count, 8);
  if (partition.digest !== undefined) {
    head.writeUInt8(1, 12);
    head.set(partition.digest, 13);
  }
  head.writeUInt8(upstream === undefined ? 0 : 1, 13 + DIGEST_BYTES);
  return upstream === undefined ? head : Buffer.concat([head, upstream]);
}

/** @throws InvalidRequestError for bytes that are no position */
export function decodePosition(bytes: Buffer): EvaluatedPosition {
  if (bytes.length < HEAD_BYTES) throw invalidPagingState();
  const remaining = bytes.readInt32BE(4);
  return {
    read: bytes.readUInt32BE(0),
    upstream: bytes.readUInt8(13 + DIGEST_BYTES) === 0 ? undefined : bytes.subarray(HEAD_BYTES),
    remaining: remaining < 0 ? undefined : remaining,
    partition: {
      digest: bytes.readUInt8(12) === 0 ? undefined : bytes.subarray(13, 13 + DIGEST_BYTES),
      count: bytes.readUInt32BE(8),
    },
  };
}
