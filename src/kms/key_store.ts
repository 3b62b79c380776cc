import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { ConfigError } from '../errors/index.ts';
import { systemClock } from '../util/index.ts';
import type { Clock } from '../util/index.ts';
import { withFileLock } from './file_lock.ts';
import { fileStamp, readKeyStoreFile, writeKeyStoreFile } from './key_store_file.ts';
import type { RootKey } from './root_key.ts';

/** States of a KMS key. A deleted key is gone: it has no entry. */
export type KmsKeyState = 'enabled' | 'disabled' | 'pending_deletion';

/** One KMS key of the embedded KMS. */
export interface KmsKeyEntry {
  readonly arn: string;
  /** 16 random bytes, hex; first bytes of every blob made with the key. */
  readonly id: string;
  readonly state: KmsKeyState;
  readonly serviceOwned: boolean;
  readonly purpose: string;
  /** What a service-owned key is for; empty for customer managed keys. */
  readonly owner: string;
  readonly description: string;
  readonly createdAtMs: number;
  readonly deletionAtMs: number | null;
  /** 32 bytes, base64. */
  readonly material: string;
}

/** What must be trusted about the cluster, and so is kept here and not in Cassandra. */
export interface ClusterEntry {
  /** 16 bytes, hex. */
  readonly clusterId: string;
  /** ARN of the service-owned key of the catalog. */
  readonly catalogKeyArn: string;
  /** Highest root version ever seen (the anchor), decimal. */
  readonly rootVersion: string;
}

/** The whole content. Immutable; a change makes a new one. */
export interface KeyStoreState {
  readonly format: 1;
  /** 6 bytes, hex; part of the ARNs of this store's keys. */
  readonly storeId: string;
  readonly cluster: ClusterEntry | null;
  readonly keys: Readonly<Record<string, KmsKeyEntry>>;
}

/** Settings of a key store. */
export interface KeyStoreOptions {
  readonly path: string;
  readonly rootKey: RootKey;
  readonly clock?: Clock;
  /** Called before each step of a write, and after the last; tests stop the process there. */
  readonly step?: (name: string) => void;
}

/**
 * The sealed file of the embedded KMS. Several processes may use one file: a write holds a lock file, starts from the
 * newest state on disk and raises the generation; a read loads the file again when it has changed.
 */
export class KeyStore {
  readonly #options: KeyStoreOptions;
  readonly #clock: Clock;
  #state: KeyStoreState;
  #generation: bigint;
  #stamp: string | undefined;

  private constructor(options: KeyStoreOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    // The stamp comes first: a file that changes in between is then read again, not taken for known.
    this.#stamp = fileStamp(options.path);
    const content = readKeyStoreFile(options.path, options.rootKey);
    this.#generation = content.generation;
    this.#state = parseState(content.plaintext, options.path);
  }

  /** True when there is a file at `path`. */
  static exists(path: string): boolean {
    return fileStamp(path) !== undefined;
  }

  /**
   * Makes an empty key store and opens it; opens the one that is there when another process was faster.
   * @throws ConfigError when it cannot be written or opened.
   */
  static async create(options: KeyStoreOptions): Promise<KeyStore> {
    mkdirSync(dirname(options.path), { recursive: true, mode: 0o700 });
    await withFileLock(`${options.path}.lock`, options.clock ?? systemClock, () => {
      if (KeyStore.exists(options.path)) return;
      const state: KeyStoreState = {
        format: 1,
        storeId: randomBytes(6).toString('hex'),
        cluster: null,
        keys: {},
      };
      writeKeyStoreFile(
        options.path,
        options.rootKey,
        { generation: 1n, plaintext: serialiseState(state) },
        options.step,
      );
    });
    return new KeyStore(options);
  }

  /**
   * Opens a key store.
   * @throws ConfigError when it is missing, damaged, or sealed with another root key.
   */
  static open(options: KeyStoreOptions): KeyStore {
    return new KeyStore(options);
  }

  /** The newest state on disk. */
  read(): KeyStoreState {
    const stamp = fileStamp(this.#options.path);
    if (stamp !== this.#stamp) this.#load();
    return this.#state;
  }

  /**
   * Changes the state under the lock. `change` gets the newest state and returns the next one, or the same object for no
   * change. The new state is durable when the promise resolves.
   */
  async update(change: (state: KeyStoreState) => KeyStoreState): Promise<KeyStoreState> {
    const step = this.#options.step ?? (() => undefined);
    return await withFileLock(`${this.#options.path}.lock`, this.#clock, () => {
      this.#load();
      const next = change(this.#state);
      if (next === this.#state) return next;
      const content = { generation: this.#generation + 1n, plaintext: serialiseState(next) };
      writeKeyStoreFile(this.#options.path, this.#options.rootKey, content, step);
      content.plaintext.fill(0);
      this.#load();
      return this.#state;
    });
  }

  #load(): void {
    const stamp = fileStamp(this.#options.path);
    const content = readKeyStoreFile(this.#options.path, this.#options.rootKey);
    if (content.generation < this.#generation) {
      throw new ConfigError(
        'CONFIG_KEY_STORE',
        `the key store ${this.#options.path} is older than the one opened before; it was replaced by a copy`,
      );
    }
    this.#state = parseState(content.plaintext, this.#options.path);
    this.#generation = content.generation;
    this.#stamp = stamp;
  }
}

function serialiseState(state: KeyStoreState): Uint8Array {
  return Buffer.from(JSON.stringify(state), 'utf8');
}

/** The content was authenticated before; the check is for files of a later version. */
function parseState(plaintext: Uint8Array, path: string): KeyStoreState {
  const text = Buffer.from(plaintext.buffer, plaintext.byteOffset, plaintext.byteLength);
  const state = JSON.parse(text.toString('utf8')) as KeyStoreState;
  text.fill(0);
  if ((state.format as number) !== 1) {
    throw new ConfigError('CONFIG_KEY_STORE', `the key store ${path} has an unknown format`);
  }
  return state;
}
