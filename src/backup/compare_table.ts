import { BackupError } from '../errors/index.ts';
import type { BackupRecord } from '../schema/index.ts';
import type { BackupKey } from './backup_key.ts';
import type { Claim } from './backup_records.ts';
import { cellColumnsOf } from './cell_columns.ts';
import { isSamePartition } from './chunk.ts';
import type { BackupCell, BackupRow } from './chunk.ts';
import type { BackupContext } from './context.ts';
import { loadChunk } from './load_backup.ts';
import type { Manifest } from './manifest.ts';
import { scanTable } from './table_scan.ts';

/** Indexes of the columns that are lists. */
type Lists = ReadonlySet<number>;

/** A time of expiry is counted in whole seconds from two clocks. */
const EXPIRY_TOLERANCE_S = 2;

/**
 * Compares every row of a backup with the table it was made of, in one pass through both. Only what had a time of expiry may be
 * missing by now.
 * @throws BackupError BACKUP_COMPARE at the first difference
 */
export async function compareWithTable(
  context: BackupContext,
  key: BackupKey,
  manifest: Manifest,
  claim: Claim<BackupRecord>,
): Promise<void> {
  const expected = backupRows(context, key, manifest);
  const lists: Lists = new Set(
    cellColumnsOf({ ...manifest, ...manifest.form })
      .filter(({ scheme }) => scheme === 'list')
      .map(({ index }) => index),
  );
  for await (const actual of tableRows(context, manifest, claim)) {
    for (;;) {
      const next = await expected.next();
      if (next.done === true) throw differs(manifest);
      const row = next.value;
      const nowS = Math.ceil(context.clock.nowMs() / 1000) + EXPIRY_TOLERANCE_S;
      if (isSameKey(row, actual)) {
        if (!isSameRow(row, actual, nowS, lists)) throw differs(manifest);
        break;
      }
      if (!mayBeGone(row, nowS)) throw differs(manifest);
    }
  }
  for await (const row of expected) {
    if (!mayBeGone(row, Math.ceil(context.clock.nowMs() / 1000) + EXPIRY_TOLERANCE_S)) {
      throw differs(manifest);
    }
  }
}

async function* backupRows(
  context: BackupContext,
  key: BackupKey,
  manifest: Manifest,
): AsyncGenerator<BackupRow, undefined, undefined> {
  for (const number of manifest.chunks.keys()) {
    yield* (await loadChunk(context, key, manifest, number)).rows();
  }
  return undefined;
}

async function* tableRows(
  context: BackupContext,
  manifest: Manifest,
  claim: Claim<BackupRecord>,
): AsyncGenerator<BackupRow, void, undefined> {
  const table = { ...manifest, ...manifest.form };
  const beginning = { range: 0, pagingState: '' };
  for await (const page of scanTable(
    context.connection,
    context.clock,
    table,
    beginning,
    undefined,
  )) {
    await claim.keep();
    yield* page.rows;
  }
}

function isSameKey(a: BackupRow, b: BackupRow): boolean {
  if ((a.clustering === undefined) !== (b.clustering === undefined)) return false;
  return (
    isSamePartition(a.partition, b.partition) &&
    (a.clustering === undefined || isSamePartition(a.clustering, b.clustering ?? []))
  );
}

/**
 * True for two rows of one key with the same cells and times; what has expired may be missing in `actual`.
 * @param nowS seconds since the epoch, after both were read
 */
export function isSameRow(
  expected: BackupRow,
  actual: BackupRow,
  nowS: number,
  lists: Lists,
): boolean {
  const isElement = ({ column }: BackupCell): boolean => lists.has(column);
  const left = new Map(
    actual.cells.filter((cell) => !isElement(cell)).map((cell) => [nameOf(cell), cell]),
  );
  for (const cell of expected.cells) {
    if (isElement(cell)) continue;
    const name = nameOf(cell);
    const other = left.get(name);
    left.delete(name);
    if (other === undefined ? !hasExpired(cell, nowS) : !isSameCell(cell, other)) return false;
  }
  return (
    left.size === 0 &&
    isSameSequence(expected.cells.filter(isElement), actual.cells.filter(isElement), nowS)
  );
}

/** Elements of lists have no name but their order; where some have expired, the others have moved up. */
function isSameSequence(
  expected: readonly BackupCell[],
  actual: readonly BackupCell[],
  nowS: number,
): boolean {
  let at = 0;
  for (const cell of expected) {
    const other = actual[at];
    if (other?.column === cell.column && isSameCell(cell, other)) at += 1;
    else if (!hasExpired(cell, nowS)) return false;
  }
  return at === actual.length;
}

/** The column of a cell, with the element or field it is. */
function nameOf({ column, path }: BackupCell): string {
  return path === undefined ? String(column) : `${String(column)} ${hexOf(path)}`;
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}

function isSameCell(a: BackupCell, b: BackupCell): boolean {
  return (
    a.writeTime === b.writeTime &&
    (a.expiresAt === 0) === (b.expiresAt === 0) &&
    Math.abs(a.expiresAt - b.expiresAt) <= EXPIRY_TOLERANCE_S &&
    Buffer.compare(a.value, b.value) === 0
  );
}

function hasExpired(cell: BackupCell, nowS: number): boolean {
  return cell.expiresAt !== 0 && cell.expiresAt <= nowS;
}

function mayBeGone(row: BackupRow, nowS: number): boolean {
  return row.cells.length > 0 && row.cells.every((cell) => hasExpired(cell, nowS));
}

/** The table and its backup are not the same. */
export function differs(manifest: Manifest): BackupError {
  return new BackupError(
    'BACKUP_COMPARE',
    `backup ${manifest.backupId} differs from table ${manifest.keyspace}.${manifest.name}: the table was written after it, or the backup is wrong; make a new one`,
  );
}
