import { createCipheriv } from 'node:crypto';
import type { Cipher } from 'node:crypto';
import { InternalError } from '../errors/index.ts';
import { copyBlock, double } from './gf128.ts';

/** Largest piece given to one cipher call: bounds the output Node allocates for it. */
const CALL_BYTES = 64 * 1024;

/** Results of up to this many blocks are copied: quicker than a view of the output. */
const SMALL_BLOCKS = 64;
const smallWords = new Int32Array(SMALL_BLOCKS * 4);
const smallBytes = Buffer.from(smallWords.buffer);

function rawCipher(mode: 'ecb' | 'cbc', key: Uint8Array): Cipher {
  const cipher = createCipheriv(
    `aes-${String(key.length * 8)}-${mode}`,
    key,
    mode === 'ecb' ? null : Buffer.alloc(16),
  );
  cipher.setAutoPadding(false);
  return cipher;
}

/**
 * AES on independent blocks: one cipher object for the life of the key, which costs a third of a fresh one a call.
 * Keeps no copy of the key outside OpenSSL.
 */
export class BlockKey {
  #ecb: Cipher | undefined;

  /** @param key 16, 24 or 32 bytes; copied by OpenSSL, the caller zeroes it */
  constructor(key: Uint8Array) {
    this.#ecb = rawCipher('ecb', key);
  }

  /** Encrypts `blocks` blocks of `buffer` from byte 0, in place. */
  encryptInPlace(buffer: Buffer, blocks: number): void {
    const cipher = this.#ecb;
    if (cipher === undefined) throw new InternalError('a key was used after its disposal');
    buffer.set(cipher.update(buffer.subarray(0, blocks * 16)), 0);
  }

  /**
   * Encrypts `blocks` blocks of `buffer` from byte 0, which stays as it is. The words of the result are valid until the next
   * call.
   */
  encrypt(buffer: Buffer, blocks: number): Int32Array {
    const cipher = this.#ecb;
    if (cipher === undefined) throw new InternalError('a key was used after its disposal');
    const out = cipher.update(buffer.subarray(0, blocks * 16));
    if (blocks <= SMALL_BLOCKS) {
      smallBytes.set(out, 0);
      return smallWords;
    }
    // Node gives each output a buffer of its own; words need their alignment.
    const aligned = (out.byteOffset & 3) === 0 ? out : Buffer.from(Uint8Array.from(out).buffer);
    return new Int32Array(aligned.buffer, aligned.byteOffset, blocks * 4);
  }

  /** Ends the cipher object, which erases its key schedule. */
  dispose(): void {
    this.#ecb?.final();
    this.#ecb = undefined;
  }
}

/**
 * AES for chains (CMAC, the prefix chain of the order part). Beside the ECB object it keeps one CBC object alive: a
 * chain that starts at state X is CBC when its first block is XORed with X and with the last block that object gave.
 */
export class ChainKey extends BlockKey {
  #cbc: Cipher | undefined;
  /** Last ciphertext block of the CBC object. */
  readonly #last = new Int32Array(4);
  /** CMAC subkeys K1 (words 0..3) and K2 (words 4..7). Spec: sp800-38b 6.1 */
  readonly subkeys = new Int32Array(8);

  constructor(key: Uint8Array) {
    super(key);
    this.#cbc = rawCipher('cbc', key);
    const block = Buffer.from(this.subkeys.buffer, 0, 16);
    this.encryptInPlace(block, 1);
    double(this.subkeys, 0, this.subkeys, 0);
    double(this.subkeys, 0, this.subkeys, 4);
  }

  /**
   * Chains `blocks` blocks that start at word `at` of `words`, whose bytes are `bytes`, from the state at word `slot` of
   * `states`, which becomes the last output. The first block is changed. `outputs`, when given, receives all outputs
   * from its word 0 on.
   */
  chain(
    words: Int32Array,
    bytes: Buffer,
    at: number,
    blocks: number,
    states: Int32Array,
    slot: number,
    outputs?: Int32Array,
  ): void {
    const cipher = this.#cbc;
    if (cipher === undefined) throw new InternalError('a key was used after its disposal');
    const last = this.#last;
    for (let i = 0; i < 4; i++) {
      words[at + i] =
        (words[at + i] as number) ^ (states[slot + i] as number) ^ (last[i] as number);
    }
    const end = at * 4 + blocks * 16;
    let written = 0;
    for (let from = at * 4; from < end; from += CALL_BYTES) {
      const out = cipher.update(bytes.subarray(from, Math.min(end, from + CALL_BYTES)));
      const tail = out.length - 16;
      for (let i = 0; i < 4; i++) last[i] = out.readInt32LE(tail + 4 * i);
      if (outputs !== undefined) {
        for (let i = 0; i < out.length; i += 4) outputs[written++] = out.readInt32LE(i);
      }
    }
    copyBlock(last, 0, states, slot);
  }

  /** Ends both cipher objects and zeroes the subkeys. */
  override dispose(): void {
    super.dispose();
    this.#cbc?.final();
    this.#cbc = undefined;
    this.subkeys.fill(0);
    this.#last.fill(0);
  }
}
