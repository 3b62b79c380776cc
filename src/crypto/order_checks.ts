import { CiphertextError } from '../errors/index.ts';
import type { ColumnContext } from './column_context.ts';
import { Ints } from './ints.ts';
import type { PlainPlaces } from './open_queue.ts';
import { OrderJobs, checkOrderBits, orderLength, orderMany } from './order.ts';
import type { Output } from './siv_chunk.ts';
import type { KeyDek } from './table_keys.ts';

// A record of integers for each value.
const CHECK = { context: 0, start: 1, handle: 2, source: 3, from: 4, length: 5, size: 6 } as const;
/** Bytes of order parts that are computed at once: bounds the memory a page takes. */
const SLICE_BYTES = 1 << 20;

/** Order parts of one key that must be what the opened values give. */
export class OrderChecks {
  readonly dek: KeyDek;
  readonly #contexts: ColumnContext[] = [];
  readonly #checks = new Ints();

  constructor(dek: KeyDek) {
    this.dek = dek;
  }

  /** Number of a context in these checks. */
  context(context: ColumnContext): number {
    const known = this.#contexts.indexOf(context);
    return known >= 0 ? known : this.#contexts.push(context) - 1;
  }

  /**
   * Queues a check: `length` bytes from `from` on in the source of number `source` must be the order part of the plain
   * text of `handle`. `context` is a number that {@link context} gave, `start` the place of T0.
   */
  push(
    context: number,
    start: number,
    handle: number,
    source: number,
    from: number,
    length: number,
  ): void {
    const checks = this.#checks;
    checks.push(context);
    checks.push(start);
    checks.push(handle);
    checks.push(source);
    checks.push(from);
    checks.push(length);
  }

  /**
   * Computes all order parts again and compares every byte.
   *
   * @throws CiphertextError CIPHERTEXT_ORDER
   */
  run(sources: readonly DataView[], places: PlainPlaces, states: Int32Array, out: Output): void {
    const { data, length } = this.#checks;
    const jobs = new OrderJobs();
    try {
      for (let c = 0; c < length;) {
        const first = c;
        let total = 0;
        for (; c < length && total < SLICE_BYTES; c += CHECK.size) {
          const { name, orderBits } = this.#contextOf(c);
          const handle = data[c + CHECK.handle] as number;
          const at = places.at.at(handle);
          const plain = new Uint8Array(out.words.buffer, at, places.length.at(handle));
          const bits = (orderBits as NonNullable<ColumnContext['orderBits']>)(plain);
          checkOrderBits(bits);
          const stored = data[c + CHECK.length] as number;
          if (orderLength(bits) !== stored) throw new CiphertextError('CIPHERTEXT_ORDER', name);
          const shared = c === first ? 0 : this.#sharedBits(c, sources);
          if (!jobs.add(data[c + CHECK.start] as number, bits, total, shared)) {
            throw new CiphertextError('CIPHERTEXT_ORDER', name);
          }
          total += stored;
        }
        const computed = new Uint8Array(total);
        orderMany(this.dek.order, jobs, states, computed);
        jobs.clear();
        this.#compare(first, c, sources, computed);
        computed.fill(0);
      }
    } finally {
      jobs.release();
      this.#checks.release();
    }
  }

  /**
   * How many first bits a value must share with the one before, by what is stored and so no secret: two values of one
   * column and partition whose bits first differ at i have different order parts up to byte i, as the gap of the digits is 2
   * and a carry at most 1. Genuine neighbours in a page share most of their bits.
   */
  #sharedBits(check: number, sources: readonly DataView[]): number {
    const { data } = this.#checks;
    const before = check - CHECK.size;
    if (
      data[check + CHECK.start] !== data[before + CHECK.start] ||
      data[check + CHECK.context] !== data[before + CHECK.context]
    ) {
      return 0;
    }
    const source = sources[data[check + CHECK.source] as number] as DataView;
    const sourceBefore = sources[data[before + CHECK.source] as number] as DataView;
    const from = data[check + CHECK.from] as number;
    const fromBefore = data[before + CHECK.from] as number;
    const length = Math.min(
      data[check + CHECK.length] as number,
      data[before + CHECK.length] as number,
    );
    let same = 0;
    while (
      same < length &&
      source.getUint8(from + same) === sourceBefore.getUint8(fromBefore + same)
    ) {
      same++;
    }
    return Math.max(same - 1, 0);
  }

  #compare(first: number, end: number, sources: readonly DataView[], computed: Uint8Array): void {
    const { data } = this.#checks;
    let failed = -1;
    for (let c = end - CHECK.size, o = computed.length; c >= first; c -= CHECK.size) {
      const length = data[c + CHECK.length] as number;
      const from = data[c + CHECK.from] as number;
      const source = sources[data[c + CHECK.source] as number] as DataView;
      o -= length;
      let difference = 0;
      for (let k = 0; k < length; k++) {
        difference |= source.getUint8(from + k) ^ (computed[o + k] as number);
      }
      if (difference !== 0) failed = c;
    }
    if (failed >= 0) throw new CiphertextError('CIPHERTEXT_ORDER', this.#contextOf(failed).name);
  }

  #contextOf(check: number): ColumnContext {
    return this.#contexts[this.#checks.at(check + CHECK.context)] as ColumnContext;
  }
}
