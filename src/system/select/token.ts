/** A 64-bit product, kept to 64 bits. */
function mul(a: bigint, b: bigint): bigint {
  return BigInt.asUintN(64, a * b);
}

function rotl(value: bigint, bits: bigint): bigint {
  return BigInt.asUintN(64, (value << bits) | (value >> (64n - bits)));
}

function mix(value: bigint): bigint {
  let k = value;
  k ^= k >> 33n;
  k = mul(k, 0xff51afd7ed558ccdn);
  k ^= k >> 33n;
  k = mul(k, 0xc4ceb9fe1a85ec53n);
  return k ^ (k >> 33n);
}

const C1 = 0x87c37b91114253d5n;
const C2 = 0x4cf5ad432745937fn;

/**
 * The token that Murmur3Partitioner gives a serialised partition key: the first half of MurmurHash3 x64 128 with Java's
 * signed bytes in the tail, and Long.MAX_VALUE in place of Long.MIN_VALUE. For the few rows of system tables only: it is
 * written in bigints and slow.
 */
export function murmur3Token(key: Uint8Array): bigint {
  if (key.length === 0) return -(2n ** 63n);
  const view = new DataView(key.buffer, key.byteOffset, key.byteLength);
  const blocks = key.length >> 4;
  let h1 = 0n;
  let h2 = 0n;
  for (let block = 0; block < blocks; block += 1) {
    h1 ^= mul(rotl(mul(view.getBigUint64(block * 16, true), C1), 31n), C2);
    h1 = BigInt.asUintN(64, rotl(h1, 27n) + h2);
    h1 = BigInt.asUintN(64, mul(h1, 5n) + 0x52dce729n);
    h2 ^= mul(rotl(mul(view.getBigUint64(block * 16 + 8, true), C2), 33n), C1);
    h2 = BigInt.asUintN(64, rotl(h2, 31n) + h1);
    h2 = BigInt.asUintN(64, mul(h2, 5n) + 0x38495ab5n);
  }
  const tail = blocks * 16;
  let k1 = 0n;
  let k2 = 0n;
  // Cassandra sign-extends the tail's bytes before shifting them: part of its tokens ever since.
  for (let index = key.length - 1; index >= tail; index -= 1) {
    const place = index - tail;
    const byte = BigInt.asUintN(64, BigInt(view.getInt8(index)) << BigInt((place & 7) * 8));
    if (place >= 8) k2 ^= byte;
    else k1 ^= byte;
  }
  h2 ^= mul(rotl(mul(k2, C2), 33n), C1);
  h1 ^= mul(rotl(mul(k1, C1), 31n), C2);
  const length = BigInt(key.length);
  h1 ^= length;
  h2 ^= length;
  h1 = BigInt.asUintN(64, h1 + h2);
  h2 = BigInt.asUintN(64, h2 + h1);
  h1 = mix(h1);
  h2 = mix(h2);
  const token = BigInt.asIntN(64, h1 + h2);
  return token === -(2n ** 63n) ? 2n ** 63n - 1n : token;
}

/** Token of the partition whose key components are given in key order. Spec: CompositeType's serialisation for several. */
export function partitionToken(components: readonly Uint8Array[]): bigint {
  const [only] = components;
  if (components.length === 1 && only !== undefined) return murmur3Token(only);
  const parts: Uint8Array[] = [];
  for (const component of components) {
    parts.push(Uint8Array.of(component.length >> 8, component.length & 0xff), component);
    parts.push(Uint8Array.of(0));
  }
  return murmur3Token(Buffer.concat(parts));
}
