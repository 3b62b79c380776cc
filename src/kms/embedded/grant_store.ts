import { ConfigError } from '../../errors/index.ts';
import type { Clock } from '../../util/index.ts';
import type { KmsKeyEntry } from '../key_entry.ts';
import type { KeyStore, KeyStoreState } from '../key_store.ts';
import { bucketOf, makeGrant, MAX_GRANTS } from './grant.ts';
import type { Grant, GrantTerms } from './grant.ts';
import { GrantFiles } from './grant_files.ts';
import type { OpenedBucket } from './grant_files.ts';
import { notPending } from './key_changes.ts';
import { entryOf, isExpired } from './key_lookup.ts';
import { keyNotFound, KmsFault } from './kms_fault.ts';

/** Times a reader starts again when the grants were changed under its hands. */
const READ_ATTEMPTS = 20;

/** The grants of all keys of a key store. Several processes may use one store: reads see the newest durable state. */
export class GrantStore {
  readonly #store: KeyStore;
  readonly #clock: Clock;
  readonly #files: GrantFiles;
  #swept = false;

  constructor(store: KeyStore, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
    this.#files = new GrantFiles(store.path);
  }

  /** The grants of a key that name a principal as grantee. */
  ofGrantee(keyArn: string, principal: string): readonly Grant[] {
    return this.#buckets(keyArn).flatMap((bucket) => bucket.byGrantee.get(principal) ?? []);
  }

  /** A grant by its id; undefined when the key has none of that id. */
  find(keyArn: string, grantId: string): Grant | undefined {
    const bucket = bucketOf(grantId);
    if (bucket === undefined) return undefined;
    return this.#buckets(keyArn, bucket)[0]?.grants.get(grantId);
  }

  /** All grants of a key, ordered by id. */
  all(keyArn: string): readonly Grant[] {
    return this.#buckets(keyArn)
      .flatMap((bucket) => [...bucket.grants.values()])
      .sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  /**
   * Makes a grant, durable when the promise resolves; gives the one that is there when it has the same name and terms.
   * @throws KmsFault when the key cannot have it or has 50,000 already.
   */
  async create(keyArn: string, terms: GrantTerms): Promise<Grant> {
    const grant = makeGrant(terms, this.#clock.nowMs());
    const id = grant.id.slice(0, 2);
    let result = grant;
    await this.#change(keyArn, (key) => {
      notPending(key);
      const present = this.#inBucket(key, id);
      const same = present.find((other) => other.terms === grant.terms);
      if (same !== undefined) {
        result = same;
        return undefined;
      }
      const count = Object.values(key.grants).reduce((sum, bucket) => sum + bucket.count, 0);
      if (count >= MAX_GRANTS) {
        throw new KmsFault('LimitExceededException', `${keyArn} has ${MAX_GRANTS} grants already`);
      }
      return { id, grants: [...present, grant] };
    });
    return result;
  }

  /** Ends a grant; false when there is none of that id. */
  async remove(keyArn: string, grantId: string): Promise<boolean> {
    const id = bucketOf(grantId);
    if (id === undefined) return false;
    let found = false;
    await this.#change(keyArn, (key) => {
      const present = this.#inBucket(key, id);
      const grants = present.filter((grant) => grant.id !== grantId);
      found = grants.length < present.length;
      return found ? { id, grants } : undefined;
    });
    return found;
  }

  /** Changes one bucket of a key: its file first, then the key store that names it, then the old file goes. */
  async #change(
    keyArn: string,
    change: (
      key: KmsKeyEntry,
    ) => { readonly id: string; readonly grants: readonly Grant[] } | undefined,
  ): Promise<void> {
    const replaced: string[] = [];
    await this.#store.update((state) => {
      if (!this.#swept) this.#files.sweep(state);
      this.#swept = true;
      const key = liveKey(state, keyArn, this.#clock.nowMs());
      const next = change(key);
      if (next === undefined) return state;
      const { [next.id]: old, ...others } = key.grants;
      if (old !== undefined) replaced.push(old.file);
      const grants =
        next.grants.length === 0
          ? others
          : { ...others, [next.id]: this.#files.write(keyArn, next.grants) };
      return { ...state, keys: { ...state.keys, [keyArn]: { ...key, grants } } };
    });
    this.#files.remove(replaced);
  }

  /** What a bucket holds; only while the lock is held, when no file can go away. */
  #inBucket(key: KmsKeyEntry, id: string): readonly Grant[] {
    const bucket = key.grants[id];
    if (bucket === undefined) return [];
    const opened = this.#files.read(key.arn, bucket);
    if (opened === undefined) throw missing(key.arn);
    return [...opened.grants.values()];
  }

  /** The buckets of a key, all of one state; or the one that is named. */
  #buckets(keyArn: string, only?: string): readonly OpenedBucket[] {
    for (let attempt = 0; attempt < READ_ATTEMPTS; attempt += 1) {
      const key = entryOf(this.#store.read().keys, keyArn);
      if (key === undefined) return [];
      const named = only === undefined ? Object.values(key.grants) : [key.grants[only]];
      const opened = named
        .filter((bucket) => bucket !== undefined)
        .map((bucket) => this.#files.read(keyArn, bucket));
      if (opened.every((bucket) => bucket !== undefined)) return opened;
    }
    throw missing(keyArn);
  }
}

function liveKey(state: KeyStoreState, keyArn: string, nowMs: number): KmsKeyEntry {
  const key = entryOf(state.keys, keyArn);
  if (key === undefined || isExpired(key, nowMs)) throw keyNotFound(keyArn);
  return key;
}

function missing(keyArn: string): ConfigError {
  return new ConfigError(
    'CONFIG_KEY_STORE',
    `grants of the key ${keyArn} are missing beside the key store; restore both from one backup (cqlock keys restore)`,
  );
}
