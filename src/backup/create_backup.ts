import { randomUUID } from 'node:crypto';
import { quoteIdentifier } from '../cql/index.ts';
import { randomId, zero } from '../crypto/index.ts';
import { BackupError } from '../errors/index.ts';
import type { KeyOwner } from '../keys/index.ts';
import type { BackupRecord, VerifiedRecords } from '../schema/index.ts';
import { logicalText, unquotedName } from '../system/index.ts';
import { BackupKey, newBackupDek, unwrapUnderCatalog, wrapUnderCatalog } from './backup_key.ts';
import { backupRecord, backupsIn, Claim, sourceTable } from './backup_records.ts';
import type { SourceTable } from './backup_records.ts';
import { cellColumnsOf } from './cell_columns.ts';
import { ChunkStore } from './chunk_store.ts';
import type { BackupContext, BackupProgress } from './context.ts';
import { deleteBackup } from './delete_backup.ts';
import { keyArnsOf, objectHash, sealEnvelope } from './envelope.ts';
import type { Envelope } from './envelope.ts';
import { loadBackup } from './load_backup.ts';
import { isOfForm, parsePlan, serialiseManifest } from './manifest.ts';
import type { BackupPlan, Manifest } from './manifest.ts';
import { objectNames } from './target.ts';
import { pause, rangeCount, scanTable, tokenRanges } from './table_scan.ts';
import { putEnvelope, removeOtherEnvelopes, tableWrap } from './write_envelope.ts';

/** How a backup is made. */
export interface CreateOptions {
  readonly onProgress?: (progress: BackupProgress) => void;
  /** Bytes a second that are read from Cassandra at most; unbounded if not given. */
  readonly maxBytesPerSecond?: number | undefined;
  /** Ends the work between two pages; it can be continued. */
  readonly signal?: AbortSignal | undefined;
}

interface Started {
  readonly record: BackupRecord;
  readonly plan: BackupPlan;
  readonly key: BackupKey;
}

/**
 * Makes a backup of a table, or continues one that was interrupted. No KMS key is needed: what is stored is ciphertext already.
 * @returns its id; it is complete, and not yet verified
 */
export async function createBackup(
  context: BackupContext,
  table: { readonly keyspace: string; readonly name: string },
  options: CreateOptions,
): Promise<string> {
  const owner = randomUUID();
  const view = await context.catalog.readRecords();
  const source = sourceTable(context, view, table);
  const plan = await newPlan(context, source);
  // Refuses columns that this version does not know before anything is stored.
  cellColumnsOf({ ...plan, ...plan.form });
  const started =
    (await resume(context, view, source, owner)) ??
    (await begin(context, view, source, plan, owner));
  const { record, key } = started;
  const claim = claimOf(context, record.backupId, owner);
  try {
    const chunks = await writeChunks(context, started, claim, options);
    await finish(context, started, chunks, claim);
    return record.backupId;
  } catch (error) {
    // What was read cannot be completed any more: the next attempt begins anew.
    const isLost = error instanceof BackupError && error.code === 'BACKUP_CHANGED';
    if (isLost) await deleteBackup(context, record.backupId, owner);
    else await claim.abandon();
    throw error;
  } finally {
    key.dispose();
  }
}

function claimOf(context: BackupContext, backupId: string, owner: string): Claim<BackupRecord> {
  return new Claim(context, owner, (view) => backupRecord(view, backupId));
}

/** What a backup of the table would be of now. */
async function newPlan(context: BackupContext, source: SourceTable): Promise<BackupPlan> {
  const { record } = source;
  const { keyspace, name, columns, dropped } = record;
  const cells = (kind: string): string[] =>
    columns.filter((column) => column.kind === kind).map((column) => column.name);
  return {
    format: 1,
    backupId: randomId().toString('hex'),
    clusterId: Buffer.from(source.clusterId).toString('hex'),
    tableId: record.tableId,
    keyspace,
    name,
    form: { columns, dropped },
    types: source.types,
    ...(await describe(context, keyspace, name)),
    cellColumns: [...cells('static'), ...cells('regular')],
    ranges: await tokenRanges(context.connection),
    startedAtMs: context.clock.nowMs(),
  };
}

/**
 * Options of the stored table, and its indexes and views as clients know them, of Cassandra's description.
 * @throws BackupError BACKUP_FORMAT when that is not understood; SchemaError
 */
async function describe(
  context: BackupContext,
  keyspace: string,
  name: string,
): Promise<Pick<BackupPlan, 'options' | 'dependents'>> {
  const { rows } = await context.connection.execute(
    `DESCRIBE TABLE ${quoteIdentifier(keyspace)}.${quoteIdentifier(name)}`,
    [],
    { prepare: false },
  );
  const [table, ...others] = rows;
  const statement = table?.['create_statement'];
  const match = /\n\) WITH ([^]*);\s*$/.exec(typeof statement === 'string' ? statement : '');
  if (match?.[1] !== undefined) {
    const { catalog } = context;
    const snapshot = others.length === 0 ? catalog.snapshot() : await catalog.refresh();
    const dependents = others.map(({ type, name: dependent, create_statement: text }) =>
      logicalText(keyspace, String(type), unquotedName(String(dependent)), String(text), snapshot),
    );
    return { options: match[1], dependents };
  }
  throw new BackupError(
    'BACKUP_FORMAT',
    `Cassandra's description of ${keyspace}.${name} is not understood, so its options cannot be kept`,
  );
}

/** The record, the key and the plan of a new backup. The record comes first, so that nothing is left that nobody knows of. */
async function begin(
  context: BackupContext,
  view: VerifiedRecords,
  source: SourceTable,
  plan: BackupPlan,
  owner: string,
): Promise<Started> {
  const { keyspace, name, tableId, keys } = source.record;
  const { backupId } = plan;
  const ids = idsOf(view, tableId, backupId);
  const dek = newBackupDek();
  try {
    const key = BackupKey.derive(dek, ids.backupId);
    const envelope: Envelope = {
      format: 1,
      backupId,
      generation: 1,
      origin: { clusterId: plan.clusterId, tableId, keyspace, name },
      keys,
      backupDek: {
        catalogWrapped: wrapUnderCatalog(view.keys.backup, ids, dek).toString('hex'),
        tableWrapped: await tableWrap(context, ownerOf(plan), keys, backupId, dek),
      },
    };
    const record: BackupRecord = {
      format: 1,
      kind: 'backup',
      state: 'CREATING',
      keyspace,
      name,
      tableId,
      backupId,
      target: context.target.description,
      createdAtMs: plan.startedAtMs,
      finishedAtMs: null,
      expiresAtMs: plan.startedAtMs + context.retentionMs,
      manifest: null,
      envelope: { generation: 1, hash: objectHash(sealEnvelope(key, envelope)) },
      keyArns: keyArnsOf(keys),
      verified: null,
      claim: claimOf(context, backupId, owner).record,
    };
    await context.step('backup.record');
    await context.catalog.change((now) => {
      // A rewrite that began meanwhile would move rows while they are read.
      sourceTable(context, now, source.record);
      return { put: [record] };
    });
    await context.step('backup.envelope');
    await putEnvelope(context, key, envelope);
    await context.step('backup.plan');
    const sealed = key.seal({ kind: 'plan', number: 0, isLast: false }, serialiseManifest(plan));
    await context.target.put(objectNames.plan(backupId), sealed);
    return { record, plan, key };
  } finally {
    zero(dek);
  }
}

/**
 * An interrupted backup of the same table at the same place, if there is one that can go on. One that has not got as far as its
 * plan, or whose table was altered since, is deleted.
 */
async function resume(
  context: BackupContext,
  view: VerifiedRecords,
  source: SourceTable,
  owner: string,
): Promise<Started | undefined> {
  const unfinished = backupsIn(view).find(
    (record) =>
      record.state === 'CREATING' &&
      record.tableId === source.record.tableId &&
      record.target === context.target.description,
  );
  if (unfinished === undefined) return undefined;
  const { backupId } = unfinished;
  const record = await claimOf(context, backupId, owner).take();
  const object = await context.target.get(objectNames.plan(backupId));
  if (object === undefined) {
    await deleteBackup(context, backupId, owner);
    return undefined;
  }
  const { key } = await loadBackup(context, view, record);
  const plan = parsePlan(key.open({ kind: 'plan', number: 0, isLast: false }, object));
  if (!isOfForm(plan, source)) {
    key.dispose();
    await deleteBackup(context, backupId, owner);
    return undefined;
  }
  return { record, plan, key };
}

/** Reads the table from where the stored chunks end, and stores the rest. */
async function writeChunks(
  context: BackupContext,
  { plan, key }: Started,
  claim: Claim<BackupRecord>,
  options: CreateOptions,
): Promise<ChunkStore> {
  const table = { ...plan, ...plan.form };
  const ranges = rangeCount(table);
  const store = await ChunkStore.open(context, plan.backupId, key, table, claim);
  if (store.isComplete) return store;
  const startedMs = context.clock.monotonicMs();
  let read = 0;
  for await (const page of scanTable(
    context.connection,
    context.clock,
    table,
    store.position,
    store.lastPartition,
  )) {
    options.signal?.throwIfAborted();
    await context.step('backup.page');
    for (const row of page.rows) await store.add(row);
    await store.endPage(page.next);
    await claim.keep();
    read += page.bytes;
    options.onProgress?.({
      phase: 'backup',
      rows: store.rows,
      bytes: store.bytes,
      fraction: Math.min(1, page.next.range / ranges),
    });
    if (options.maxBytesPerSecond !== undefined) {
      const dueMs = startedMs + (read / options.maxBytesPerSecond) * 1000;
      const early = dueMs - context.clock.monotonicMs();
      if (early > 0) await pause(context.clock, early);
    }
  }
  await store.end();
  return store;
}

/** The manifest and the last envelope, then the record: with it the backup is complete. */
async function finish(
  context: BackupContext,
  started: Started,
  chunks: ChunkStore,
  claim: Claim<BackupRecord>,
): Promise<void> {
  const { plan, key, record } = started;
  const view = await context.catalog.readRecords();
  const now = sourceTable(context, view, plan);
  const { record: table } = now;
  if (table.tableId !== plan.tableId || !isOfForm(plan, now)) {
    throw new BackupError(
      'BACKUP_CHANGED',
      `table ${plan.keyspace}.${plan.name} was altered while it was backed up; try again`,
    );
  }
  checkEpochs(plan, chunks.epochs, table.keys.deks);
  // Keys may have changed meanwhile, also by a change that rewrote the envelope: what is in force now is taken up.
  const current = backupRecord(view, record.backupId);
  const loaded = await loadBackup(context, view, current);
  loaded.key.dispose();
  const ids = idsOf(view, plan.tableId, plan.backupId);
  const dek = unwrapUnderCatalog(
    view.keys.backup,
    ids,
    Buffer.from(loaded.envelope.backupDek.catalogWrapped, 'hex'),
  );
  try {
    const envelope: Envelope = {
      ...loaded.envelope,
      generation: current.envelope.generation + 1,
      keys: table.keys,
      backupDek: {
        ...loaded.envelope.backupDek,
        tableWrapped: await tableWrap(context, ownerOf(plan), table.keys, plan.backupId, dek),
      },
    };
    const manifest: Manifest = {
      ...plan,
      finishedAtMs: context.clock.nowMs(),
      chunks: chunks.chunks,
      rows: chunks.rows,
      cells: chunks.cells,
      epochs: [...chunks.epochs].sort((a, b) => a - b),
    };
    const sealed = key.seal(
      { kind: 'manifest', number: 0, isLast: false },
      serialiseManifest(manifest),
    );
    await context.step('backup.manifest');
    await context.target.put(objectNames.manifest(plan.backupId), sealed);
    await context.step('backup.last_envelope');
    const inForce = await putEnvelope(context, key, envelope);
    await context.step('backup.ready');
    await claim.release((latest) => {
      if (latest.envelope.generation !== current.envelope.generation) {
        throw new BackupError(
          'BACKUP_STATE',
          `the keys of table ${plan.keyspace}.${plan.name} were changed while its backup was completed; continue it`,
        );
      }
      return {
        ...latest,
        state: 'READY',
        finishedAtMs: manifest.finishedAtMs,
        manifest: objectHash(sealed),
        envelope: inForce,
        keyArns: keyArnsOf(table.keys),
      };
    });
    await context.step('backup.clean');
    await context.target.delete(objectNames.plan(plan.backupId));
    await removeOtherEnvelopes(context, plan.backupId, inForce.generation);
  } finally {
    zero(dek);
  }
}

/** Every epoch that a stored cell names must have its key in the envelope, or the backup is worth nothing. */
function checkEpochs(
  plan: BackupPlan,
  epochs: ReadonlySet<number>,
  deks: readonly { readonly structure: string; readonly epoch: number }[],
): void {
  const known = new Set(deks.filter((dek) => dek.structure === 'cell').map((dek) => dek.epoch));
  for (const epoch of epochs) {
    if (!known.has(epoch)) {
      throw new BackupError(
        'BACKUP_CHANGED',
        `cells of ${plan.keyspace}.${plan.name} name the cell key of epoch ${String(epoch)}, which the table does not have (any more); try again`,
      );
    }
  }
}

function ownerOf(plan: BackupPlan): KeyOwner {
  return {
    clusterId: Buffer.from(plan.clusterId, 'hex'),
    tableId: Buffer.from(plan.tableId, 'hex'),
    keyspace: plan.keyspace,
    name: plan.name,
  };
}

function idsOf(view: VerifiedRecords, tableId: string, backupId: string) {
  return {
    clusterId: view.clusterId,
    tableId: Buffer.from(tableId, 'hex'),
    backupId: Buffer.from(backupId, 'hex'),
  };
}
