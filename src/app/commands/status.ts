import type { Command } from 'commander';
import { formatAddress } from '../../config/index.ts';
import { UpstreamError } from '../../errors/index.ts';
import { METRIC_NAMES } from '../../observability/index.ts';
import type { CommandRunner } from './catalog_session.ts';
import { printer } from './print.ts';
import { parsePrometheusText } from './prometheus_text.ts';
import type { Sample } from './prometheus_text.ts';

const TIMEOUT_MS = 5_000;
const DAY_S = 86_400;

/** Adds `cqlock status`. */
export function addStatusCommand(
  program: Command,
  run: CommandRunner,
  say: (line: string) => void,
): void {
  program
    .command('status')
    .description('say how the proxy that runs with these settings is; fails when it is not ready')
    .option('--json', 'print JSON')
    .action((options: { json?: boolean }) =>
      run(async ({ config }) => {
        const base = `http://${formatAddress(config.httpListen)}`;
        const ready = await get(`${base}/readyz`);
        const { text: metrics } = await get(`${base}/metrics`);
        const status = statusOf(ready.text, parsePrometheusText(metrics), Date.now() / 1_000);
        printer(say, options.json === true).lines(status, linesOf(base, status));
        if (status.ready) return;
        throw new UpstreamError(
          'UPSTREAM_STATUS',
          `the proxy at ${base} is not ready: ${status.reasons.join('; ')}`,
        );
      }),
    );
}

/** How a proxy is. */
export interface ProxyStatus {
  readonly ready: boolean;
  readonly reasons: readonly string[];
  readonly clientAuthentication: string;
  readonly uptimeSeconds: number;
  readonly connections: number;
  readonly requests: { readonly total: number; readonly failed: number };
  readonly cells: { readonly encrypted: number; readonly decrypted: number };
  readonly leases: number;
  readonly kmsCalls: { readonly total: number; readonly failed: number };
  readonly tables: Readonly<Record<string, number>>;
  readonly failedLogins: number;
  readonly certificateDays: Readonly<Record<string, number>>;
  readonly memoryMiB: number;
}

/** Makes the status of what `/readyz` and `/metrics` say. */
export function statusOf(
  readyz: string,
  samples: readonly Sample[],
  nowSeconds: number,
): ProxyStatus {
  const said = readyzOf(readyz);
  const of = (name: string): readonly Sample[] => samples.filter((sample) => sample.name === name);
  const sum = (name: string, keep: (sample: Sample) => boolean = () => true): number =>
    of(name)
      .filter(keep)
      .reduce((total, { value }) => total + value, 0);
  const by = (name: string, label: string): Record<string, number> =>
    Object.fromEntries(of(name).map(({ labels, value }) => [labels[label] ?? '', value]));
  const { requests, kmsCalls } = METRIC_NAMES;
  return {
    ...said,
    uptimeSeconds: Math.round(nowSeconds - sum('process_start_time_seconds')),
    connections: sum(METRIC_NAMES.connections.name),
    requests: {
      total: sum(requests.name),
      failed: sum(requests.name, ({ labels }) => labels['outcome'] !== 'ok'),
    },
    cells: {
      encrypted: sum(METRIC_NAMES.cellsEncrypted.name),
      decrypted: sum(METRIC_NAMES.cellsDecrypted.name),
    },
    leases: sum(METRIC_NAMES.leases.name),
    kmsCalls: {
      total: sum(kmsCalls.name),
      failed: sum(kmsCalls.name, ({ labels }) => labels['result'] !== 'ok'),
    },
    tables: by(METRIC_NAMES.tablesByAccess.name, 'state'),
    failedLogins: sum(METRIC_NAMES.logins.name, ({ labels }) => labels['result'] !== 'ok'),
    certificateDays: Object.fromEntries(
      of(METRIC_NAMES.certificateExpiry.name).map(({ labels, value }) => [
        labels['use'] ?? '',
        Math.floor((value - nowSeconds) / DAY_S),
      ]),
    ),
    memoryMiB: Math.round(sum('process_resident_memory_bytes') / 2 ** 20),
  };
}

function linesOf(base: string, status: ProxyStatus): string[] {
  const { requests, cells, kmsCalls } = status;
  const list = (values: Readonly<Record<string, number>>, unit = ''): string =>
    Object.entries(values)
      .map(([name, value]) => `${name} ${String(value)}${unit}`)
      .join(', ') || 'none';
  return [
    `${status.ready ? 'ready' : 'NOT READY'} at ${base}, up ${String(status.uptimeSeconds)} s, ${String(status.memoryMiB)} MiB`,
    ...status.reasons.map((reason) => `  ${reason}`),
    `clients         ${String(status.connections)} connections; authentication ${status.clientAuthentication}; ${String(status.failedLogins)} failed logins`,
    `requests        ${String(requests.total)}, ${String(requests.failed)} failed`,
    `cells           ${String(cells.encrypted)} encrypted, ${String(cells.decrypted)} decrypted`,
    `keys            ${String(status.leases)} leases; ${String(kmsCalls.total)} calls to the KMS, ${String(kmsCalls.failed)} failed`,
    `tables          ${list(status.tables)}`,
    `certificates    ${list(status.certificateDays, ' days')}`,
  ];
}

function readyzOf(text: string): Pick<ProxyStatus, 'ready' | 'reasons' | 'clientAuthentication'> {
  const body = parsed(text);
  const { reasons, client_authentication: authentication } = body;
  return {
    ready: body['status'] === 'ready',
    reasons: Array.isArray(reasons) ? reasons.map(String) : [],
    clientAuthentication: typeof authentication === 'string' ? authentication : 'not known',
  };
}

function parsed(text: string): Readonly<Record<string, unknown>> {
  try {
    const body: unknown = JSON.parse(text);
    return typeof body === 'object' && body !== null ? { ...body } : {};
  } catch {
    return {};
  }
}

async function get(url: string): Promise<{ readonly text: string }> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
    return { text: await answer.text() };
  } catch (cause) {
    throw new UpstreamError(
      'UPSTREAM_STATUS',
      `no proxy answers at ${url}: start it, or correct http_listen (CQLOCK_HTTP_LISTEN)`,
      { cause },
    );
  }
}
