/** The alert rules, for Prometheus. */
import { METRIC_NAMES as M } from '../../src/observability/index.ts';

/** One rule. */
export interface Alert {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly severity: 'critical' | 'warning';
  readonly summary: string;
  readonly description: string;
}

/**
 * A counter that grew. A series that is new begins with its first count, of which `increase` sees nothing, so one that was
 * not there before counts too.
 */
const grew = (series: string, by: string, range = '5m'): string =>
  `sum by (${by}) (increase(${series}[${range}])) > 0 or (sum by (${by}) (${series}) > 0 unless sum by (${by}) (${series} offset ${range}))`;
const failed = (code: string): string =>
  grew(`${M.requests.name}{outcome=~"${code}"}`, 'instance, outcome');

/** Prometheus' alert rules of cqlock. */
export const ALERTS: readonly Alert[] = [
  {
    alert: 'CqlockDown',
    expr: 'up{job="cqlock"} == 0',
    for: '1m',
    severity: 'critical',
    summary: 'The proxy {{ $labels.instance }} does not answer',
    description: 'Its clients have no way to their data but through another proxy.',
  },
  {
    alert: 'CqlockKeyInaccessible',
    expr: `max by (keyspace, table) (${M.inaccessibleSeconds.name}) >= 0`,
    severity: 'critical',
    summary: 'The key of {{ $labels.keyspace }}.{{ $labels.table }} is refused',
    description:
      'Reads and writes of the table fail. Make the key usable again: docs/key_loss.md. When the time is over the table is backed up and dropped.',
  },
  {
    alert: 'CqlockTableDropsSoon',
    expr: `min by (keyspace, table) (${M.secondsUntilDrop.name}) < 3 * 86400`,
    severity: 'critical',
    summary:
      '{{ $labels.keyspace }}.{{ $labels.table }} is dropped in {{ $value | humanizeDuration }}',
    description:
      'Its key was refused for days. Make it usable again, or see to the backup: docs/key_loss.md.',
  },
  {
    alert: 'CqlockCellsNotAuthentic',
    expr: failed('CIPHERTEXT_.*'),
    severity: 'critical',
    summary: 'Stored values failed authentication ({{ $labels.outcome }})',
    description:
      'Values in Cassandra were altered, moved or written around the proxy {{ $labels.instance }}. Its log names the table.',
  },
  {
    alert: 'CqlockPlainTextFound',
    expr: failed('CIPHERTEXT_(VERSION|SUITE|LENGTH)'),
    severity: 'critical',
    summary: 'What is stored is no ciphertext ({{ $labels.outcome }})',
    description:
      'Somebody wrote plain values into an encrypted table around the proxy. The log of {{ $labels.instance }} names the table.',
  },
  {
    alert: 'CqlockMetadataRefused',
    expr: failed('METADATA_.*'),
    severity: 'critical',
    summary: 'Key metadata is refused ({{ $labels.outcome }})',
    description:
      'Records in the keyspace cqlock were altered, removed or rolled back: user tables are refused. Restore them: docs/errors.md.',
  },
  {
    alert: 'CqlockCertificateExpires',
    expr: `${M.certificateExpiry.name} - time() < 14 * 86400`,
    severity: 'warning',
    summary: 'The certificate of {{ $labels.instance }} for {{ $labels.use }} expires soon',
    description: 'Replace its files: docs/tls.md. No restart is needed.',
  },
  {
    alert: 'CqlockCertificateNotReplaced',
    expr: grew(M.certificateFailures.name, 'instance, use', '15m'),
    severity: 'warning',
    summary: 'New certificate files of {{ $labels.instance }} for {{ $labels.use }} cannot be used',
    description: 'The old ones stay in force. The log says what is wrong.',
  },
  {
    alert: 'CqlockKmsUnavailable',
    expr: grew(`${M.kmsCalls.name}{result="KEY_UNAVAILABLE"}`, 'instance'),
    for: '2m',
    severity: 'warning',
    summary: 'A KMS does not answer {{ $labels.instance }}',
    description:
      'Keys in use serve until their longest age (keys.lease_max_age), new ones are not had.',
  },
  {
    alert: 'CqlockAuditLogFails',
    expr: grew(M.auditFailures.name, 'instance'),
    severity: 'critical',
    summary: 'The audit log of {{ $labels.instance }} cannot be written',
    description: 'Keys are not used while audit.required is true. Look at its disk.',
  },
  {
    alert: 'CqlockNoticeNotDelivered',
    expr: grew(`${M.notices.name}{result="given_up"}`, 'event, channel', '1h'),
    severity: 'warning',
    summary: 'A notice to an owner ({{ $labels.event }}, {{ $labels.channel }}) was given up',
    description: 'Tell the owner of the table, and mend the channel: docs/key_loss.md.',
  },
  {
    alert: 'CqlockLoginsFail',
    expr: `sum by (instance) (increase(${M.logins.name}{result=~"failed|limited"}[5m])) > 50`,
    severity: 'warning',
    summary: 'Many logins fail at {{ $labels.instance }}',
    description:
      'Somebody guesses passwords, or an application has a wrong one. The log has the addresses.',
  },
  {
    alert: 'CqlockSlow',
    expr: `nodejs_eventloop_lag_p99_seconds{job="cqlock"} > 0.25`,
    for: '5m',
    severity: 'warning',
    summary: '{{ $labels.instance }} is short of CPU',
    description: 'Its event loop is late. Start another proxy, or give it a core of its own.',
  },
];
