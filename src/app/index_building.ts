import { randomUUID } from 'node:crypto';
import type { Config } from '../config/index.ts';
import { IndexBuilder } from '../indexing/index.ts';
import type { IndexBuilderPorts, IndexBuildProgress } from '../indexing/index.ts';
import type { JobRegistry, JobReporter } from '../observability/index.ts';
import type { TimerHandle } from '../util/index.ts';

/** How often the catalog's snapshot is looked at for indexes to build. */
const PERIOD_MS = 1_000;

/**
 * Builds indexes in the background as long as the proxy runs.
 * @returns how to stop it
 */
export function startIndexBuilding(
  ports: Omit<IndexBuilderPorts, 'owner' | 'onProgress'>,
  config: Config,
  jobs: JobRegistry,
): () => Promise<void> {
  const builder = new IndexBuilder(
    { ...ports, owner: randomUUID(), onProgress: indexJobs(jobs) },
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
export function indexJobs(jobs: JobRegistry): (progress: IndexBuildProgress) => void {
  const running = new Map<string, JobReporter>();
  return ({ keyspace, table, index, done, ranges, isComplete }) => {
    const key = `${keyspace}.${index}`;
    const job = running.get(key) ?? jobs.start('index', { keyspace, name: table });
    running.set(key, job);
    job.progress(done, ranges);
    if (!isComplete) return;
    job.done();
    running.delete(key);
  };
}
