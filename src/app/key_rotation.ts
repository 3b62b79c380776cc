import type { Config } from '../config/index.ts';
import type { JobRegistry, Metrics } from '../observability/index.ts';
import type {
  RotationMetrics,
  RotationOptions,
  RotationPorts,
  RotationService,
} from '../rotation/index.ts';
import type { RewriteOptions, RewritePorts, RewriteProgress } from '../rewrite/index.ts';
import type { Clock, TimerHandle } from '../util/index.ts';
import { ShownJobs } from './shown_jobs.ts';

type TableProgress = Pick<RewriteProgress, 'keyspace' | 'table' | 'done' | 'total'>;

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
    tableGone: (keyspace, table) => {
      metrics.forgetCellKey(keyspace, table);
      metrics.setReencryption(keyspace, table, undefined);
    },
    rotationFailed: () => {
      metrics.addRotationFailure();
    },
  };
}

/** Shows each rewrite as a job of the process: token ranges done, of all of two passes. */
export function rewriteJobs(
  jobs: JobRegistry,
): Required<Pick<RewritePorts, 'onProgress' | 'onLost'>> {
  return tableJobs(jobs, 'rewrite', 'OVERLOAD_REWRITE');
}

/** Bounds of rewrites as configured. */
export function rewriteOptions(config: Config): RewriteOptions {
  const { rowsPerSecond } = config.rotation;
  return { rowsPerSecond, catalogMaxAgeMs: config.catalogMaxAgeMs };
}

/** Shows each re-encryption as a job of the process: token ranges done, of all. */
export function reencryptionJobs(
  jobs: JobRegistry,
): Required<Pick<RotationPorts, 'onProgress' | 'onLost'>> {
  const { onProgress, onLost } = tableJobs(jobs, 'reencrypt', 'OVERLOAD_REENCRYPTION');
  return {
    onProgress: ({ keyspace, table, done, ranges }) => {
      onProgress({ keyspace, table, done, total: ranges });
    },
    onLost,
  };
}

/** Shows work of one kind, which runs at most once for each table, as jobs; a job is done when all of its work is. */
function tableJobs(jobs: JobRegistry, kind: string, lostCode: string) {
  const shown = new ShownJobs(jobs, kind, lostCode);
  return {
    onProgress: ({ keyspace, table, done, total }: TableProgress): void => {
      shown.progress(keyspace, table, table, done, total);
      if (done >= total) shown.done(keyspace, table);
    },
    onLost: ({ keyspace, table }: Pick<TableProgress, 'keyspace' | 'table'>): void => {
      shown.failed(keyspace, table);
    },
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
