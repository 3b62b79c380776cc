import { zero } from '../crypto/index.ts';
import { BackupError } from '../errors/index.ts';
import { zeroDeks } from '../keys/index.ts';
import type { KeyOwner } from '../keys/index.ts';
import type { BackupRecord, VerifiedRecords } from '../schema/index.ts';
import { BackupKey, tagOf, unwrapUnderCatalog } from './backup_key.ts';
import { readChunk } from './chunk.ts';
import type { ChunkContent } from './chunk.ts';
import type { BackupContext } from './context.ts';
import { checkEnvelope, objectHash, parseEnvelope } from './envelope.ts';
import type { Envelope } from './envelope.ts';
import { parseManifest } from './manifest.ts';
import type { Manifest } from './manifest.ts';
import { objectNames } from './target.ts';

/** A backup whose key is open; who loaded it disposes the key. */
export interface LoadedBackup {
  /** `undefined` for a backup of another cluster. */
  readonly record: BackupRecord | undefined;
  readonly envelope: Envelope;
  readonly key: BackupKey;
}

/** The table of origin of an envelope. */
export function originOf(envelope: Envelope): KeyOwner {
  const { clusterId, tableId, keyspace, name } = envelope.origin;
  return {
    clusterId: Buffer.from(clusterId, 'hex'),
    tableId: Buffer.from(tableId, 'hex'),
    keyspace,
    name,
  };
}

/** Reads an object that must be there. @throws BackupError BACKUP_INTEGRITY */
export async function requireObject(context: BackupContext, name: string): Promise<Buffer> {
  const object = await context.target.get(name);
  if (object !== undefined) return object;
  throw new BackupError(
    'BACKUP_INTEGRITY',
    `${name} is missing at ${context.target.description}: the backup is not complete there`,
  );
}

/**
 * Opens the key of a backup of this cluster. The catalog authenticates the envelope and the catalog's key opens it: no KMS key is
 * needed.
 */
export async function loadBackup(
  context: BackupContext,
  view: VerifiedRecords,
  record: BackupRecord,
): Promise<LoadedBackup> {
  const { backupId } = record;
  const object = await requireObject(
    context,
    objectNames.envelope(backupId, record.envelope.generation),
  );
  if (objectHash(object) !== record.envelope.hash) throw foreignEnvelope(backupId);
  const envelope = parseEnvelope(object);
  const dek = unwrapUnderCatalog(
    view.keys.backup,
    {
      clusterId: view.clusterId,
      tableId: Buffer.from(record.tableId, 'hex'),
      backupId: Buffer.from(backupId, 'hex'),
    },
    Buffer.from(envelope.backupDek.catalogWrapped, 'hex'),
  );
  return { record, envelope, key: openKey(object, envelope, backupId, dek) };
}

/**
 * Opens the key of a backup of another cluster: by the KMS key of its table.
 * @throws BackupError; KeyAccessError, KeyUnavailableError when the KMS does not open it
 */
export async function loadForeignBackup(
  context: BackupContext,
  view: VerifiedRecords,
  backupId: string,
): Promise<LoadedBackup> {
  const name = (await context.target.list(objectNames.envelopes(backupId))).at(-1);
  if (name === undefined) {
    throw new BackupError(
      'BACKUP_NOT_FOUND',
      `there is no backup ${backupId} in the catalog of this cluster, nor at ${context.target.description}`,
    );
  }
  const object = await requireObject(context, name);
  const envelope = parseEnvelope(object);
  if (envelope.origin.clusterId === Buffer.from(view.clusterId).toString('hex')) {
    throw new BackupError(
      'BACKUP_NOT_FOUND',
      `backup ${backupId} is of this cluster, but its catalog does not know it: it was deleted or has expired`,
    );
  }
  const { tableWrapped } = envelope.backupDek;
  if (tableWrapped === null) {
    throw new BackupError(
      'BACKUP_STATE',
      `backup ${backupId} was made while the KMS key of its table could not be used, so only the cluster it is of can open it; restore it there, or complete it there with cqlock backup verify`,
    );
  }
  const owner = originOf(envelope);
  const opened = await context.transfer.openDeks(owner, envelope.keys.tableKeys, [tableWrapped]);
  const [backupDek] = opened;
  if (backupDek?.from.dekId !== backupId) {
    zeroDeks(opened);
    throw foreignEnvelope(backupId);
  }
  return { record: undefined, envelope, key: openKey(object, envelope, backupId, backupDek.dek) };
}

/** Reads the manifest. @throws BackupError */
export async function loadManifest(
  context: BackupContext,
  loaded: LoadedBackup,
): Promise<Manifest> {
  const { record, envelope, key } = loaded;
  const { backupId } = envelope;
  if (record?.manifest === null) {
    throw new BackupError(
      'BACKUP_STATE',
      `backup ${backupId} of ${record.keyspace}.${record.name} is not complete; continue it with cqlock backup create`,
    );
  }
  const object = await requireObject(context, objectNames.manifest(backupId));
  if (record !== undefined && objectHash(object) !== record.manifest) {
    throw new BackupError(
      'BACKUP_INTEGRITY',
      `the manifest of backup ${backupId} is not the one that the catalog knows: it was altered or replaced`,
    );
  }
  const manifest = parseManifest(key.open({ kind: 'manifest', number: 0, isLast: false }, object));
  const { clusterId, tableId } = envelope.origin;
  if (
    manifest.backupId !== backupId ||
    manifest.clusterId !== clusterId ||
    manifest.tableId !== tableId
  ) {
    throw new BackupError(
      'BACKUP_INTEGRITY',
      `manifest and key envelope of backup ${backupId} do not belong together`,
    );
  }
  return manifest;
}

/** Reads a chunk and checks it against the manifest. @throws BackupError BACKUP_INTEGRITY */
export async function loadChunk(
  context: BackupContext,
  key: BackupKey,
  manifest: Manifest,
  number: number,
): Promise<ChunkContent> {
  const object = await requireObject(context, objectNames.chunk(manifest.backupId, number));
  const isLast = number === manifest.chunks.length - 1;
  const content = readChunk(key.open({ kind: 'chunk', number, isLast }, object));
  const listed = manifest.chunks[number];
  if (
    listed?.tag !== tagOf(object).toString('hex') ||
    listed.bytes !== object.length ||
    listed.rows !== content.counts.rows ||
    listed.cells !== content.counts.cells
  ) {
    throw new BackupError(
      'BACKUP_INTEGRITY',
      `chunk ${String(number)} of backup ${manifest.backupId} is not the one of its manifest`,
    );
  }
  return content;
}

/** A manifest whose own numbers contradict each other was not written by a backup. @throws BackupError */
export function checkTotals(manifest: Manifest): void {
  const rows = manifest.chunks.reduce((sum, chunk) => sum + chunk.rows, 0);
  const cells = manifest.chunks.reduce((sum, chunk) => sum + chunk.cells, 0);
  if (rows !== manifest.rows || cells !== manifest.cells || manifest.chunks.length === 0) {
    throw new BackupError(
      'BACKUP_INTEGRITY',
      `the manifest of backup ${manifest.backupId} contradicts itself`,
    );
  }
}

function openKey(object: Buffer, envelope: Envelope, backupId: string, dek: Buffer): BackupKey {
  const key = BackupKey.derive(dek, Buffer.from(backupId, 'hex'));
  zero(dek);
  try {
    checkEnvelope(key, object);
    if (envelope.backupId !== backupId) throw foreignEnvelope(backupId);
    return key;
  } catch (error) {
    key.dispose();
    throw error;
  }
}

function foreignEnvelope(backupId: string): BackupError {
  return new BackupError(
    'BACKUP_INTEGRITY',
    `the key envelope of backup ${backupId} is not the one that the catalog knows: it was altered, or an older one was put back`,
  );
}
