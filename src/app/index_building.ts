import { randomUUID } from 'node:crypto';
import type { Config } from '../config/index.ts';
import { IndexBuilder } from '../indexing/index.ts';
import type { IndexBuilderPorts } from '../indexing/index.ts';
import type { JobRegistry } from '../observability/index.ts';
import type { TimerHandle } from '../util/index.ts';
import { ShownJobs } from './shown_jobs.ts';

/** How often the catalog's snapshot is looked at for indexes to build. */
const PERIOD_MS = 1_000;

/**
 * Builds indexes in the background as long as the proxy runs.
 * @returns how to stop it
 */
export function startIndexBuilding(
  ports: Omit<IndexBuilderPorts, 'owner' | 'onProgress' | 'onLost' | 'onDamaged'>,
  config: Config,
  jobs: JobRegistry,
): () => Promise<void> {
  const builder = new IndexBuilder(
    { ...ports, owner: randomUUID(), ...indexJobs(jobs) },
    {
      catalogMaxAgeMs: config.catalogMaxAgeMs,
      rowsPerSecond: config.rotation.rowsPerSecond,
    },
  );
  let timer: TimerHandle;
  const next = (): void => {
    timer = ports.clock.after(PERIOD_MS, () => {
      builder.round();
      next();
    });
  };
  next();
  return async () => {
    timer.cancel();
    await builder.stop();
  };
}

/** Shows each build as a job of the process: token ranges done, of all. It is done when its index is active. */
export function indexJobs(
  jobs: JobRegistry,
): Required<Pick<IndexBuilderPorts, 'onProgress' | 'onLost' | 'onDamaged'>> {
  const shown = new ShownJobs(jobs, 'index', 'OVERLOAD_INDEX_BUILD');
  return {
    onProgress: ({ keyspace, table, index, done, ranges, isComplete }) => {
      shown.progress(keyspace, table, index, done, ranges);
      if (isComplete) shown.done(keyspace, index);
    },
    onLost: ({ keyspace, index }) => {
      shown.failed(keyspace, index);
    },
    onDamaged: ({ keyspace, index }, code) => {
      shown.failed(keyspace, index, code);
    },
  };
}
