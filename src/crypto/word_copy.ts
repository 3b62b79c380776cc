/** Below this, a loop is cheaper than making a view for the native copy. */
const LOOP_BYTES = 96;

/** Copies `length` bytes; ranges must lie inside both arrays. */
export function copyBytes(
  source: Uint8Array,
  from: number,
  length: number,
  target: Uint8Array,
  to: number,
): void {
  if (length > LOOP_BYTES) {
    target.set(
      from === 0 && length === source.length ? source : source.subarray(from, from + length),
      to,
    );
    return;
  }
  for (let i = 0; i < length; i++) target[to + i] = source[from + i] as number;
}

/** Four bytes of `source` as they lie in memory, as one word. */
export function loadWord(source: Uint8Array, at: number): number {
  return (
    (source[at] as number) |
    ((source[at + 1] as number) << 8) |
    ((source[at + 2] as number) << 16) |
    ((source[at + 3] as number) << 24)
  );
}

/** The same bytes as a view that reads words at any place. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
