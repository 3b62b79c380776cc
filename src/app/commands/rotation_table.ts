import type { TableRotationStatus } from '../../rotation/index.ts';

/** The status of tables for people: one line a table, columns aligned. */
export function statusLines(tables: readonly TableRotationStatus[]): string[] {
  if (tables.length === 0) return ['there are no encrypted tables'];
  const rows = [
    ['table', 'active', 'since', 'cells', 'older epochs', 're-encryption'],
    ...tables.map(cellsOf),
  ];
  const widths = rows.reduce<number[]>(
    (widest, row) => row.map((cell, index) => Math.max(widest[index] ?? 0, cell.length)),
    [],
  );
  return rows.map((row) =>
    row
      .map((cell, index) => cell.padEnd(widths[index] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

function cellsOf(one: TableRotationStatus): string[] {
  const active = one.epochs.find(({ state }) => state === 'active');
  const pending = one.epochs.find(({ state }) => state === 'pending');
  const older = one.epochs.filter(({ state }) => state === 'decrypt_only');
  return [
    `${one.keyspace}.${one.table}`,
    `${String(active?.epoch ?? '-')}${pending === undefined ? '' : ` (${String(pending.epoch)} pending)`}`,
    active === undefined ? '-' : new Date(active.createdAtMs).toISOString().slice(0, 10),
    String(one.cells),
    older.length === 0 ? '-' : older.map(({ epoch }) => String(epoch)).join(' '),
    reencryption(one),
  ];
}

function reencryption({ reencryption: job, lastReencryption: last }: TableRotationStatus): string {
  if (job === null) {
    return last === null ? '-' : `done ${new Date(last.endedAtMs).toISOString().slice(0, 16)}Z`;
  }
  const damaged = job.damaged > 0 ? `, ${String(job.damaged)} damaged cells` : '';
  return `${job.phase}, ${String(job.done)} of ${String(job.ranges)} ranges, ${String(job.cells)} cells${damaged}`;
}
