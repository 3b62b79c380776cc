/** Checks of vectors that test/vectors/values/Generate.java makes with Cassandra's own classes. */
import { native, parseTypeText, valueCodec } from '../../../src/values/index.ts';
import type { CqlType, OrderBits, UdtType } from '../../../src/values/index.ts';

/** Values and pairs of one type. */
export interface TypeVectors {
  readonly type: string;
  /** As CQL3Type.toString prints the type. */
  readonly printed: string;
  /** Value, null or Cassandra's message, stored bytes where they differ from the value. */
  readonly values: readonly (readonly [string, string | null, string?])[];
  /** Two values as stored, and the sign of Cassandra's comparison. */
  readonly pairs: readonly (readonly [string, string, number])[];
}

/** Type, class of the constant, its text, the bytes or null, Cassandra's message. */
export type LiteralVector = readonly [string, string, string, string | null, string?];

const ADDRESS: UdtType = {
  kind: 'udt',
  keyspace: 'ks',
  name: 'address',
  fields: [
    { name: 'street', type: native('text') },
    { name: 'number', type: native('int') },
    { name: 'tags', type: { kind: 'set', element: native('decimal'), frozen: true } },
  ],
  frozen: false,
};

/** The type of a vector; knows the UDT `address`. */
export function vectorType(text: string): CqlType {
  return parseTypeText(text, (_keyspace, name) => (name === 'address' ? ADDRESS : undefined), 'ks');
}

export function fromHex(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex, 'hex'));
}

export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

/** Order of bit strings; undefined when one is a proper prefix of the other. */
export function compareBits(a: OrderBits, b: OrderBits): number | undefined {
  const shared = Math.min(a.bitLength, b.bitLength);
  for (let i = 0; i < shared; i++) {
    const mask = 0x80 >> (i & 7);
    const left = (a.bytes[i >> 3] as number) & mask;
    const right = (b.bytes[i >> 3] as number) & mask;
    if (left !== right) return left < right ? -1 : 1;
  }
  return a.bitLength === b.bitLength ? 0 : undefined;
}

/** What is wrong with one pair, or undefined. */
export function checkPair(type: CqlType, pair: TypeVectors['pairs'][number]): string | undefined {
  const [leftHex, rightHex, sign] = pair;
  const codec = valueCodec(type);
  const left = fromHex(leftHex);
  const right = fromHex(rightHex);
  if (Math.sign(codec.compare(left, right)) !== sign) return `compare ${pair.join(' ')}`;
  if (Math.sign(codec.compare(right, left)) !== -sign + 0) return `compare back ${pair.join(' ')}`;
  const leftCanonical = codec.canonical(left);
  const rightCanonical = codec.canonical(right);
  const isEqual = toHex(leftCanonical) === toHex(rightCanonical);
  if (isEqual !== (sign === 0)) return `canonical ${pair.join(' ')}`;
  if (codec.compare(left, leftCanonical) !== 0) return `canonical is another value ${leftHex}`;
  if (codec.canonical(leftCanonical) !== leftCanonical) return `not idempotent ${leftHex}`;
  const order = compareBits(codec.orderBits(leftCanonical), codec.orderBits(rightCanonical));
  return order === sign ? undefined : `order bits ${pair.join(' ')}: ${String(order)}`;
}

/** Messages that hold values in Cassandra hold none here. */
function withoutValues(message: string): string {
  return message
    .replace(/^Invalid byte for ascii: .*/, 'Invalid byte for ascii')
    .replace(/; got [0-9a-f]*$/, '; got <value>')
    .replace(/; got \d+ bytes$/, '; got <value>')
    .replace('Null value read when not allowed', 'null is not supported inside collections');
}

/** What is wrong with the verdict on one value, or undefined. */
export function checkValue(
  type: CqlType,
  [hex, message, storedHex = hex]: TypeVectors['values'][number],
): string | undefined {
  const codec = valueCodec(type);
  let found: string | null = null;
  let stored: Uint8Array | undefined;
  try {
    codec.validate(fromHex(hex));
    stored = codec.stored(fromHex(hex));
  } catch (error) {
    found = error instanceof Error ? error.message : String(error);
  }
  if ((found === null) !== (message === null)) {
    return `${hex}: '${String(found)}' instead of '${String(message)}'`;
  }
  if (message !== null && found !== null) {
    // In angle brackets: Cassandra fails with an internal error.
    // The structure is checked before the parts, so of two faults another may be reported.
    if (/(null is not|Not enough bytes|The data cannot|Unexpected|Invalid remaining)/.test(found))
      return undefined;
    if (message.startsWith('<') || withoutValues(found) === withoutValues(message))
      return undefined;
    return `${hex}: '${found}' instead of '${message}'`;
  }
  return stored !== undefined && toHex(stored) === storedHex
    ? undefined
    : `${hex}: stored as ${stored === undefined ? '' : toHex(stored)} instead of ${storedHex}`;
}
