/**
 * What is seen from outside: the log and the metrics. The log holds names and codes and never a value of a client nor key
 * material: errors whose text may quote a statement are logged without it. Metrics are plain numbers on the hot path, put
 * into Prometheus' form only when they are asked for. All metric names are in metric_names.ts.
 *
 * Imports errors and util (and pino, prom-client). Opens no socket; `net` serves what is made here.
 */
export { createLogger, silentLogger } from './logger.ts';
export type { Logger, LoggerOptions } from './logger.ts';
export { createMetrics } from './metrics.ts';
export { JobRegistry } from './job_registry.ts';
export type { JobReporter, JobStatus } from './job_registry.ts';
export { METRIC_NAMES } from './metric_names.ts';
export { noopMetrics } from './noop_metrics.ts';
export { errorLogFields } from './error_log_fields.ts';
export type { Metrics, MetricsSide, TableAccess } from './metrics_port.ts';
