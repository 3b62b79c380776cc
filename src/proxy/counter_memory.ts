import type { CounterPartition, CounterRow } from '../encryption/index.ts';
import { RecentMap } from './recent_map.ts';

/** Counters of a row as Cassandra has them, and what they are: 8 bytes each, null for one that was never incremented. */
export interface CounterState {
  readonly stored: readonly (Uint8Array | null)[];
  readonly values: readonly (Uint8Array | null)[];
}

interface Remembered {
  readonly stored: Uint8Array;
  readonly value: Uint8Array;
}

/** Most counters that are remembered: some megabytes. */
const COUNTERS = 16_384;

/**
 * What the last increments of this process set counters to, so that the next one need not read them. It is a guess that
 * Cassandra's comparison with the stored bytes judges: where anybody wrote meanwhile, the counters are read. What is taken is
 * forgotten, so nothing is remembered of an increment that failed or whose outcome is unknown.
 */
export class CounterMemory {
  readonly #counters = new RecentMap<string, Remembered>(COUNTERS);

  /** The counters of a row, null where nothing is remembered. */
  take(partition: CounterPartition, row: CounterRow): CounterState {
    const counters = idsOf(partition, row).map((id) => {
      const known = this.#counters.get(id);
      this.#counters.delete(id);
      return known;
    });
    return {
      stored: counters.map((known) => known?.stored ?? null),
      values: counters.map((known) => known?.value ?? null),
    };
  }

  /** Remembers what an increment that was applied set the counters of a row to. */
  remember(partition: CounterPartition, row: CounterRow, { stored, values }: CounterState): void {
    idsOf(partition, row).forEach((id, index) => {
      const [bytes, value] = [stored[index], values[index]];
      // Copies: the bytes are views of a whole batch.
      if (bytes && value) {
        this.#counters.set(id, { stored: new Uint8Array(bytes), value: new Uint8Array(value) });
      }
    });
  }
}

/** By the version of the table, too: when an epoch of its keys retires, its cells are not to be taken any more. */
function idsOf({ id, table }: CounterPartition, row: CounterRow): string[] {
  return row.plan.conditionColumns.map(({ name }) => `${table.version} ${id} ${row.id} ${name}`);
}
