import { Buffer } from 'node:buffer';

const KEPT_BYTES = 65_536;
const kept = Buffer.allocUnsafeSlow(KEPT_BYTES);

/**
 * Collects a shape as bytes, one a character, and makes one string of them at the end. One writer at a time uses the
 * kept buffer, so a writer must be finished before another is made.
 */
export class ShapeWriter {
  #bytes: Buffer = kept;
  #length = 0;

  /** Makes room for `count` more bytes; to be called before every write. */
  reserve(count: number): void {
    if (this.#length + count > this.#bytes.length) this.#grow(count);
  }

  /** Writes one byte. */
  byte(value: number): void {
    this.#bytes[this.#length++] = value;
  }

  /** Writes an ASCII word in lower case and a space, which ends it. */
  word(text: string, start: number, end: number): void {
    const bytes = this.#bytes;
    let length = this.#length;
    for (let at = start; at < end; at++) {
      const code = text.charCodeAt(at);
      bytes[length++] = code >= 65 && code <= 90 ? code | 32 : code;
    }
    bytes[length++] = 32;
    this.#length = length;
  }

  /** Writes text as it is; code units from 128 on become an escape of three bytes, so the writing stays unambiguous. */
  verbatim(text: string, start: number, end: number): void {
    const bytes = this.#bytes;
    let length = this.#length;
    for (let at = start; at < end; at++) {
      const code = text.charCodeAt(at);
      if (code < 128) bytes[length++] = code;
      else {
        bytes[length++] = 0xff;
        bytes[length++] = code >> 8;
        bytes[length++] = code & 0xff;
      }
    }
    this.#length = length;
  }

  /** What was written, one character a byte. */
  finish(): string {
    return this.#bytes.toString('latin1', 0, this.#length);
  }

  #grow(count: number): void {
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#bytes.length * 2, this.#length + count));
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
  }
}
