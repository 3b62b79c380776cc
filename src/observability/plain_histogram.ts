/** Upper bounds of the buckets, seconds: from a cached plan on a fast machine to a request about to time out. */
const BOUNDS = [
  0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5,
  5, 10,
];

/** One sample of the text format. */
export interface HistogramSample {
  readonly labels: Readonly<Record<string, string | number>>;
  readonly metricName: string;
  readonly value: number;
}

/** A histogram that costs a short search and two additions for each value: no labels are hashed. */
export class PlainHistogram {
  readonly #counts = new Float64Array(BOUNDS.length + 1);
  #sumSeconds = 0;

  /** Adds one duration in milliseconds. What is not a time (negative, NaN) counts as 0. */
  observeMs(durationMs: number): void {
    const seconds = durationMs > 0 ? durationMs / 1000 : 0;
    let low = 0;
    let high = BOUNDS.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (seconds <= (BOUNDS[middle] as number)) high = middle;
      else low = middle + 1;
    }
    this.#counts[low] = (this.#counts[low] as number) + 1;
    this.#sumSeconds += seconds;
  }

  /** The samples under `name` with `labels`, buckets cumulative as the text format wants them. */
  samples(name: string, labels: Readonly<Record<string, string>>): HistogramSample[] {
    const result: HistogramSample[] = [];
    let cumulative = 0;
    for (const [index, count] of this.#counts.entries()) {
      cumulative += count;
      result.push({
        labels: { ...labels, le: BOUNDS[index] ?? '+Inf' },
        metricName: `${name}_bucket`,
        value: cumulative,
      });
    }
    result.push({ labels, metricName: `${name}_sum`, value: this.#sumSeconds });
    result.push({ labels, metricName: `${name}_count`, value: cumulative });
    return result;
  }
}
