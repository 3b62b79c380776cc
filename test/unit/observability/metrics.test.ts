import { describe, expect, it } from 'vitest';
import { createMetrics, METRIC_NAMES } from '../../../src/observability/index.ts';

async function lines(metrics: ReturnType<typeof createMetrics>): Promise<string[]> {
  return (await metrics.render()).split('\n');
}

describe('createMetrics', () => {
  it('counts requests by kind and outcome', async () => {
    const metrics = createMetrics();
    metrics.recordRequest('execute_select', 'ok', 0.2, 3);
    metrics.recordRequest('execute_select', 'ok', 0.2, 3);
    metrics.recordRequest('execute_select', 'KEY_DISABLED', 0.2, 0);
    const text = await lines(metrics);
    expect(text).toContain('cqlock_requests_total{kind="execute_select",outcome="ok"} 2');
    expect(text).toContain('cqlock_requests_total{kind="execute_select",outcome="KEY_DISABLED"} 1');
    const again = await lines(metrics);
    expect(again).toContain('cqlock_requests_total{kind="execute_select",outcome="ok"} 2');
  });

  it('keeps time in the proxy apart from time in Cassandra, in cumulative buckets', async () => {
    const metrics = createMetrics();
    metrics.recordRequest('query', 'ok', 0.05, 0.3);
    metrics.recordRequest('query', 'ok', 2, 60_000);
    const text = await lines(metrics);
    expect(text).toContain('# TYPE cqlock_request_proxy_seconds histogram');
    expect(text).toContain('cqlock_request_proxy_seconds_bucket{kind="query",le="0.00005"} 1');
    expect(text).toContain('cqlock_request_proxy_seconds_bucket{kind="query",le="0.001"} 1');
    expect(text).toContain('cqlock_request_proxy_seconds_bucket{kind="query",le="0.0025"} 2');
    expect(text).toContain('cqlock_request_proxy_seconds_count{kind="query"} 2');
    expect(text).toContain('cqlock_request_proxy_seconds_sum{kind="query"} 0.00205');
    expect(text).toContain('cqlock_request_upstream_seconds_bucket{kind="query",le="10"} 1');
    expect(text).toContain('cqlock_request_upstream_seconds_bucket{kind="query",le="+Inf"} 2');
  });

  it('shows the access of tables as it is when asked, and only the hundred that are dropped first', async () => {
    const metrics = createMetrics();
    const active = { inaccessibleSeconds: undefined, secondsUntilDrop: undefined };
    metrics.setTableAccess(() => [
      { keyspace: 'ks', table: 'fine', state: 'ACTIVE', ...active },
      ...Array.from({ length: 150 }, (_, index) => ({
        keyspace: 'ks',
        table: `t${String(index)}`,
        state: 'INACCESSIBLE_ENCRYPTION_CREDENTIALS',
        inaccessibleSeconds: 10,
        secondsUntilDrop: 1000 - index,
      })),
    ]);
    metrics.countNotice('key_back', 'webhook', 'delivered');
    metrics.countKeyProbe('refused');
    metrics.setKeyMonitorLeader(true);
    await lines(metrics);
    const text = await lines(metrics);
    expect(text).toContain('cqlock_tables_by_access{state="ACTIVE"} 1');
    expect(text).toContain(
      'cqlock_tables_by_access{state="INACCESSIBLE_ENCRYPTION_CREDENTIALS"} 150',
    );
    const drops = text.filter((line) => line.startsWith('cqlock_table_seconds_until_drop{'));
    expect(drops).toHaveLength(100);
    expect(drops).toContain('cqlock_table_seconds_until_drop{keyspace="ks",table="t149"} 851');
    expect(drops.join()).not.toContain('"t49"');
    expect(text).toContain('cqlock_table_inaccessible_seconds{keyspace="ks",table="t149"} 10');
    expect(text).toContain(
      'cqlock_notices_total{event="key_back",channel="webhook",result="delivered"} 1',
    );
    expect(text).toContain('cqlock_key_probes_total{result="refused"} 1');
    expect(text).toContain('cqlock_key_monitor_leader 1');
  });

  it('does not count a request that never went to Cassandra as a short wait', async () => {
    const metrics = createMetrics();
    metrics.recordRequest('options', 'ok', 0.1, 0);
    expect(await lines(metrics)).toContain(
      'cqlock_request_upstream_seconds_count{kind="options"} 0',
    );
  });

  it('counts cells, leases, KMS calls, connections and bytes', async () => {
    const metrics = createMetrics();
    metrics.addCellsEncrypted(4);
    metrics.addCellsDecrypted(5000);
    metrics.addLeases(3);
    metrics.addLeases(-1);
    metrics.recordKmsCall('Decrypt', 'ok', 12);
    metrics.recordKmsCall('Decrypt', 'KEY_DISABLED', 12);
    metrics.addClientConnections(1);
    metrics.addClientConnections(1);
    metrics.addClientConnections(-1);
    metrics.addBytes('client', 'in', 100);
    metrics.addBytes('client', 'in', 11);
    const text = await lines(metrics);
    for (const line of [
      'cqlock_cells_encrypted_total 4',
      'cqlock_cells_decrypted_total 5000',
      'cqlock_leases 2',
      'cqlock_kms_calls_total{operation="Decrypt",result="ok"} 1',
      'cqlock_kms_calls_total{operation="Decrypt",result="KEY_DISABLED"} 1',
      'cqlock_kms_call_seconds_count{operation="Decrypt"} 2',
      'cqlock_client_connections 1',
      'cqlock_client_connections_opened_total 2',
      'cqlock_bytes_total{side="client",direction="in"} 111',
      'cqlock_bytes_total{side="upstream",direction="out"} 0',
    ]) {
      expect(text).toContain(line);
    }
  });

  it('bounds the number of label values', async () => {
    const metrics = createMetrics();
    for (let i = 0; i < 1_000; i++) metrics.recordRequest(`kind_${String(i)}`, 'ok', 1, 1);
    const text = await metrics.render();
    expect(text.match(/^cqlock_requests_total\{/gm)?.length).toBe(257);
    expect(text).toContain('cqlock_requests_total{kind="other",outcome="ok"} 744');
  });

  it('renders every metric it names, and those of Node', async () => {
    const text = await createMetrics().render();
    for (const { name, help } of Object.values(METRIC_NAMES)) {
      expect(text).toContain(`# HELP ${name} ${help}`);
    }
    expect(text).toContain('nodejs_eventloop_lag_seconds');
  });
});
