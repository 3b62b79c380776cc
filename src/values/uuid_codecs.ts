import { InvalidRequestError } from '../errors/index.ts';
import { fixedBits } from './bit_writer.ts';
import type { BitWriter, OrderBits } from './bit_writer.ts';
import { compareBytes } from './bytes.ts';
import type { ElementCodec } from './codec.ts';

const identity = (bytes: Uint8Array): Uint8Array => bytes;

/** Order of the 8 bytes of a version 1 time, most significant first: time_hi_and_version, time_mid, time_low. */
const TIME_ORDER = [6, 7, 4, 5, 0, 1, 2, 3] as const;

/** 16 bytes whose unsigned order is that of UUIDType. Spec: org.apache.cassandra.db.marshal.UUIDType. */
function uuidSortKey(uuid: Uint8Array): Uint8Array {
  const out = new Uint8Array(16);
  const version = (uuid[6] as number) >> 4;
  if (version === 1) {
    for (let i = 0; i < 8; i++) out[i] = uuid[TIME_ORDER[i] as number] as number;
  } else {
    // Version nibble first, then the other 60 bits in their order.
    let carry = version;
    for (let i = 0; i < 6; i++) {
      const b = uuid[i] as number;
      out[i] = (carry << 4) | (b >> 4);
      carry = b & 0x0f;
    }
    out[6] = (carry << 4) | ((uuid[6] as number) & 0x0f);
    out[7] = uuid[7] as number;
  }
  for (let i = 8; i < 16; i++) out[i] = uuid[i] as number;
  return out;
}

/** As {@link uuidSortKey} for TimeUUIDType, which compares the last 8 bytes as signed bytes. */
function timeuuidSortKey(uuid: Uint8Array): Uint8Array {
  const out = new Uint8Array(16);
  for (let i = 0; i < 8; i++) out[i] = uuid[TIME_ORDER[i] as number] as number;
  for (let i = 8; i < 16; i++) out[i] = (uuid[i] as number) ^ 0x80;
  return out;
}

function codecOfSortKey(
  sortKey: (uuid: Uint8Array) => Uint8Array,
  validate: (bytes: Uint8Array) => void,
): ElementCodec {
  const writeBits = (writer: BitWriter, canonical: Uint8Array): void => {
    if (canonical.length === 0) {
      writer.bits(0, 1);
      return;
    }
    writer.bits(1, 1);
    writer.bytes(sortKey(canonical), 0, 16);
  };
  return {
    fixedLength: 16,
    validate,
    stored: identity,
    rewritten: identity,
    comparable: identity,
    writeBits,
    orderBits(canonical): OrderBits {
      if (canonical.length === 0) return { bytes: Uint8Array.of(0), bitLength: 1 };
      const key = sortKey(canonical);
      return fixedBits(key, key[0] as number, 0);
    },
    compare(a, b) {
      if (a.length === 0 || b.length === 0) return a.length - b.length;
      return compareBytes(sortKey(a), sortKey(b));
    },
  };
}

function validateUuid(bytes: Uint8Array): void {
  if (bytes.length !== 16 && bytes.length !== 0) {
    throw new InvalidRequestError(`UUID should be 16 or 0 bytes (${bytes.length})`);
  }
}

/** Codec of `uuid`. */
export const uuidCodec: ElementCodec = codecOfSortKey(uuidSortKey, validateUuid);

/** Codec of `timeuuid`. Spec: org.apache.cassandra.db.marshal.AbstractTimeUUIDType. */
export const timeuuidCodec: ElementCodec = codecOfSortKey(timeuuidSortKey, (bytes) => {
  validateUuid(bytes);
  if (bytes.length === 16 && ((bytes[6] as number) & 0xf0) !== 0x10) {
    // Cassandra prints the top nibble of the first byte here, which is not the version.
    const printed = (((bytes[0] as number) << 24) >> 28) & 0xf;
    throw new InvalidRequestError(`Invalid version for TimeUUID type: 0x${printed.toString(16)}`);
  }
});
