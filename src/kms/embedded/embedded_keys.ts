import { randomBytes, randomUUID } from 'node:crypto';
import type { Clock } from '../../util/index.ts';
import { NEW_KEY_DEFAULTS } from '../key_entry.ts';
import type { KmsKeyEntry } from '../key_entry.ts';
import type { KeyStore, KeyStoreState } from '../key_store.ts';
import { GrantStore } from './grant_store.ts';
import { isRotationDue, rotatedWhenDue } from './key_changes.ts';
import { arnPrefix, entryOf, findKey, isExpired, keptKeys, withoutExpired } from './key_lookup.ts';
import { keyNotFound } from './kms_fault.ts';

const ID_BYTES = 16;

/** The keys in a key store, and every change of them. Knows nothing of callers and permissions. */
export class EmbeddedKeys {
  readonly store: KeyStore;
  readonly clock: Clock;
  readonly grants: GrantStore;

  constructor(store: KeyStore, clock: Clock) {
    this.store = store;
    this.clock = clock;
    this.grants = new GrantStore(store, clock);
  }

  /** The newest state. */
  state(): KeyStoreState {
    return this.store.read();
  }

  /** The key that a user's identifier stands for (see findKey). */
  find(identifier: string): KmsKeyEntry | undefined {
    return findKey(this.store.read(), identifier, this.clock.nowMs());
  }

  /** Makes a key, durable when the promise resolves. */
  async create(
    about: Pick<KmsKeyEntry, 'serviceOwned' | 'purpose' | 'description' | 'owner'> &
      Partial<Pick<KmsKeyEntry, 'tags'>>,
    policyFor: (storeId: string, arn: string) => string | null = () => null,
  ): Promise<KmsKeyEntry> {
    const id = randomBytes(ID_BYTES).toString('hex');
    const material = randomBytes(32);
    const uuid = randomUUID();
    let arn = '';
    const after = await this.store.update((before) => {
      const state = withoutExpired(before, this.clock.nowMs());
      arn = `${arnPrefix(state.storeId)}key/${uuid}`;
      const entry: KmsKeyEntry = {
        ...NEW_KEY_DEFAULTS,
        arn,
        id,
        state: 'enabled',
        ...about,
        policy: policyFor(state.storeId, arn),
        createdAtMs: this.clock.nowMs(),
        deletionAtMs: null,
        material: material.toString('base64'),
      };
      return { ...state, keys: { ...state.keys, [arn]: entry } };
    });
    material.fill(0);
    const made = entryOf(after.keys, arn);
    if (made === undefined) throw keyNotFound(arn);
    return made;
  }

  /**
   * Changes a key. `change` gets it as it is under the lock.
   * @throws KmsFault NotFoundException when it is gone.
   */
  async change(arn: string, change: (key: KmsKeyEntry) => KmsKeyEntry): Promise<KmsKeyEntry> {
    const after = await this.changeState((state) => {
      const key = entryOf(state.keys, arn);
      if (key === undefined) throw keyNotFound(arn);
      const next = change(key);
      return next === key ? state : { ...state, keys: { ...state.keys, [arn]: next } };
    });
    return entryOf(after.keys, arn) as KmsKeyEntry;
  }

  /** Changes the whole state; keys past their waiting period are gone from it. */
  async changeState(change: (state: KeyStoreState) => KeyStoreState): Promise<KeyStoreState> {
    return await this.store.update((state) => change(withoutExpired(state, this.clock.nowMs())));
  }

  /** Removes the keys for which a claim holds, at once. */
  async remove(isGone: (key: KmsKeyEntry) => boolean): Promise<void> {
    await this.store.update((state) =>
      Object.values(state.keys).some(isGone)
        ? { ...state, keys: keptKeys(state.keys, (key) => !isGone(key)) }
        : state,
    );
  }

  /** The key with new material where its automatic rotation is due. */
  async rotateWhenDue(key: KmsKeyEntry): Promise<KmsKeyEntry> {
    const nowMs = this.clock.nowMs();
    if (!isRotationDue(key, nowMs) || isExpired(key, nowMs)) return key;
    return await this.change(key.arn, (current) => rotatedWhenDue(current, nowMs));
  }
}
