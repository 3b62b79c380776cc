import { BlockKey, ChainKey } from './aes_key.ts';
import { requireLength } from './check.ts';

/**
 * The two AES keys of AES-SIV, as cipher objects that live as long as the key. Holds no raw key bytes.
 * Spec: rfc5297 2.2
 */
export class SivKey {
  /** First half: S2V. */
  readonly mac: ChainKey;
  /** Second half: CTR. */
  readonly ctr: BlockKey;
  /** CMAC of the zero block, where S2V starts. */
  readonly zeroMac = new Int32Array(4);

  /** @param key both halves; 64 bytes for AES-256, RFC 5297 also defines 32 and 48 */
  constructor(key: Uint8Array) {
    const half = key.length / 2;
    this.mac = new ChainKey(key.subarray(0, half));
    this.ctr = new BlockKey(key.subarray(half));
    const block = Buffer.from(this.zeroMac.buffer);
    this.zeroMac.set(this.mac.subkeys.subarray(0, 4));
    this.mac.encryptInPlace(block, 1);
  }

  /** @param key64 64 bytes; not kept, the caller zeroes it */
  static fromBytes(key64: Uint8Array): SivKey {
    requireLength(key64, 64, 'AES-256-SIV key');
    return new SivKey(key64);
  }

  /** Ends all cipher objects of the key; it cannot be used afterwards. */
  dispose(): void {
    this.mac.dispose();
    this.ctr.dispose();
    this.zeroMac.fill(0);
  }
}
