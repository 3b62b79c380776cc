/** A temporary directory for a whole run of vitest: what tests leave in theirs goes with it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Global set-up of vitest: workers and what they start inherit TMPDIR. Returns the teardown. */
export function setup(): () => void {
  const directory = mkdtempSync(join(tmpdir(), 'cqlock-test-'));
  process.env['TMPDIR'] = directory;
  return () => {
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
  };
}
