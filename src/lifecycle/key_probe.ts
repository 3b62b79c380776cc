import {
  KeyAccessError,
  KeyUnavailableError,
  MetadataIntegrityError,
  toProxyError,
} from '../errors/index.ts';
import type { ProxyError } from '../errors/index.ts';
import type { KmsKeyDescription, KmsProvider, KmsRegistry } from '../kms/index.ts';
import type { TableKeyRecord, TableRecord } from '../schema/index.ts';
import { SingleFlight } from '../util/index.ts';

/** What the KMS says of the keys of a table; `keysToken` says of which keys. */
export type Verdict =
  | { readonly kind: 'usable'; readonly keysToken: string }
  /** Disabled, to be deleted, gone, or without permission. */
  | {
      readonly kind: 'refused';
      readonly keysToken: string;
      readonly provider: string;
      readonly keyArn: string;
      readonly error: KeyAccessError;
    }
  /** No answer, a KMS that is not configured, or a wrap that does not open: no word about access. */
  | {
      readonly kind: 'unavailable' | 'misconfigured' | 'integrity';
      readonly keysToken: string;
      readonly error: ProxyError;
    };

/** Equal for equal wrapped keys. */
export function keysToken(record: TableRecord): string {
  return JSON.stringify(record.keys?.tableKeys ?? []);
}

/** Whether a table's keys are under a customer managed key. */
export function hasCustomerKey(record: TableRecord): boolean {
  const { keys } = record;
  return (
    keys !== null &&
    (!keys.serviceOwned || keys.tableKeys.some(({ keyArn }) => keyArn !== keys.keyArn))
  );
}

/** Asks the KMS about the keys of tables. */
export class KeyProbe {
  readonly #kms: Pick<KmsRegistry, 'named'>;
  readonly #descriptions = new SingleFlight<string, KmsKeyDescription>();

  constructor(kms: Pick<KmsRegistry, 'named'>) {
    this.#kms = kms;
  }

  /**
   * Describes every KMS key of the table, and opens its wrapped table keys as the proof: a key can be enabled and not be
   * ours to use. Tables under one key share the description of one moment.
   */
  async probe(record: TableRecord): Promise<Verdict> {
    const token = keysToken(record);
    let unknown: Verdict | undefined;
    for (const wrapped of record.keys?.tableKeys ?? []) {
      const verdict = await this.#probeKey(wrapped, token);
      if (verdict.kind === 'refused') return verdict;
      if (verdict.kind !== 'usable') unknown ??= verdict;
    }
    return unknown ?? { kind: 'usable', keysToken: token };
  }

  async #probeKey(wrapped: TableKeyRecord, token: string): Promise<Verdict> {
    const { provider: name, keyArn } = wrapped;
    let provider: KmsProvider;
    try {
      provider = this.#kms.named(name);
    } catch (error) {
      // A setting that was forgotten says nothing about the key.
      return { kind: 'misconfigured', keysToken: token, error: toProxyError(error) };
    }
    try {
      await this.#open(provider, wrapped);
      const { state } = await this.#describe(provider, keyArn);
      if (state !== 'enabled') throw notEnabled(keyArn, state);
      return { kind: 'usable', keysToken: token };
    } catch (error) {
      if (error instanceof KeyAccessError) {
        return { kind: 'refused', keysToken: token, provider: name, keyArn, error };
      }
      const kind = error instanceof MetadataIntegrityError ? 'integrity' : 'unavailable';
      return { kind, keysToken: token, error: toProxyError(error) };
    }
  }

  async #open(provider: KmsProvider, wrapped: TableKeyRecord): Promise<void> {
    const blob = Buffer.from(wrapped.blob, 'hex');
    const plaintext = await provider.decrypt(wrapped.keyArn, blob, wrapped.context);
    plaintext.fill(0);
  }

  /** A key that can be used need not be one that may be described. */
  async #describe(
    provider: KmsProvider,
    keyArn: string,
  ): Promise<Pick<KmsKeyDescription, 'state'>> {
    try {
      return await this.#descriptions.run(JSON.stringify([provider.name, keyArn]), () =>
        provider.describeKey(keyArn),
      );
    } catch (error) {
      const isSilent = error instanceof KeyUnavailableError;
      if (isSilent || toProxyError(error).code === 'KEY_ACCESS_DENIED') return { state: 'enabled' };
      throw error;
    }
  }
}

function notEnabled(keyArn: string, state: KmsKeyDescription['state']): KeyAccessError {
  return state === 'disabled'
    ? new KeyAccessError('KEY_DISABLED', `the KMS key ${keyArn} is disabled`)
    : new KeyAccessError('KEY_PENDING_DELETION', `the KMS key ${keyArn} is scheduled for deletion`);
}
