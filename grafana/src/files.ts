/** The files that Grafana and Prometheus read, made of dashboards.ts and alerts.ts. */
import { stringify } from 'yaml';
import { ALERTS } from './alerts.ts';
import { DASHBOARDS } from './dashboards.ts';

/** Contents by path below grafana/. */
export function generatedFiles(): ReadonlyMap<string, string> {
  const files = new Map<string, string>();
  for (const [name, dashboard] of Object.entries(DASHBOARDS)) {
    files.set(`dashboards/${name}.json`, `${JSON.stringify(dashboard, null, 2)}\n`);
  }
  const rules = ALERTS.map(({ alert, expr, for: duration, severity, summary, description }) => ({
    alert,
    expr,
    ...(duration === undefined ? {} : { for: duration }),
    labels: { severity },
    annotations: { summary, description },
  }));
  files.set(
    'prometheus/cqlock.rules.yaml',
    `# Made by npm run grafana from grafana/src/alerts.ts; do not edit.\n${stringify({ groups: [{ name: 'cqlock', rules }] }, { lineWidth: 0 })}`,
  );
  return files;
}
