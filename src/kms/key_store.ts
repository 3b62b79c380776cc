import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { ConfigError } from '../errors/index.ts';
import { systemClock } from '../util/index.ts';
import type { Clock } from '../util/index.ts';
import { withFileLock } from './file_lock.ts';
import { NEW_KEY_DEFAULTS } from './key_entry.ts';
import type { AccessEntry, AliasEntry, KmsKeyEntry } from './key_entry.ts';
import { fileStamp, readKeyStoreFile, writeKeyStoreFile } from './key_store_file.ts';
import type { RootKey } from './root_key.ts';

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
  readonly format: 2;
  /** 6 bytes, hex; part of the ARNs of this store's keys. */
  readonly storeId: string;
  readonly cluster: ClusterEntry | null;
  readonly keys: Readonly<Record<string, KmsKeyEntry>>;
  /** By name, `alias/…`. */
  readonly aliases: Readonly<Record<string, AliasEntry>>;
  /** By access key id. */
  readonly access: Readonly<Record<string, AccessEntry>>;
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
        format: 2,
        storeId: randomBytes(6).toString('hex'),
        cluster: null,
        keys: {},
        aliases: {},
        access: {},
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

  /** Where the file is. */
  get path(): string {
    return this.#options.path;
  }

  /** What seals the file, and backups of it. */
  get rootKey(): RootKey {
    return this.#options.rootKey;
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

  /** Reads the newest state under the lock: nobody changes it, or the files it names, while `read` runs. */
  async readLocked<T>(read: (state: KeyStoreState, generation: bigint) => T): Promise<T> {
    return await withFileLock(`${this.#options.path}.lock`, this.#clock, () => {
      this.#load();
      return read(this.#state, this.#generation);
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

/** The bytes of a state that a key store file holds. */
export function serialiseState(state: KeyStoreState): Uint8Array {
  return Buffer.from(JSON.stringify(state), 'utf8');
}

/** The content was authenticated before; the check is for files of a later version. */
function parseState(plaintext: Uint8Array, path: string): KeyStoreState {
  const text = Buffer.from(plaintext.buffer, plaintext.byteOffset, plaintext.byteLength);
  const content = text.toString('utf8');
  text.fill(0);
  return parseKeyStoreState(content, path);
}

/**
 * Reads the JSON of a state, of this format or the one before it, which had keys without rotation, policies, tags and
 * grants, and neither aliases nor access keys.
 * @throws ConfigError for a format of a later version.
 */
export function parseKeyStoreState(content: string, path: string): KeyStoreState {
  const state = JSON.parse(content) as KeyStoreState;
  switch (state.format as number) {
    case 1:
      return {
        ...state,
        format: 2,
        keys: Object.fromEntries(
          Object.entries(state.keys).map(([arn, key]) => [arn, { ...NEW_KEY_DEFAULTS, ...key }]),
        ),
        aliases: {},
        access: {},
      };
    case 2:
      return state;
    default:
      throw new ConfigError('CONFIG_KEY_STORE', `the key store ${path} has an unknown format`);
  }
}
