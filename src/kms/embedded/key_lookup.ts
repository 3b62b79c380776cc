import type { KmsKeyEntry } from '../key_entry.ts';
import type { KeyStoreState } from '../key_store.ts';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Start of the ARNs of every embedded KMS. */
export const ARN_PREFIX = 'arn:cqlock:kms:';

/** Start of the ARNs of one store's keys and aliases. */
export function arnPrefix(storeId: string): string {
  return `${ARN_PREFIX}local:${storeId}:`;
}

/** The last part of a key's ARN. */
export function keyUuid(arn: string): string {
  return arn.slice(arn.lastIndexOf('/') + 1);
}

/** Whether a text has the form of a key id (the last part of an ARN). */
export function isKeyUuid(text: string): boolean {
  return UUID.test(text);
}

/** The key of an ARN, without a look at states; an ARN may be any text, also a name that every object has. */
export function entryOf(
  keys: Readonly<Record<string, KmsKeyEntry>>,
  arn: string,
): KmsKeyEntry | undefined {
  return Object.hasOwn(keys, arn) ? keys[arn] : undefined;
}

/** The keys for which a claim holds. */
export function keptKeys(
  keys: Readonly<Record<string, KmsKeyEntry>>,
  isKept: (key: KmsKeyEntry) => boolean,
): Record<string, KmsKeyEntry> {
  return Object.fromEntries(Object.entries(keys).filter(([, key]) => isKept(key)));
}

/** A key past its waiting period counts as gone even before its entry is removed. */
export function isExpired(key: KmsKeyEntry, nowMs: number): boolean {
  return key.deletionAtMs !== null && key.deletionAtMs <= nowMs;
}

/**
 * The state without keys past their waiting period, and without the aliases of keys that are gone: they are destroyed with
 * the next change of any key, and never come back.
 */
export function withoutExpired(state: KeyStoreState, nowMs: number): KeyStoreState {
  if (!Object.values(state.keys).some((key) => isExpired(key, nowMs))) return state;
  const keys = keptKeys(state.keys, (key) => !isExpired(key, nowMs));
  const aliases = Object.fromEntries(
    Object.entries(state.aliases).filter(([, alias]) => Object.hasOwn(keys, alias.targetArn)),
  );
  return { ...state, keys, aliases };
}

/**
 * The key that an identifier of a user stands for: the ARN of a key or an alias of this store, `alias/…`, or the last part
 * of a key's ARN. Neither hides service-owned keys nor looks at states, but does not find what is past its waiting period.
 */
export function findKey(
  state: KeyStoreState,
  identifier: string,
  nowMs: number,
): KmsKeyEntry | undefined {
  const prefix = arnPrefix(state.storeId);
  const local = identifier.startsWith(prefix) ? identifier.slice(prefix.length) : identifier;
  let arn = `${prefix}key/${identifier}`;
  if (local.startsWith('alias/')) {
    if (!Object.hasOwn(state.aliases, local)) return undefined;
    arn = state.aliases[local]?.targetArn ?? '';
  } else if (local !== identifier) {
    arn = identifier;
  }
  const key = entryOf(state.keys, arn);
  return key === undefined || isExpired(key, nowMs) ? undefined : key;
}

const byBlobId = new WeakMap<KeyStoreState, Map<string, KmsKeyEntry>>();

/** The key whose id starts a blob. */
export function findKeyOfBlob(state: KeyStoreState, id: string): KmsKeyEntry | undefined {
  let index = byBlobId.get(state);
  if (index === undefined) {
    index = new Map(Object.values(state.keys).map((key) => [key.id, key]));
    byBlobId.set(state, index);
  }
  return index.get(id);
}
