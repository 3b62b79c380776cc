import { randomBytes, randomInt } from 'node:crypto';
import type { Clock } from '../../util/index.ts';
import type { AccessEntry } from '../key_entry.ts';
import type { KeyStore } from '../key_store.ts';
import { isActionPattern } from './actions.ts';
import { KmsFault } from './kms_fault.ts';
import { isUserName, userPrincipal } from './principals.ts';
import type { KmsPrincipal } from './principals.ts';

const MAX_ACCESS_KEYS = 1000;
const ID_SIGNS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
const ID_PREFIX = 'CQLK';
const ID_LENGTH = 20;
const SECRET_BYTES = 30;

/** An access key as it may be shown: without its secret. */
export interface AccessKey {
  readonly accessKeyId: string;
  readonly user: string;
  readonly principal: string;
  readonly actions: readonly string[];
  readonly createdAtMs: number;
}

/** Access keys of the listener: who may call it, and what they may do. The secrets lie in the sealed key store. */
export class AccessKeys {
  readonly #store: KeyStore;
  readonly #clock: Clock;

  constructor(store: KeyStore, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /**
   * Makes an access key for a user; a user may have several.
   * @param actions what the user may do where a key policy leaves it to the account, e.g. `kms:*`
   * @returns with its secret, which is not shown again
   */
  async create(
    user: string,
    actions: readonly string[],
  ): Promise<AccessKey & { readonly secret: string }> {
    if (!isUserName(user)) {
      throw new KmsFault(
        'ValidationException',
        'the name of a user has 1 to 64 letters, digits and _+=,.@-',
      );
    }
    const wrong = actions.find((pattern) => !isActionPattern(pattern));
    if (wrong !== undefined || actions.length === 0) {
      throw new KmsFault(
        'ValidationException',
        `${wrong ?? 'nothing'} is no action of the KMS; give e.g. kms:* or kms:Decrypt`,
      );
    }
    const accessKeyId = newId();
    const secret = randomBytes(SECRET_BYTES).toString('base64');
    const entry = { user, secret, actions, createdAtMs: this.#clock.nowMs() };
    const { storeId } = await this.#store.update((state) => {
      if (Object.keys(state.access).length >= MAX_ACCESS_KEYS) {
        throw new KmsFault(
          'LimitExceededException',
          `a key store has at most ${MAX_ACCESS_KEYS} access keys`,
        );
      }
      return { ...state, access: { ...state.access, [accessKeyId]: entry } };
    });
    return { ...shown(storeId, accessKeyId, entry), secret };
  }

  /** All access keys, by user. */
  list(): readonly AccessKey[] {
    const { storeId, access } = this.#store.read();
    return Object.entries(access)
      .map(([id, entry]) => shown(storeId, id, entry))
      .sort((a, b) => (a.user + a.accessKeyId < b.user + b.accessKeyId ? -1 : 1));
  }

  /**
   * Ends an access key at once.
   * @throws KmsFault when there is none of that id.
   */
  async remove(accessKeyId: string): Promise<void> {
    await this.#store.update((state) => {
      if (!Object.hasOwn(state.access, accessKeyId)) {
        throw new KmsFault('NotFoundException', `there is no access key ${accessKeyId}`);
      }
      const { [accessKeyId]: _gone, ...access } = state.access;
      return { ...state, access };
    });
  }

  /** Secret and caller of an access key; undefined when there is none of that id. */
  find(
    accessKeyId: string,
  ): { readonly secret: string; readonly caller: KmsPrincipal } | undefined {
    const { storeId, access } = this.#store.read();
    const entry = Object.hasOwn(access, accessKeyId) ? access[accessKeyId] : undefined;
    if (entry === undefined) return undefined;
    const principal = userPrincipal(storeId, entry.user);
    return {
      secret: entry.secret,
      caller: { principal, actions: entry.actions, isOperator: false },
    };
  }
}

function shown(storeId: string, accessKeyId: string, entry: AccessEntry): AccessKey {
  const { user, actions, createdAtMs } = entry;
  return { accessKeyId, user, principal: userPrincipal(storeId, user), actions, createdAtMs };
}

function newId(): string {
  let id = ID_PREFIX;
  while (id.length < ID_LENGTH) id += ID_SIGNS.charAt(randomInt(ID_SIGNS.length));
  return id;
}
