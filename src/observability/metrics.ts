import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client';
import type { Histogram } from 'prom-client';
import { METRIC_NAMES } from './metric_names.ts';
import type { Metrics, MetricsSide } from './metrics_port.ts';
import { keyLossMetrics } from './key_loss_metrics.ts';
import { PlainHistogram } from './plain_histogram.ts';
import type { HistogramSample } from './plain_histogram.ts';
import { rotationMetrics } from './rotation_metrics.ts';
import { tlsMetrics } from './tls_metrics.ts';

/** A defect that makes labels out of client text must not fill the memory. */
const MAX_LABEL_VALUES = 256;
const OVERFLOW_LABEL = 'other';

interface RequestSeries {
  readonly outcomes: Map<string, { count: number }>;
  readonly proxy: PlainHistogram;
  readonly upstream: PlainHistogram;
}

interface KmsSeries {
  readonly results: Map<string, { count: number }>;
  readonly duration: PlainHistogram;
}

/** Makes the metrics of one process, with those of Node itself (heap, garbage collection, event loop lag, CPU). */
export function createMetrics(): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const requests = new Map<string, RequestSeries>();
  const kms = new Map<string, KmsSeries>();
  const bytes = { client: { in: 0, out: 0 }, upstream: { in: 0, out: 0 } };
  const totals = {
    encrypted: 0,
    decrypted: 0,
    leases: 0,
    audited: 0,
    auditFailures: 0,
    connections: 0,
    opened: 0,
  };

  const newRequestSeries = (): RequestSeries => ({
    outcomes: new Map(),
    proxy: new PlainHistogram(),
    upstream: new PlainHistogram(),
  });
  const newKmsSeries = (): KmsSeries => ({ results: new Map(), duration: new PlainHistogram() });

  counter(registry, METRIC_NAMES.requests, ['kind', 'outcome'], (add) => {
    for (const [kind, { outcomes }] of requests) {
      for (const [outcome, { count }] of outcomes) add({ kind, outcome }, count);
    }
  });
  histogram(registry, METRIC_NAMES.proxySeconds, () =>
    [...requests].flatMap(([kind, { proxy }]) =>
      proxy.samples(METRIC_NAMES.proxySeconds.name, { kind }),
    ),
  );
  histogram(registry, METRIC_NAMES.upstreamSeconds, () =>
    [...requests].flatMap(([kind, { upstream }]) =>
      upstream.samples(METRIC_NAMES.upstreamSeconds.name, { kind }),
    ),
  );
  counter(registry, METRIC_NAMES.cellsEncrypted, [], (add) => {
    add({}, totals.encrypted);
  });
  counter(registry, METRIC_NAMES.cellsDecrypted, [], (add) => {
    add({}, totals.decrypted);
  });
  gauge(registry, METRIC_NAMES.leases, () => totals.leases);
  counter(registry, METRIC_NAMES.kmsCalls, ['operation', 'result'], (add) => {
    for (const [operation, { results }] of kms) {
      for (const [result, { count }] of results) add({ operation, result }, count);
    }
  });
  histogram(registry, METRIC_NAMES.kmsSeconds, () =>
    [...kms].flatMap(([operation, { duration }]) =>
      duration.samples(METRIC_NAMES.kmsSeconds.name, { operation }),
    ),
  );
  counter(registry, METRIC_NAMES.auditEvents, [], (add) => {
    add({}, totals.audited);
  });
  counter(registry, METRIC_NAMES.auditFailures, [], (add) => {
    add({}, totals.auditFailures);
  });
  gauge(registry, METRIC_NAMES.connections, () => totals.connections);
  counter(registry, METRIC_NAMES.connectionsOpened, [], (add) => {
    add({}, totals.opened);
  });
  counter(registry, METRIC_NAMES.bytes, ['side', 'direction'], (add) => {
    for (const side of ['client', 'upstream'] as const) {
      for (const direction of ['in', 'out'] as const) {
        add({ side, direction }, bytes[side][direction]);
      }
    }
  });

  const loss = keyLossMetrics(registry);
  return {
    ...loss,
    recordRequest: (kind, outcome, proxyMs, upstreamMs) => {
      const series = entryOf(requests, kind, newRequestSeries);
      entryOf(series.outcomes, outcome, newCount).count += 1;
      series.proxy.observeMs(proxyMs);
      if (upstreamMs > 0) series.upstream.observeMs(upstreamMs);
    },
    addCellsEncrypted: (count) => {
      totals.encrypted += count;
    },
    addCellsDecrypted: (count) => {
      totals.decrypted += count;
    },
    addLeases: (delta) => {
      totals.leases += delta;
    },
    recordKmsCall: (operation, result, durationMs) => {
      const series = entryOf(kms, operation, newKmsSeries);
      entryOf(series.results, result, newCount).count += 1;
      series.duration.observeMs(durationMs);
    },
    addAuditEvent: () => {
      totals.audited += 1;
    },
    addAuditFailure: () => {
      totals.auditFailures += 1;
    },
    addClientConnections: (delta) => {
      totals.connections += delta;
      if (delta > 0) totals.opened += delta;
    },
    addBytes: (side: MetricsSide, direction, count) => {
      bytes[side][direction] += count;
    },
    ...rotationMetrics(registry),
    ...tlsMetrics(registry),
    render: () => registry.metrics(),
    contentType: registry.contentType,
  };
}

function newCount(): { count: number } {
  return { count: 0 };
}

function entryOf<T>(entries: Map<string, T>, label: string, make: () => T): T {
  const found = entries.get(label);
  if (found !== undefined) return found;
  if (entries.size >= MAX_LABEL_VALUES && label !== OVERFLOW_LABEL) {
    return entryOf(entries, OVERFLOW_LABEL, make);
  }
  const made = make();
  entries.set(label, made);
  return made;
}

interface NameAndHelp {
  readonly name: string;
  readonly help: string;
}

/** A counter whose values are read when it is asked for. */
function counter(
  registry: Registry,
  metric: NameAndHelp,
  labelNames: readonly string[],
  read: (add: (labels: Record<string, string>, value: number) => void) => void,
): void {
  const made: Counter = new Counter({
    ...metric,
    labelNames: [...labelNames],
    registers: [registry],
    collect: () => {
      made.reset();
      read((labels, value) => {
        made.inc(labels, value);
      });
    },
  });
}

function gauge(registry: Registry, metric: NameAndHelp, read: () => number): void {
  const made: Gauge = new Gauge({
    ...metric,
    registers: [registry],
    collect: () => {
      made.set(read());
    },
  });
}

/** A histogram of samples made elsewhere; the registry needs a name and `get` only. */
function histogram(
  registry: Registry,
  metric: NameAndHelp,
  read: () => readonly HistogramSample[],
): void {
  const source = {
    ...metric,
    get: () => Promise.resolve({ ...metric, type: 'histogram', aggregator: 'sum', values: read() }),
    reset: () => undefined,
  };
  registry.registerMetric(source as unknown as Histogram);
}
