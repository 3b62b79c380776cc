import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { ALERTS } from '../../../grafana/src/alerts.ts';
import { DASHBOARDS } from '../../../grafana/src/dashboards.ts';
import { generatedFiles } from '../../../grafana/src/files.ts';
import { createMetrics, METRIC_NAMES } from '../../../src/observability/index.ts';

const FOLDER = fileURLToPath(new URL('../../../grafana/', import.meta.url));

interface Target {
  readonly expr: string;
}

function queries(): string[] {
  return Object.values(DASHBOARDS).flatMap((dashboard) =>
    (dashboard.panels ?? []).flatMap((panel) =>
      ('targets' in panel ? (panel.targets ?? []) : []).map(
        (target) => (target as unknown as Target).expr,
      ),
    ),
  );
}

/** Names of metrics in a query: what is followed by a selector, a range or nothing, and is no label, word or function. */
function namesIn(expr: string): string[] {
  return [...expr.matchAll(/\b(?:cqlock|nodejs|process)_\w+/g)].map(([name]) => name);
}

describe('grafana/', () => {
  it.each([...generatedFiles()])(
    '%s is what is made of the sources: npm run grafana',
    (path, content) => {
      expect(readFileSync(`${FOLDER}${path}`, 'utf8')).toBe(content);
    },
  );

  it('asks only for metrics that there are', async () => {
    const rendered = await createMetrics().render();
    const there = new Set(
      [...rendered.matchAll(/^# TYPE (\w+) (\w+)/gm)].flatMap(([, name = '', type]) =>
        type === 'histogram' ? [name, `${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
      ),
    );
    for (const { name } of Object.values(METRIC_NAMES)) expect(there, name).toContain(name);
    const asked = [...queries(), ...ALERTS.map(({ expr }) => expr)].flatMap(namesIn);
    expect(asked.length).toBeGreaterThan(50);
    expect(asked.filter((name) => !there.has(name))).toEqual([]);
  });

  it('shows every metric of the proxy in a dashboard', () => {
    const asked = new Set(
      queries()
        .flatMap(namesIn)
        .map((name) => name.replace(/_(bucket|sum|count)$/, '')),
    );
    expect(
      Object.values(METRIC_NAMES)
        .map(({ name }) => name)
        .filter((name) => !asked.has(name)),
    ).toEqual([]);
  });

  it('lays panels out side by side, none over another', () => {
    for (const { panels } of Object.values(DASHBOARDS)) {
      const taken = new Set<string>();
      for (const { gridPos } of panels ?? []) {
        if (gridPos === undefined) throw new Error('a panel has no place');
        expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
        for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
          expect(taken).not.toContain(`${String(x)},${String(gridPos.y)}`);
          taken.add(`${String(x)},${String(gridPos.y)}`);
        }
      }
    }
  });

  it('has a test for every alert', () => {
    const tests = readFileSync(`${FOLDER}prometheus/cqlock.rules.test.yaml`, 'utf8');
    for (const { alert } of ALERTS) expect(tests).toContain(alert);
  });
});
