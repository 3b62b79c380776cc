import type { TableRotationStatus } from '../../rotation/index.ts';
import { tableLines } from './print.ts';

/** The status of tables for people: one line a table, columns aligned. */
export function statusLines(tables: readonly TableRotationStatus[]): readonly string[] {
  if (tables.length === 0) return ['there are no encrypted tables'];
  return tableLines(
    ['TABLE', 'ACTIVE', 'SINCE', 'CELLS', 'OLDER EPOCHS', 'RE-ENCRYPTION'],
    tables.map(cellsOf),
  );
}

function cellsOf(one: TableRotationStatus): string[] {
  const active = one.epochs.find(({ state }) => state === 'active');
  const pending = one.epochs.find(({ state }) => state === 'pending');
  const older = one.epochs.filter(({ state }) => state === 'decrypt_only');
  return [
    nameOf(one),
    `${String(active?.epoch ?? '-')}${pending === undefined ? '' : ` (${String(pending.epoch)} pending)`}`,
    active === undefined ? '-' : new Date(active.createdAtMs).toISOString().slice(0, 10),
    String(one.cells),
    older.length === 0 ? '-' : older.map(({ epoch }) => String(epoch)).join(' '),
    reencryption(one),
  ];
}

function reencryption(one: TableRotationStatus): string {
  const { reencryption: job, lastReencryption: last, rewrite } = one;
  if (rewrite !== null) {
    const { phase, pass, done, ranges, rows, damaged } = rewrite;
    const unopened = damaged > 0 ? `, ${String(damaged)} rows do not open` : '';
    return `rewrite: ${phase}, pass ${String(pass)}, ${String(done)} of ${String(ranges)} ranges, ${String(rows)} rows${unopened}`;
  }
  if (job === null) {
    return last === null ? '-' : `done ${new Date(last.endedAtMs).toISOString().slice(0, 16)}Z`;
  }
  const damaged = job.damaged > 0 ? `, ${String(job.damaged)} damaged cells` : '';
  return `${job.phase}, ${String(job.done)} of ${String(job.ranges)} ranges, ${String(job.cells)} cells${damaged}`;
}

/** keyspace.table */
export function nameOf(one: TableRotationStatus): string {
  return `${one.keyspace}.${one.table}`;
}
