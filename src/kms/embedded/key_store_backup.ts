import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { ConfigError } from '../../errors/index.ts';
import { systemClock } from '../../util/index.ts';
import { withFileLock } from '../file_lock.ts';
import type { KmsKeyEntry } from '../key_entry.ts';
import { KeyStore, parseKeyStoreState, serialiseState } from '../key_store.ts';
import type { KeyStoreState } from '../key_store.ts';
import { fileStamp, readKeyStoreFile, writeKeyStoreFile } from '../key_store_file.ts';
import type { RootKey } from '../root_key.ts';
import { GrantFiles, unseal } from './grant_files.ts';
import { arnPrefix } from './key_lookup.ts';

/** What a backup holds; sealed as the key store is, so it opens with the same root key only. */
interface BackupContent {
  readonly backup: 1;
  readonly madeAtMs: number;
  readonly state: KeyStoreState;
  /** Files of grants by name, sealed, base64. */
  readonly grants: Readonly<Record<string, string>>;
}

/** A backup that was opened and checked. */
export interface CheckedBackup {
  readonly path: string;
  readonly storeId: string;
  readonly madeAtMs: number;
  /** ARNs of customer managed keys. */
  readonly customerKeys: readonly string[];
  readonly serviceKeyCount: number;
  readonly grantCount: number;
  readonly generation: bigint;
  readonly state: KeyStoreState;
  readonly grants: ReadonlyMap<string, Buffer>;
}

/** What a restore would change of the key store that is there. */
export interface RestoreComparison {
  /** ARNs of keys that are there now and not in the backup: what they encrypted could not be read any more. */
  readonly lost: readonly string[];
  /** ARNs of keys that the backup brings back, e.g. deleted ones. */
  readonly back: readonly string[];
}

/**
 * Writes the whole key store, as it is at one moment, to a new file, and reads it back.
 * @throws ConfigError when the file is there, cannot be written, or is not what was written.
 */
export async function backUpKeyStore(
  store: KeyStore,
  path: string,
  nowMs: number,
): Promise<CheckedBackup> {
  if (fileStamp(path) !== undefined) {
    throw new ConfigError('CONFIG_KEY_STORE_BACKUP', `${path} is there; choose another name`);
  }
  const files = new GrantFiles(store.path);
  const { generation, content } = await store.readLocked((state, atGeneration) => {
    const grants: Record<string, string> = {};
    for (const [, bucket] of bucketsOf(state)) {
      const sealed = files.readSealed(bucket.file);
      if (sealed === undefined) throw refused(store.path, 'files of grants are missing');
      grants[bucket.file] = sealed.toString('base64');
    }
    const backup: BackupContent = { backup: 1, madeAtMs: nowMs, state, grants };
    return { generation: atGeneration, content: Buffer.from(JSON.stringify(backup), 'utf8') };
  });
  const sealed = { generation, plaintext: content };
  writeKeyStoreFile(path, store.rootKey, sealed, undefined, 'backup');
  content.fill(0);
  return checkBackup(path, store.rootKey);
}

/**
 * Opens a backup and checks that all of it can be used: every key, alias and file of grants.
 * @throws ConfigError naming what is wrong.
 */
export function checkBackup(path: string, rootKey: RootKey): CheckedBackup {
  const { generation, plaintext } = readKeyStoreFile(path, rootKey, 'backup');
  const text = Buffer.from(plaintext.buffer, plaintext.byteOffset, plaintext.byteLength);
  const content = JSON.parse(text.toString('utf8')) as BackupContent;
  text.fill(0);
  if ((content.backup as number) !== 1) throw refused(path, 'it is of a later version');
  const state = parseKeyStoreState(JSON.stringify(content.state), path);
  const prefix = `${arnPrefix(state.storeId)}key/`;
  for (const [arn, key] of Object.entries(state.keys)) {
    if (key.arn !== arn || !arn.startsWith(prefix) || !isWhole(key)) {
      throw refused(path, `the key ${arn} in it is not complete`);
    }
  }
  for (const [name, alias] of Object.entries(state.aliases)) {
    if (!Object.hasOwn(state.keys, alias.targetArn)) {
      throw refused(path, `${name} in it stands for a key that is not in it`);
    }
  }
  const grants = new Map<string, Buffer>();
  let grantCount = 0;
  for (const [arn, bucket] of bucketsOf(state)) {
    const sealed = Buffer.from(content.grants[bucket.file] ?? '', 'base64');
    const opened = unseal(arn, bucket, sealed);
    if (opened.length !== bucket.count) throw refused(path, `grants of ${arn} are missing in it`);
    grants.set(bucket.file, sealed);
    grantCount += opened.length;
  }
  const keys = Object.values(state.keys);
  const customerKeys = keys.filter((key) => !key.serviceOwned).map((key) => key.arn);
  return {
    path,
    storeId: state.storeId,
    madeAtMs: content.madeAtMs,
    customerKeys,
    serviceKeyCount: keys.length - customerKeys.length,
    grantCount,
    generation,
    state,
    grants,
  };
}

/** What restoring a backup over a key store would change of its keys. */
export function compareWithBackup(store: KeyStore, backup: CheckedBackup): RestoreComparison {
  const now = Object.keys(store.read().keys);
  const then = Object.keys(backup.state.keys);
  return {
    lost: now.filter((arn) => !then.includes(arn)),
    back: then.filter((arn) => !now.includes(arn)),
  };
}

/**
 * Puts a checked backup in the place of the key store, or makes the key store of it where there is none. The anchor never
 * goes back: of backup and key store the higher one stays. Processes that have the key store open go on with the new state.
 * @param mayReplace whether a key store may be there
 * @throws ConfigError when there is one that may not be replaced, that does not open, or that is another cluster's.
 */
export async function restoreKeyStore(
  path: string,
  rootKey: RootKey,
  backup: CheckedBackup,
  mayReplace: boolean,
): Promise<KeyStore> {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  await withFileLock(`${path}.lock`, systemClock, () => {
    let { generation, state } = backup;
    if (KeyStore.exists(path)) {
      const present = readKeyStoreFile(path, rootKey);
      const text = Buffer.from(present.plaintext).toString('utf8');
      const now = parseKeyStoreState(text, path);
      if (now.storeId !== backup.storeId) {
        throw refused(
          backup.path,
          `it is of another key store than ${path}; move that one away first`,
        );
      }
      if (!mayReplace) throw refused(backup.path, `the key store ${path} is there`);
      generation = present.generation > generation ? present.generation : generation;
      state = { ...state, cluster: newerAnchor(now, state) };
    }
    const files = new GrantFiles(path);
    for (const [file, sealed] of backup.grants) files.writeSealed(file, sealed);
    const plaintext = serialiseState(state);
    writeKeyStoreFile(path, rootKey, { generation: generation + 1n, plaintext });
    plaintext.fill(0);
    files.sweep(state);
  });
  return KeyStore.open({ path, rootKey });
}

function newerAnchor(now: KeyStoreState, then: KeyStoreState): KeyStoreState['cluster'] {
  if (now.cluster === null || then.cluster === null) return now.cluster ?? then.cluster;
  const isNewer = BigInt(now.cluster.rootVersion) > BigInt(then.cluster.rootVersion);
  return isNewer ? { ...then.cluster, rootVersion: now.cluster.rootVersion } : then.cluster;
}

function bucketsOf(state: KeyStoreState) {
  return Object.values(state.keys).flatMap((key) =>
    Object.values(key.grants).map((bucket) => [key.arn, bucket] as const),
  );
}

function isWhole(key: KmsKeyEntry): boolean {
  const materials = [key.material, ...key.earlier.map((earlier) => earlier.material)];
  return (
    /^[0-9a-f]{32}$/.test(key.id) &&
    key.earlier.length === key.materialVersion - 1 &&
    materials.every((material) => Buffer.from(material, 'base64').length === 32)
  );
}

function refused(path: string, why: string): ConfigError {
  return new ConfigError('CONFIG_KEY_STORE_BACKUP', `the backup ${path} is refused: ${why}`);
}
