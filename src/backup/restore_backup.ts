import { randomUUID } from 'node:crypto';
import { quoteIdentifier } from '../cql/index.ts';
import { BackupError, InvalidRequestError, ProxyError, SchemaError } from '../errors/index.ts';
import { zeroDeks } from '../keys/index.ts';
import type {
  BackupRecord,
  CustomProperties,
  EncryptionChoice,
  KeyTarget,
  TableKeys,
  VerifiedRecords,
} from '../schema/index.ts';
import { backupsIn, Claim } from './backup_records.ts';
import type { BackupContext, BackupProgress } from './context.ts';
import { dependentsOf } from './dependents.ts';
import {
  checkTotals,
  loadBackup,
  loadChunk,
  loadForeignBackup,
  loadManifest,
  originOf,
} from './load_backup.ts';
import type { LoadedBackup } from './load_backup.ts';
import type { Manifest } from './manifest.ts';
import { backupsInUse, isLastingRestoreFailure, noteFailure, restoringIn } from './restoring.ts';
import type { Restoring } from './restoring.ts';
import { RowSink } from './row_sink.ts';

/** What is restored, and to where. */
export interface RestoreRequest {
  /** A backup, or the newest one of a table that was begun before a time (milliseconds since the epoch). */
  readonly from:
    | { readonly backupId: string }
    | {
        readonly keyspace: string;
        readonly name: string;
        readonly beforeMs?: number | undefined;
        /** Only backups of the table with this id (hex), not of others that had its name. */
        readonly tableId?: string | undefined;
      };
  /** The new table. */
  readonly to: { readonly keyspace: string; readonly name: string };
  /** The new table's KMS key: as that of the backup, a new service-owned one, or a customer managed one. Default: inherit. */
  readonly encryption?:
    | { readonly kind: 'inherit' | 'service_owned' }
    | { readonly kind: 'customer'; readonly keyIdentifier: string }
    | undefined;
  /** Custom properties of the new table; by default those of the old one, if its record is there. */
  readonly customProperties?: CustomProperties | undefined;
  /** The client's role that asks, for the audit of KMS keys; by default the proxy itself. */
  readonly principal?: string | undefined;
  readonly onProgress?: (progress: BackupProgress) => void;
  /** Ends the work between two chunks; the same request continues it. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Executes the stored CREATE TABLE; by default with the proxy's own role. For CQL: on the client's connection, so that its
   * permissions apply.
   */
  readonly runStored?: (text: string) => Promise<'created' | 'exists'>;
  /** Asked before anything is made of a backup with masked columns; rejects where the client may not see them in clear. */
  readonly requireUnmask?: () => Promise<void>;
}

/** What a restore did. */
export interface RestoreResult {
  readonly backupId: string;
  readonly rows: number;
  /** CREATE statements of the indexes and views that the old table had and the new one has not, for the new table. */
  readonly dependents: readonly string[];
}

/** How the rows of a table that is being restored are written. */
export interface ContinueOptions {
  readonly onProgress?: ((progress: BackupProgress) => void) | undefined;
  /** Ends the work between two chunks; it can be continued. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Restores a backup into a new table, or continues a restore that was interrupted. Until all rows are written the table refuses
 * reads and writes.
 * @throws KeyAccessError when the KMS key of the backup cannot be used; BackupError; InvalidRequestError when the new table is there
 */
export async function restoreBackup(
  context: BackupContext,
  request: RestoreRequest,
): Promise<RestoreResult> {
  const { to } = request;
  const view = await context.catalog.readRecords();
  return await withBackup(context, view, request.from, request.to, async (loaded, manifest) => {
    const restoring = restoringIn(view, to);
    if (restoring === undefined) await makeTable(context, view, request, loaded, manifest);
    else if (restoring.restore.backupId !== manifest.backupId) {
      throw new BackupError(
        'BACKUP_STATE',
        `table ${to.keyspace}.${to.name} is being restored from another backup, ${restoring.restore.backupId}; drop it first`,
      );
    }
    try {
      await writeRows(context, to, request, loaded, manifest);
    } catch (error) {
      await noteLasting(context, to, error);
      throw error;
    }
  });
}

/**
 * Makes the new table alone, in the state in which it refuses reads and writes; {@link continueRestore} writes its rows.
 * @throws as {@link restoreBackup}
 */
export async function beginRestore(
  context: BackupContext,
  request: RestoreRequest,
): Promise<RestoreResult> {
  const view = await context.catalog.readRecords();
  return await withBackup(context, view, request.from, request.to, async (loaded, manifest) => {
    if (manifest.form.columns.some(({ mask }) => mask !== undefined)) {
      await request.requireUnmask?.();
    }
    await makeTable(context, view, request, loaded, manifest);
  });
}

/**
 * Writes the rows of a table that is being restored, from where that stopped. Needs no KMS key: the table has its own by now.
 * @returns `undefined` when there is no such table any more
 * @throws BackupError; BACKUP_STATE when another process is at work on it
 */
export async function continueRestore(
  context: BackupContext,
  to: RestoreRequest['to'],
  options: ContinueOptions = {},
): Promise<RestoreResult | undefined> {
  const view = await context.catalog.readRecords();
  const restoring = restoringIn(view, to);
  if (restoring === undefined) return undefined;
  const { backupId } = restoring.restore;
  try {
    return await withBackup(context, view, { backupId }, to, async (loaded, manifest) => {
      await writeRows(context, to, options, loaded, manifest);
    });
  } catch (error) {
    await noteLasting(context, to, error);
    throw error;
  }
}

/** A failure that no waiting mends shows in the table's status; what failed first is what the caller throws. */
async function noteLasting(
  context: BackupContext,
  to: RestoreRequest['to'],
  error: unknown,
): Promise<void> {
  if (!(error instanceof ProxyError) || !isLastingRestoreFailure(error)) return;
  try {
    await noteFailure(context, to, error.code);
  } catch {
    // The next attempt notes it.
  }
}

async function withBackup(
  context: BackupContext,
  view: VerifiedRecords,
  from: RestoreRequest['from'],
  to: RestoreRequest['to'],
  work: (loaded: LoadedBackup, manifest: Manifest) => Promise<void>,
): Promise<RestoreResult> {
  const loaded = await load(context, view, from);
  try {
    const manifest = await loadManifest(context, loaded);
    checkTotals(manifest);
    await work(loaded, manifest);
    const { backupId, rows, dependents } = manifest;
    return { backupId, rows, dependents: dependentsOf(dependents ?? [], to) };
  } finally {
    loaded.key.dispose();
  }
}

async function load(
  context: BackupContext,
  view: VerifiedRecords,
  from: RestoreRequest['from'],
): Promise<LoadedBackup> {
  const record = findBackup(view, from);
  if (record === undefined && 'backupId' in from) {
    return await loadForeignBackup(context, view, from.backupId);
  }
  if (record === undefined) throw noBackup(from);
  const isOver =
    record.expiresAtMs <= context.clock.nowMs() && !backupsInUse(view).has(record.backupId);
  if (record.state === 'DELETING' || isOver) {
    throw new BackupError(
      'BACKUP_EXPIRED',
      `backup ${record.backupId} of ${record.keyspace}.${record.name} has expired or is being deleted; its keys are destroyed`,
    );
  }
  return await loadBackup(context, view, record);
}

function findBackup(view: VerifiedRecords, from: RestoreRequest['from']): BackupRecord | undefined {
  return backupsIn(view).find((record) =>
    'backupId' in from
      ? record.backupId === from.backupId
      : record.state === 'READY' &&
        record.keyspace === from.keyspace &&
        record.name === from.name &&
        (from.tableId === undefined || record.tableId === from.tableId) &&
        record.createdAtMs <= (from.beforeMs ?? Number.MAX_SAFE_INTEGER),
  );
}

function noBackup(from: RestoreRequest['from']): BackupError {
  const what = 'backupId' in from ? from.backupId : `of ${from.keyspace}.${from.name}`;
  const when =
    'backupId' in from || from.beforeMs === undefined
      ? ''
      : ` that was begun by ${new Date(from.beforeMs).toISOString()}`;
  const others =
    'backupId' in from || from.tableId === undefined
      ? ''
      : '; those of an earlier table of that name are restored by their id with cqlock restore';
  return new BackupError(
    'BACKUP_NOT_FOUND',
    `there is no complete backup ${what}${when}${others}; see cqlock backup list`,
  );
}

/** The keyspace and the user-defined types that the columns name must be there as they were. */
function checkTarget(context: BackupContext, manifest: Manifest, keyspace: string): void {
  const snapshot = context.catalog.snapshot();
  if (snapshot.failure !== undefined) throw snapshot.failure;
  if (snapshot.keyspace(keyspace) === undefined) {
    throw new InvalidRequestError(`Keyspace '${keyspace}' does not exist; create it, then restore`);
  }
  for (const type of manifest.types) {
    if (!manifest.form.columns.some((column) => namesType(column.type, type.name))) continue;
    const there = snapshot.udt(keyspace, type.name);
    const isSame =
      there?.kind === 'udt' &&
      there.fields.length >= type.fields.length &&
      type.fields.every((field, index) => there.fields[index]?.name === field.name);
    if (!isSame) {
      const fields = type.fields.map((field) => `${quoteIdentifier(field.name)} ${field.type}`);
      throw new SchemaError(
        'SCHEMA_RESTORE_TYPE',
        `the backup needs the type ${keyspace}.${type.name} as it was; CREATE TYPE ${quoteIdentifier(keyspace)}.${quoteIdentifier(type.name)} (${fields.join(', ')}), then restore`,
      );
    }
  }
}

function namesType(columnType: string, typeName: string): boolean {
  return columnType.split(/[^A-Za-z0-9_"]+/).some((word) => word.replaceAll('"', '') === typeName);
}

/** The new table with its keys: the DEKs of the backup under a new table key, and a new cell DEK. */
async function makeTable(
  context: BackupContext,
  view: VerifiedRecords,
  request: RestoreRequest,
  { envelope }: LoadedBackup,
  manifest: Manifest,
): Promise<void> {
  const { principal } = request;
  const { keyspace, name } = request.to;
  checkTarget(context, manifest, keyspace);
  const origin = originOf(envelope);
  const transfer =
    principal === undefined ? context.transfer : context.transfer.onBehalfOf(principal);
  const changes = principal === undefined ? context.changes : context.changes.onBehalfOf(principal);
  const deks = await transfer.openDeks(origin, envelope.keys.tableKeys, envelope.keys.deks);
  try {
    await changes.restoreTable(
      {
        keyspace,
        name,
        form: manifest.form,
        backupId: manifest.backupId,
        key: keyOf(request, envelope.keys),
        customProperties: request.customProperties ?? propertiesOf(view, envelope.origin.tableId),
        makeKeys: (table, target) =>
          transfer.importTableKeys(table, deks, envelope.keys.minEpoch, target),
      },
      async ({ tableId }) => {
        const text = createStatement(manifest, keyspace, name, tableId);
        if (request.runStored !== undefined) return await request.runStored(text);
        await context.connection.execute(text, [], { prepare: false });
        return 'created';
      },
    );
  } finally {
    zeroDeks(deks);
  }
}

function keyOf(request: RestoreRequest, keys: TableKeys): EncryptionChoice | KeyTarget {
  const encryption = request.encryption ?? { kind: 'inherit' };
  if (encryption.kind === 'customer') return { identifier: encryption.keyIdentifier };
  if (encryption.kind === 'service_owned' || keys.serviceOwned) return 'service-owned';
  return { provider: keys.provider, keyArn: keys.keyArn };
}

/** Those of the old table as it is, or as it was when it was dropped. */
function propertiesOf(view: VerifiedRecords, tableId: string): CustomProperties | undefined {
  const record = view.records.get(tableId)?.record;
  return record?.kind === 'table' ? record.customProperties : undefined;
}

function createStatement(
  manifest: Manifest,
  keyspace: string,
  name: string,
  tableId: string,
): string {
  const { columns } = manifest.form;
  const keys = (kind: string): string[] =>
    columns
      .filter((column) => column.kind === kind)
      .sort((a, b) => a.position - b.position)
      .map((column) => quoteIdentifier(column.name));
  const defined = columns.map(
    (column) =>
      `${quoteIdentifier(column.name)} ${column.storedType}${column.kind === 'static' ? ' STATIC' : ''}`,
  );
  const primary = [`(${keys('partition').join(', ')})`, ...keys('clustering')].join(', ');
  return `CREATE TABLE ${quoteIdentifier(keyspace)}.${quoteIdentifier(name)} (${defined.join(', ')}, PRIMARY KEY (${primary})) WITH ID = ${tableId} AND ${manifest.options}`;
}

async function writeRows(
  context: BackupContext,
  to: RestoreRequest['to'],
  { onProgress, signal }: ContinueOptions,
  loaded: LoadedBackup,
  manifest: Manifest,
): Promise<void> {
  const claim = new Claim<Restoring>(context, randomUUID(), (view) => {
    const record = restoringIn(view, to);
    if (record !== undefined) return record;
    throw new BackupError(
      'BACKUP_STATE',
      `table ${to.keyspace}.${to.name} was dropped while it was restored`,
    );
  });
  const { restore } = await claim.take();
  // It gets on: an earlier failure is over.
  const noted = (chunksDone: number) => (record: Restoring) => {
    const { backupId, begun } = record.restore;
    return {
      ...record,
      restore: { backupId, chunksDone, ...(begun === undefined ? {} : { begun }) },
    };
  };
  const sink = new RowSink(context.connection, context.clock, {
    ...to,
    columns: manifest.form.columns,
    types: manifest.types,
    cellColumns: manifest.cellColumns,
    emptyRowTime: BigInt(manifest.startedAtMs) * 1000n,
  });
  try {
    // Only what the record says tells whether an earlier process wrote of the first chunk.
    let mayBeThere = restore.begun === true;
    if (sink.hasLists && !mayBeThere) {
      await claim.update((record) => ({ ...record, restore: { ...record.restore, begun: true } }));
    }
    let rows = 0;
    let bytes = 0;
    for (const [number, listed] of manifest.chunks.entries()) {
      rows += listed.rows;
      bytes += listed.bytes;
      if (number < restore.chunksDone) continue;
      signal?.throwIfAborted();
      await context.step('restore.chunk');
      const content = await loadChunk(context, loaded.key, manifest, number);
      for (const row of content.rows()) await sink.add(row, mayBeThere);
      // Rows must be written before the chunk counts as done.
      await sink.flush();
      await context.step('restore.written');
      if (sink.hasLists) await claim.update(noted(number + 1));
      else await claim.keep(noted(number + 1));
      mayBeThere = false;
      const fraction = (number + 1) / manifest.chunks.length;
      onProgress?.({ phase: 'restore', rows, bytes, fraction });
    }
    await context.step('restore.activate');
    await claim.release((record) => {
      // The rows are complete: the table becomes one like any other.
      const { restore: _, ...active } = record;
      return { ...active, state: 'ACTIVE' } as Restoring;
    });
  } catch (error) {
    await claim.abandon();
    throw error;
  }
  await context.catalog.refresh();
}
