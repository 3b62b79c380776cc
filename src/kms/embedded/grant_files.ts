import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { ConfigError } from '../../errors/index.ts';
import type { GrantBucket } from '../key_entry.ts';
import type { KeyStoreState } from '../key_store.ts';
import type { Grant } from './grant.ts';

const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** All buckets of 16 keys with many grants. */
const MAX_CACHED = 4096;

/** An opened bucket. */
export interface OpenedBucket {
  readonly grants: ReadonlyMap<string, Grant>;
  readonly byGrantee: ReadonlyMap<string, readonly Grant[]>;
}

/**
 * The grants of all keys, in files beside the key store: a key has up to 256 buckets, each a file of its own, so that a grant
 * more or less writes a small file and not all of them. A file never changes: a new one takes its place, named in the key
 * store with the key that opens it. So a file is as fresh and as genuine as the key store that names it.
 * A file is nonce 12 ‖ AES-256-GCM cipher text ‖ tag 16 with its name and the key's ARN as associated data.
 */
export class GrantFiles {
  readonly #directory: string;
  readonly #opened = new Map<string, OpenedBucket>();

  /** @param storePath where the key store is */
  constructor(storePath: string) {
    this.#directory = `${storePath}.grants`;
  }

  /**
   * Opens a bucket; undefined when its file is gone, since the key store was changed meanwhile and names another.
   * @throws ConfigError when the file was altered.
   */
  read(keyArn: string, bucket: GrantBucket): OpenedBucket | undefined {
    const known = this.#opened.get(bucket.file);
    if (known !== undefined) return known;
    const sealed = this.readSealed(bucket.file);
    if (sealed === undefined) return undefined;
    const opened = openedBucket(unseal(keyArn, bucket, sealed));
    this.#remember(bucket.file, opened);
    return opened;
  }

  /** Writes a bucket as a new file, durable on return; the caller then names it in the key store. */
  write(keyArn: string, grants: readonly Grant[]): GrantBucket {
    const key = randomBytes(32);
    const bucket = {
      file: randomBytes(16).toString('hex'),
      key: key.toString('base64'),
      count: grants.length,
    };
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv('aes-256-gcm', key, nonce);
    key.fill(0);
    cipher.setAAD(associatedData(keyArn, bucket.file));
    const body = cipher.update(JSON.stringify(grants), 'utf8');
    this.writeSealed(
      bucket.file,
      Buffer.concat([nonce, body, cipher.final(), cipher.getAuthTag()]),
    );
    this.#remember(bucket.file, openedBucket(grants));
    return bucket;
  }

  /** The bytes of a bucket's file, unopened; undefined when it is gone. */
  readSealed(file: string): Buffer | undefined {
    try {
      return readFileSync(join(this.#directory, file));
    } catch (cause) {
      if (isAbsent(cause)) return undefined;
      throw new ConfigError('CONFIG_KEY_STORE', `cannot read the grants in ${this.#directory}`, {
        cause,
      });
    }
  }

  /** Writes the bytes of a bucket's file, durable on return. */
  writeSealed(file: string, bytes: Uint8Array): void {
    try {
      if (mkdirSync(this.#directory, { recursive: true, mode: 0o700 }) !== undefined) {
        syncDirectory(dirname(this.#directory));
      }
      const descriptor = openSync(join(this.#directory, file), 'w', 0o600);
      try {
        let written = 0;
        while (written < bytes.length) written += writeSync(descriptor, bytes, written);
        fsyncSync(descriptor);
      } finally {
        closeSync(descriptor);
      }
      syncDirectory(this.#directory);
    } catch (cause) {
      throw new ConfigError('CONFIG_KEY_STORE', `cannot write the grants in ${this.#directory}`, {
        cause,
      });
    }
  }

  /** Removes files that the durable key store no longer names. */
  remove(files: readonly string[]): void {
    for (const file of files) {
      this.#opened.delete(file);
      try {
        unlinkSync(join(this.#directory, file));
      } catch {
        // Removed by another process; or it stays until the next sweep.
      }
    }
  }

  /** Removes what writers that died left behind. The caller holds the lock of the key store. */
  sweep(state: KeyStoreState): void {
    let present: string[];
    try {
      present = readdirSync(this.#directory);
    } catch {
      return;
    }
    const named = new Set(
      Object.values(state.keys).flatMap((key) => Object.values(key.grants).map((b) => b.file)),
    );
    this.remove(present.filter((file) => !named.has(file)));
  }

  #remember(file: string, opened: OpenedBucket): void {
    if (this.#opened.size >= MAX_CACHED) {
      const [oldest] = this.#opened.keys();
      if (oldest !== undefined) this.#opened.delete(oldest);
    }
    this.#opened.set(file, opened);
  }
}

/**
 * Opens the bytes of a bucket's file.
 * @throws ConfigError when they are not those that the key store names.
 */
export function unseal(keyArn: string, bucket: GrantBucket, sealed: Uint8Array): readonly Grant[] {
  const key = Buffer.from(bucket.key, 'base64');
  try {
    const nonce = sealed.subarray(0, NONCE_BYTES);
    const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES });
    decipher.setAAD(associatedData(keyArn, bucket.file));
    decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
    const body = decipher.update(sealed.subarray(NONCE_BYTES, sealed.length - TAG_BYTES));
    decipher.final();
    return JSON.parse(body.toString('utf8')) as readonly Grant[];
  } catch (cause) {
    throw new ConfigError(
      'CONFIG_KEY_STORE',
      `the grants of the key ${keyArn} do not belong to the key store: they were altered or restored apart from it`,
      { cause },
    );
  } finally {
    key.fill(0);
  }
}

function openedBucket(grants: readonly Grant[]): OpenedBucket {
  const byGrantee = new Map<string, Grant[]>();
  for (const grant of grants) {
    const list = byGrantee.get(grant.grantee);
    if (list === undefined) byGrantee.set(grant.grantee, [grant]);
    else list.push(grant);
  }
  return { grants: new Map(grants.map((grant) => [grant.id, grant])), byGrantee };
}

function associatedData(keyArn: string, file: string): Buffer {
  return Buffer.from(`cqlock/1/kms-grants\0${file}\0${keyArn}`, 'utf8');
}

function syncDirectory(path: string): void {
  const directory = openSync(path, 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}

function isAbsent(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
