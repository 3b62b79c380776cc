import cliProgress from 'cli-progress';
import type { TableRotationStatus } from '../../rotation/index.ts';
import { nameOf } from './rotation_table.ts';

/** Tells of rotations that are waited for. */
export interface RotationDisplay {
  /** @param open the tables that are not done */
  readonly show: (open: readonly TableRotationStatus[]) => void;
  readonly stop: () => void;
}

/**
 * A bar a table where standard error is a terminal; else a line for each phase, since such lines end up in files.
 * @param tell takes lines; undefined: nothing is shown
 */
export function showRotation(tell: ((line: string) => void) | undefined): RotationDisplay {
  if (tell === undefined) return { show: () => undefined, stop: () => undefined };
  return process.stderr.isTTY ? bars() : lines(tell);
}

function bars(): RotationDisplay {
  const all = new cliProgress.MultiBar(
    {
      format: '{name} {bar} {percentage}% | {rows} rows | {cells} cells | {text}',
      hideCursor: true,
      stream: process.stderr,
    },
    cliProgress.Presets.shades_classic,
  );
  const byName = new Map<string, cliProgress.SingleBar>();
  return {
    show: (open) => {
      const names = new Set(open.map(nameOf));
      for (const [name, bar] of byName) {
        if (names.has(name)) continue;
        bar.update(bar.getTotal(), { text: 'done' });
        byName.delete(name);
      }
      for (const one of open) {
        const name = nameOf(one);
        const { done = 0, ranges = 1, rows = 0, cells = 0 } = one.reencryption ?? {};
        const payload = { name, rows, cells, text: phaseText(one) };
        const bar = byName.get(name) ?? all.create(ranges, 0, payload);
        byName.set(name, bar);
        bar.setTotal(ranges);
        bar.update(done, payload);
      }
    },
    stop: () => {
      all.stop();
    },
  };
}

function lines(tell: (line: string) => void): RotationDisplay {
  const shown = new Map<string, string>();
  return {
    show: (open) => {
      for (const one of open) {
        const text = `${nameOf(one)}: ${phaseText(one)}`;
        if (shown.get(nameOf(one)) !== text) tell(text);
        shown.set(nameOf(one), text);
      }
    },
    stop: () => undefined,
  };
}

function phaseText({ epochs, reencryption: job }: TableRotationStatus): string {
  if (epochs.some(({ state }) => state === 'pending')) {
    return 'waiting until every proxy knows the new key';
  }
  switch (job?.phase) {
    case undefined:
    case 'blocked':
      return 'waiting';
    case 'waiting':
      return 'waiting until no proxy writes with the old key';
    case 'ending':
      return 'all cells are re-encrypted, the old keys end';
    case 'scanning':
      return 'cells are re-encrypted';
  }
}
