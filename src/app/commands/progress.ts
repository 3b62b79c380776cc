import cliProgress from 'cli-progress';
import type { BackupProgress } from '../../backup/index.ts';

const TITLES: Readonly<Record<BackupProgress['phase'], string>> = {
  backup: 'backup ',
  verify: 'verify ',
  restore: 'restore',
};
const SCALE = 1000;

/** A progress bar on a terminal; nothing where standard error is none, or when the user wants JSON. */
export interface Progress {
  readonly update: (progress: BackupProgress) => void;
  readonly stop: () => void;
}

/** Starts a progress bar on standard error. */
export function startProgress(isWanted: boolean): Progress {
  if (!isWanted || !process.stderr.isTTY) return { update: () => undefined, stop: () => undefined };
  const bar = new cliProgress.SingleBar(
    {
      format: '{title} {bar} {percentage}% | {rows} rows | {mib} MiB | {duration_formatted}',
      hideCursor: true,
      stream: process.stderr,
    },
    cliProgress.Presets.shades_classic,
  );
  let phase: BackupProgress['phase'] | undefined;
  return {
    update: (progress) => {
      const payload = {
        title: TITLES[progress.phase],
        rows: progress.rows,
        mib: (progress.bytes / 2 ** 20).toFixed(1),
      };
      if (progress.phase !== phase) {
        if (phase !== undefined) bar.stop();
        bar.start(SCALE, 0, payload);
        phase = progress.phase;
      }
      bar.update(Math.round(progress.fraction * SCALE), payload);
    },
    stop: () => {
      if (phase !== undefined) bar.stop();
    },
  };
}
