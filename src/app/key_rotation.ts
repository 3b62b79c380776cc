import type { Config } from '../config/index.ts';
import type { JobRegistry, JobReporter, Metrics } from '../observability/index.ts';
import type {
  RotationMetrics,
  RotationOptions,
  RotationProgress,
  RotationService,
} from '../rotation/index.ts';
import type { RewriteOptions, RewriteProgress } from '../rewrite/index.ts';
import type { Clock, TimerHandle } from '../util/index.ts';

/** Bounds of rotation as configured. */
export function rotationOptions(config: Config): RotationOptions {
  const { maxAgeMs, maxCells, rowsPerSecond, reencryption } = config.rotation;
  return {
    maxAgeMs,
    maxCells,
    rowsPerSecond,
    reencryptsAlways: reencryption === 'always',
    catalogMaxAgeMs: config.catalogMaxAgeMs,
  };
}

/** The metrics of the process as rotation counts them. */
export function toRotationMetrics(metrics: Metrics): RotationMetrics {
  return {
    cellKey: (keyspace, table, cells, ageMs) => {
      metrics.setCellKey(keyspace, table, cells, ageMs);
    },
    reencrypted: (rows, cells) => {
      metrics.addReencrypted(rows, cells);
    },
    reencryption: (keyspace, table, fraction) => {
      metrics.setReencryption(keyspace, table, fraction);
    },
    rotationFailed: () => {
      metrics.addRotationFailure();
    },
  };
}

/** Shows each rewrite as a job of the process: token ranges done, of all of two passes. */
export function rewriteJobs(jobs: JobRegistry): (progress: RewriteProgress) => void {
  const running = new Map<string, JobReporter>();
  return ({ keyspace, table, done, total }) => {
    const key = `${keyspace}.${table}`;
    const job = running.get(key) ?? jobs.start('rewrite', { keyspace, name: table });
    running.set(key, job);
    job.progress(done, total);
    if (done < total) return;
    job.done();
    running.delete(key);
  };
}

/** Bounds of rewrites as configured. */
export function rewriteOptions(config: Config): RewriteOptions {
  const { rowsPerSecond } = config.rotation;
  return { rowsPerSecond, catalogMaxAgeMs: config.catalogMaxAgeMs };
}

/** Shows each re-encryption as a job of the process: token ranges done, of all. */
export function reencryptionJobs(jobs: JobRegistry): (progress: RotationProgress) => void {
  const running = new Map<string, JobReporter>();
  return ({ keyspace, table, done, ranges }) => {
    const key = `${keyspace}.${table}`;
    const job = running.get(key) ?? jobs.start('reencrypt', { keyspace, name: table });
    running.set(key, job);
    job.progress(done, ranges);
    if (done < ranges) return;
    job.done();
    running.delete(key);
  };
}

/**
 * Rounds of rotation, for ever; they never overlap.
 * @returns how to stop them; a round that runs is not interrupted.
 */
export function startRotation(
  rotation: Pick<RotationService, 'round'>,
  clock: Clock,
  periodMs: number,
  onFailure: (error: unknown) => void,
): () => void {
  let timer: TimerHandle | undefined;
  let isStopped = false;
  const round = async (): Promise<void> => {
    try {
      await rotation.round();
    } catch (error) {
      if (!isStopped) onFailure(error);
    }
    next();
  };
  const next = (): void => {
    if (isStopped) return;
    timer = clock.after(periodMs, () => {
      void round();
    });
  };
  next();
  return () => {
    isStopped = true;
    timer?.cancel();
  };
}
