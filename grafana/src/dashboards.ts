/** The dashboards. Queries use names of src/observability/metric_names.ts, so that none is made up. */
import type { Dashboard } from '@grafana/schema';
import { METRIC_NAMES as M } from '../../src/observability/index.ts';
import { DATA_SOURCE, layOut } from './panels.ts';
import type { PanelSpec } from './panels.ts';

/** The proxies that are chosen above. */
const BY = 'instance=~"$instance"';
const rate = (name: string, labels: string, by: string): string =>
  `sum by (${by}) (rate(${name}{${[BY, labels].filter((part) => part !== '').join(', ')}}[$__rate_interval]))`;
const quantile = (q: number, name: string, by = ''): string =>
  `histogram_quantile(${String(q)}, sum by (${['le', by].filter((part) => part !== '').join(', ')}) (rate(${name}_bucket{${BY}}[$__rate_interval])))`;
const share = (name: string): string =>
  `sum(rate(${name}_sum{${BY}}[$__rate_interval])) / sum(rate(${name}_count{${BY}}[$__rate_interval]))`;

const TRAFFIC: readonly PanelSpec[] = [
  {
    title: 'Requests',
    description: 'Requests of clients by kind.',
    unit: 'reqps',
    queries: [{ expr: rate(M.requests.name, '', 'kind'), legend: '{{kind}}' }],
    width: 12,
  },
  {
    title: 'Errors by code',
    description: 'Requests that were not answered with ok: docs/errors.md has each code.',
    unit: 'reqps',
    queries: [{ expr: rate(M.requests.name, 'outcome!="ok"', 'outcome'), legend: '{{outcome}}' }],
    width: 12,
  },
  {
    title: 'Mean time by part',
    description:
      'Where a request spends its time: in the proxy, in Cassandra; and a call to the KMS.',
    unit: 's',
    queries: [
      { expr: share(M.proxySeconds.name), legend: 'proxy' },
      { expr: share(M.upstreamSeconds.name), legend: 'Cassandra' },
      { expr: share(M.kmsSeconds.name), legend: 'KMS call' },
    ],
  },
  {
    title: 'Time in the proxy',
    description: 'Without waiting for Cassandra.',
    unit: 's',
    queries: [0.5, 0.95, 0.99].map((q) => ({
      expr: quantile(q, M.proxySeconds.name),
      legend: `p${String(q * 100)}`,
    })),
  },
  {
    title: 'Time in Cassandra',
    description: 'Waiting for Cassandra.',
    unit: 's',
    queries: [0.5, 0.95, 0.99].map((q) => ({
      expr: quantile(q, M.upstreamSeconds.name),
      legend: `p${String(q * 100)}`,
    })),
  },
  {
    title: 'Cells',
    description: 'Values encrypted and decrypted.',
    unit: 'ops',
    queries: [
      { expr: `sum(rate(${M.cellsEncrypted.name}{${BY}}[$__rate_interval]))`, legend: 'encrypted' },
      { expr: `sum(rate(${M.cellsDecrypted.name}{${BY}}[$__rate_interval]))`, legend: 'decrypted' },
    ],
  },
  {
    title: 'Bytes',
    description: 'Received and sent, on both sides of the proxy.',
    unit: 'Bps',
    queries: [
      { expr: rate(M.bytes.name, '', 'side, direction'), legend: '{{side}} {{direction}}' },
    ],
  },
  {
    title: 'Client connections',
    description: 'Open connections, and those opened anew.',
    unit: 'short',
    queries: [
      { expr: `sum by (instance) (${M.connections.name}{${BY}})`, legend: '{{instance}}' },
      {
        expr: rate(M.connectionsOpened.name, '', 'instance'),
        legend: '{{instance}} opened a second',
      },
    ],
  },
  {
    title: 'Logins',
    description: 'By result; limited: refused after too many failures.',
    unit: 'ops',
    queries: [{ expr: rate(M.logins.name, '', 'result'), legend: '{{result}}' }],
  },
  {
    title: 'TLS handshakes that failed',
    description: 'By code of OpenSSL.',
    unit: 'ops',
    queries: [{ expr: rate(M.tlsFailures.name, '', 'code'), legend: '{{code}}' }],
  },
  {
    title: 'Certificates',
    description: 'Days until the certificate in use expires.',
    unit: 'd',
    queries: [
      {
        expr: `(${M.certificateExpiry.name}{${BY}} - time()) / 86400`,
        legend: '{{instance}} {{use}}',
      },
      {
        expr: `sum by (use) (${M.certificateFailures.name}{${BY}})`,
        legend: '{{use}} changes that failed',
      },
    ],
  },
  {
    title: 'Memory',
    description: 'Resident memory, and the heap in use.',
    unit: 'bytes',
    queries: [
      {
        expr: `process_resident_memory_bytes{job="cqlock", ${BY}}`,
        legend: '{{instance}} resident',
      },
      { expr: `nodejs_heap_size_used_bytes{job="cqlock", ${BY}}`, legend: '{{instance}} heap' },
    ],
  },
  {
    title: 'Event loop',
    description: 'How late the event loop is: above some 50 ms the proxy is short of CPU.',
    unit: 's',
    queries: [
      { expr: `nodejs_eventloop_lag_p50_seconds{job="cqlock", ${BY}}`, legend: '{{instance}} p50' },
      { expr: `nodejs_eventloop_lag_p99_seconds{job="cqlock", ${BY}}`, legend: '{{instance}} p99' },
    ],
  },
  {
    title: 'CPU',
    description: 'Cores in use.',
    unit: 'short',
    queries: [
      {
        expr: `rate(process_cpu_seconds_total{job="cqlock", ${BY}}[$__rate_interval])`,
        legend: '{{instance}}',
      },
    ],
  },
];

const KEYS: readonly PanelSpec[] = [
  {
    title: 'Tables by access',
    description: 'ACTIVE: the key of the table can be used.',
    unit: 'short',
    kind: 'stat',
    queries: [{ expr: `max by (state) (${M.tablesByAccess.name}{${BY}})`, legend: '{{state}}' }],
  },
  {
    title: 'Days until drop',
    description: 'Tables whose key is lost, and when they are backed up and dropped.',
    unit: 'd',
    kind: 'table',
    width: 16,
    queries: [
      {
        expr: `min by (keyspace, table) (${M.secondsUntilDrop.name}{${BY}}) / 86400`,
        legend: '{{keyspace}}.{{table}} days left',
      },
      {
        expr: `max by (keyspace, table) (${M.inaccessibleSeconds.name}{${BY}}) / 86400`,
        legend: '{{keyspace}}.{{table}} days lost',
      },
    ],
  },
  {
    title: 'Calls to the KMS',
    description: 'By operation and result.',
    unit: 'ops',
    width: 12,
    queries: [
      { expr: rate(M.kmsCalls.name, '', 'operation, result'), legend: '{{operation}} {{result}}' },
    ],
  },
  {
    title: 'Time of a call to the KMS',
    description: 'The 99th percentile by operation.',
    unit: 's',
    width: 12,
    queries: [{ expr: quantile(0.99, M.kmsSeconds.name, 'operation'), legend: '{{operation}}' }],
  },
  {
    title: 'Leases',
    description: 'Keys of tables that client connections hold.',
    unit: 'short',
    queries: [{ expr: `sum by (instance) (${M.leases.name}{${BY}})`, legend: '{{instance}}' }],
  },
  {
    title: 'Probes of customer managed keys',
    description: 'By result, and which proxy makes them.',
    unit: 'ops',
    queries: [
      { expr: rate(M.keyProbes.name, '', 'result'), legend: '{{result}}' },
      {
        expr: `max by (instance) (${M.keyMonitorLeader.name}{${BY}})`,
        legend: '{{instance}} watches',
      },
    ],
  },
  {
    title: 'Notices',
    description: 'To the owners of tables, by result.',
    unit: 'short',
    queries: [
      {
        expr: `sum by (event, channel, result) (increase(${M.notices.name}{${BY}}[1h]))`,
        legend: '{{event}} {{channel}} {{result}}',
      },
    ],
  },
  {
    title: 'Audit log',
    description: 'Uses of keys written, and writes that failed.',
    unit: 'ops',
    queries: [
      { expr: `sum(rate(${M.auditEvents.name}{${BY}}[$__rate_interval]))`, legend: 'events' },
      { expr: `sum(rate(${M.auditFailures.name}{${BY}}[$__rate_interval]))`, legend: 'failures' },
    ],
  },
  {
    title: 'Values under the active cell key',
    description: 'A cell key is replaced long before 2^47.',
    unit: 'short',
    queries: [
      {
        expr: `max by (keyspace, table) (${M.cellKeyCells.name}{${BY}})`,
        legend: '{{keyspace}}.{{table}}',
      },
    ],
  },
  {
    title: 'Age of the active cell key',
    description: 'In days.',
    unit: 'd',
    queries: [
      {
        expr: `max by (keyspace, table) (${M.cellKeyAge.name}{${BY}}) / 86400`,
        legend: '{{keyspace}}.{{table}}',
      },
    ],
  },
  {
    title: 'Re-encryption and rewrites',
    description:
      'How much of each table is done. During a rewrite under a new key DEK the table is closed.',
    unit: 'percentunit',
    queries: [
      {
        expr: `max by (keyspace, table) (${M.reencryptionProgress.name}{${BY}})`,
        legend: '{{keyspace}}.{{table}}',
      },
      {
        expr: `max by (keyspace, table) (${M.rewriteProgress.name}{${BY}})`,
        legend: '{{keyspace}}.{{table}} rewrite',
      },
    ],
  },
  {
    title: 'Work of re-encryption',
    description: 'Rows read, cells written, steps that failed.',
    unit: 'ops',
    width: 16,
    queries: [
      { expr: `sum(rate(${M.reencryptedRows.name}{${BY}}[$__rate_interval]))`, legend: 'rows' },
      { expr: `sum(rate(${M.reencryptedCells.name}{${BY}}[$__rate_interval]))`, legend: 'cells' },
      {
        expr: `sum(rate(${M.rotationFailures.name}{${BY}}[$__rate_interval]))`,
        legend: 'failures',
      },
    ],
  },
];

/** All dashboards, by the name of their file. */
export const DASHBOARDS: Readonly<Record<string, Dashboard>> = {
  traffic: dashboard('cqlock-traffic', 'cqlock: traffic', TRAFFIC),
  keys: dashboard('cqlock-keys', 'cqlock: keys', KEYS),
};

function dashboard(uid: string, title: string, panels: readonly PanelSpec[]): Dashboard {
  return {
    uid,
    title,
    tags: ['cqlock'],
    editable: false,
    schemaVersion: 39,
    annotations: { list: [] },
    refresh: '30s',
    time: { from: 'now-1h', to: 'now' },
    timezone: 'browser',
    templating: {
      list: [
        {
          name: 'instance',
          label: 'Proxy',
          type: 'query',
          datasource: DATA_SOURCE,
          query: `label_values(${M.connections.name}, instance)`,
          includeAll: true,
          multi: true,
          allValue: '.*',
          current: { selected: true, text: 'All', value: '$__all' },
        },
      ],
    },
    panels: layOut(panels),
  };
}
