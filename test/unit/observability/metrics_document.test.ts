import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { METRIC_NAMES } from '../../../src/observability/index.ts';

const DOCUMENT = fileURLToPath(new URL('../../../docs/metrics.md', import.meta.url));

describe('docs/metrics.md', () => {
  it('lists exactly the metrics of the source, with their help', () => {
    const rows = [
      ...readFileSync(DOCUMENT, 'utf8').matchAll(/^\| `(cqlock_\w+)` +\| (.*?) +\|$/gm),
    ];
    const listed = rows.map(([, name, help]) => [name, help]).sort();
    const expected = Object.values(METRIC_NAMES)
      .map(({ name, help }) => [name, help])
      .sort();
    expect(listed).toEqual(expected);
  });
});
