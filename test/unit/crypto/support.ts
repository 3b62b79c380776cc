import { CellDek, KeyDek } from '../../../src/crypto/index.ts';
import type { ColumnContext, OrderBits, TableCipherKeys } from '../../../src/crypto/index.ts';

export const hex = (text: string): Buffer => Buffer.from(text, 'hex');

/** Bytes that look random and are the same every time (xorshift). */
export function pattern(length: number, seed: number): Buffer {
  const bytes = Buffer.alloc(length);
  let x = (seed * 2654435761 + 1013904223) | 1;
  for (let i = 0; i < length; i++) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    bytes[i] = x >>> 11;
  }
  return bytes;
}

/** Order encoding of bytes of any length: per byte 1 and its bits, 0 at the end. */
export function textBits(value: Uint8Array): OrderBits {
  const bitLength = value.length * 9 + 1;
  const bytes = new Uint8Array((bitLength + 7) >> 3);
  let at = 0;
  const put = (bit: number): void => {
    bytes[at >> 3] = (bytes[at >> 3] as number) | (bit << (7 - (at & 7)));
    at++;
  };
  for (const byte of value) {
    put(1);
    for (let k = 7; k >= 0; k--) put((byte >> k) & 1);
  }
  put(0);
  return { bytes, bitLength };
}

export const column = (
  kind: ColumnContext['kind'],
  seed: number,
  extra: Partial<ColumnContext> = {},
): ColumnContext => ({
  columnId: pattern(16, seed),
  kind,
  name: `k.t.c${String(seed)}`,
  padded: false,
  ...(kind === 'ordered' ? { orderBits: textBits } : {}),
  ...extra,
});

/** Keys of a table whose cell DEKs have the given epochs; the last is active. */
export function tableKeys(seed: number, epochs: readonly number[] = [1]): TableCipherKeys {
  const cells = epochs.map((epoch) =>
    CellDek.derive(pattern(32, seed * 1000 + epoch), pattern(16, seed * 1000 + 500 + epoch), epoch),
  );
  return {
    keyDek: KeyDek.derive(pattern(32, seed), pattern(16, seed + 77), 1),
    cellDek: cells.at(-1) as CellDek,
    cellDekByEpoch: (epoch) => cells.find((dek) => dek.epoch === epoch),
    indexDek: () => undefined,
  };
}
