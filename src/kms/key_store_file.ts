import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { openKeyStore, sealKeyStore } from '../crypto/index.ts';
import { ConfigError } from '../errors/index.ts';
import type { RootKey } from './root_key.ts';

/** First bytes of a key store and of a backup of one; both have the same length. */
const MAGIC = {
  'key store': Buffer.from('cqlock-keystore-1\n', 'latin1'),
  backup: Buffer.from('cqlock-ksbackup-1\n', 'latin1'),
} as const;
const MAGIC_BYTES = MAGIC['key store'].length;
const SALT_BYTES = 32;
const HEADER_BYTES = MAGIC_BYTES + 1 + SALT_BYTES;

/** What a sealed file is. */
export type SealedFileKind = keyof typeof MAGIC;

/** The opened content of a key store file. */
export interface KeyStoreContent {
  readonly generation: bigint;
  readonly plaintext: Uint8Array;
}

/** Identity of the file on disk: changes with every write, since each write is a new file renamed into place. */
export function fileStamp(path: string): string | undefined {
  try {
    const stat = statSync(path, { bigint: true });
    return `${stat.ino}:${stat.mtimeNs}:${stat.size}`;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw new ConfigError('CONFIG_KEY_STORE', `cannot read the key store ${path}`, {
      cause: error,
    });
  }
}

/**
 * Reads and opens a key store file. Layout: magic ‖ kind u8 (0 raw, 1 scrypt) ‖ scrypt salt 32 ‖ sealed content.
 * @throws ConfigError when it is damaged or the root key is another one.
 */
export function readKeyStoreFile(
  path: string,
  rootKey: RootKey,
  is: SealedFileKind = 'key store',
): KeyStoreContent {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    throw new ConfigError('CONFIG_KEY_STORE', `cannot read the key store ${path}`, {
      cause: error,
    });
  }
  if (bytes.length < HEADER_BYTES || !bytes.subarray(0, MAGIC_BYTES).equals(MAGIC[is])) {
    throw new ConfigError('CONFIG_KEY_STORE', `${path} is not a ${is}, or it is truncated`);
  }
  const kind = bytes[MAGIC_BYTES];
  if (kind !== (rootKey.kind === 'scrypt' ? 1 : 0)) {
    throw new ConfigError(
      'CONFIG_KEY_STORE',
      `the ${is} ${path} is sealed with a ${kind === 1 ? 'passphrase' : 'root key file'}, not with what was given`,
    );
  }
  const salt = bytes.subarray(MAGIC_BYTES + 1, HEADER_BYTES);
  try {
    const opened = openKeyStore(rootKey.bytes(salt), bytes.subarray(HEADER_BYTES));
    return { generation: opened.generation, plaintext: opened.content };
  } catch (error) {
    throw new ConfigError(
      'CONFIG_KEY_STORE',
      `the ${is} ${path} cannot be opened: the root key is another one, or the file is damaged`,
      { cause: error },
    );
  }
}

/**
 * Seals and writes a key store so that a crash leaves either the old or the new one: temporary file, fsync, rename,
 * fsync of the directory. The caller holds the lock.
 */
export function writeKeyStoreFile(
  path: string,
  rootKey: RootKey,
  content: KeyStoreContent,
  step: (name: string) => void = () => undefined,
  is: SealedFileKind = 'key store',
): void {
  const salt = scryptSalt(path, rootKey);
  const sealed = sealKeyStore(rootKey.bytes(salt), content.generation, content.plaintext);
  const bytes = Buffer.concat([
    MAGIC[is],
    Buffer.of(rootKey.kind === 'scrypt' ? 1 : 0),
    salt,
    sealed,
  ]);
  const temporary = `${path}.${process.pid}.${randomBytes(4).toString('hex')}.tmp`;
  try {
    removeLeftovers(path);
    step('key_store.open');
    const file = openSync(temporary, 'wx', 0o600);
    try {
      let written = 0;
      step('key_store.write');
      while (written < bytes.length) written += writeSync(file, bytes, written);
      step('key_store.sync');
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    step('key_store.rename');
    renameSync(temporary, path);
    step('key_store.sync_directory');
    const directory = openSync(dirname(path), 'r');
    try {
      fsyncSync(directory);
    } finally {
      closeSync(directory);
    }
    step('key_store.written');
  } catch (error) {
    try {
      unlinkSync(temporary);
    } catch {
      // It was renamed, or never made.
    }
    throw new ConfigError('CONFIG_KEY_STORE', `cannot write the ${is} ${path}`, {
      cause: error,
    });
  }
}

/** Temporary files of processes that died while writing; the caller holds the lock, so nobody else has one open. */
function removeLeftovers(path: string): void {
  const prefix = `${basename(path)}.`;
  for (const name of readdirSync(dirname(path))) {
    if (!name.startsWith(prefix) || !name.endsWith('.tmp')) continue;
    unlinkSync(join(dirname(path), name));
  }
}

/** scrypt costs 400 ms, so a passphrase keeps its salt; the seal has a fresh salt of its own in every write. */
function scryptSalt(path: string, rootKey: RootKey): Uint8Array {
  if (rootKey.kind === 'scrypt' && fileStamp(path) !== undefined) {
    const bytes = readFileSync(path);
    if (bytes.length >= HEADER_BYTES) return bytes.subarray(MAGIC_BYTES + 1, HEADER_BYTES);
  }
  return randomBytes(SALT_BYTES);
}
