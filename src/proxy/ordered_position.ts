import type { Row } from '../encryption/index.ts';
import { invalidPagingState } from './paging_state.ts';

/** Where a read goes on whose partitions are sorted by the proxy: a part of a {@link RowPosition}. */
export interface OrderedPlace {
  /** Cassandra's own state at the beginning of a partition; undefined at the beginning of the read. */
  readonly upstream: Buffer | undefined;
  /** The partition of which rows were given, and the last of them; undefined where the next one is whole. */
  readonly given: { readonly partition: Row; readonly last: Row } | undefined;
}

/** Has upstream | its length | upstream | partition | last row; values as a count, and each with its length. */
export function encodePlace({ upstream, given }: OrderedPlace): Buffer | undefined {
  if (upstream === undefined && given === undefined) return undefined;
  const head = Buffer.alloc(6);
  head.writeUInt8(upstream === undefined ? 0 : 1, 0);
  head.writeUInt8(given === undefined ? 0 : 1, 1);
  head.writeUInt32BE(upstream?.length ?? 0, 2);
  const rows = given === undefined ? [] : [...values(given.partition), ...values(given.last)];
  return Buffer.concat([head, upstream ?? Buffer.alloc(0), ...rows]);
}

function values(row: Row): Uint8Array[] {
  return [
    int32(row.length),
    ...row.flatMap((value) => (value === null ? [int32(-1)] : [int32(value.length), value])),
  ];
}

function int32(value: number): Uint8Array {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

/** @throws InvalidRequestError for bytes that are no place */
export function decodePlace(bytes: Buffer | undefined): OrderedPlace {
  if (bytes === undefined) return { upstream: undefined, given: undefined };
  let at = 0;
  const take = (length: number): Buffer => {
    if (length < 0 || at + length > bytes.length) throw invalidPagingState();
    at += length;
    return bytes.subarray(at - length, at);
  };
  const row = (): Row =>
    Array.from({ length: count(take(4)) }, () => {
      const length = take(4).readInt32BE();
      return length < 0 ? null : take(length);
    });
  const [hasUpstream, hasGiven] = [take(1)[0] === 1, take(1)[0] === 1];
  const upstream = take(take(4).readInt32BE());
  return {
    upstream: hasUpstream ? upstream : undefined,
    given: hasGiven ? { partition: row(), last: row() } : undefined,
  };
}

/** A count of columns. */
function count(bytes: Buffer): number {
  const value = bytes.readInt32BE();
  if (value < 0 || value > 0xffff) throw invalidPagingState();
  return value;
}
