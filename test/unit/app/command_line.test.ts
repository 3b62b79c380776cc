import { describe, expect, it } from 'vitest';
import { parsePrometheusText } from '../../../src/app/commands/prometheus_text.ts';
import { statementsFor } from '../../../src/app/commands/role_create.ts';
import { statusOf } from '../../../src/app/commands/status.ts';
import { createMetrics } from '../../../src/observability/index.ts';

describe('cqlock status', () => {
  it('sums up what a proxy says of itself', async () => {
    const metrics = createMetrics();
    metrics.recordRequest('query_select', 'ok', 1, 1);
    metrics.recordRequest('query_select', 'SCHEMA_UNKNOWN_TABLE', 1, 0);
    metrics.recordKmsCall('Decrypt', 'KEY_UNAVAILABLE', 5);
    metrics.addClientConnections(1);
    metrics.setCertificateExpiry('client', (1_000 + 10.5 * 86_400) * 1_000);
    metrics.countLogin('failed');
    const samples = parsePrometheusText(await metrics.render());
    const readyz = JSON.stringify({
      status: 'not ready',
      reasons: ['x'],
      client_authentication: 'password',
    });
    expect(statusOf(readyz, samples, 1_000)).toMatchObject({
      ready: false,
      reasons: ['x'],
      clientAuthentication: 'password',
      connections: 1,
      requests: { total: 2, failed: 1 },
      kmsCalls: { total: 1, failed: 1 },
      failedLogins: 1,
      certificateDays: { client: 10 },
    });
    expect(statusOf('nonsense', [], 0)).toMatchObject({
      ready: false,
      clientAuthentication: 'not known',
    });
  });

  it('reads labels with quotes and escapes', () => {
    expect(parsePrometheusText('# HELP x y\nx{a="1,2",b="q\\"\\\\\\n"} 3e2\nx 1\n')).toEqual([
      { name: 'x', labels: { a: '1,2', b: 'q"\\\n' }, value: 300 },
      { name: 'x', labels: {}, value: 1 },
    ]);
  });
});

describe('cqlock role create', () => {
  it('gives least rights: no superuser, no right on all keyspaces, names quoted', () => {
    const steps = statementsFor('pro"xy', "it's", ['Shop']);
    const all = steps.map(({ cql }) => cql);
    expect(all[0]).toBe(
      `CREATE ROLE IF NOT EXISTS "pro""xy" WITH PASSWORD = 'it''s' AND LOGIN = true AND SUPERUSER = false`,
    );
    expect(all.join('\n')).not.toMatch(/ALL KEYSPACES|ALL PERMISSIONS|AUTHORIZE/);
    expect(all).toContain('GRANT SELECT ON KEYSPACE "Shop" TO "pro""xy"');
    expect(steps.map(({ words }) => words).join('\n')).not.toContain("it's");
    expect(steps.map(({ words }) => words).join('\n')).not.toContain('PASSWORD');
  });
});
