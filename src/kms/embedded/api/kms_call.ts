import type { z } from 'zod';
import type { KmsKeyEntry } from '../../key_entry.ts';
import type { KeyStoreState } from '../../key_store.ts';
import type { EncryptionContext } from '../../kms_provider.ts';
import type { KmsAction } from '../actions.ts';
import { authorise, authoriseAccount } from '../authorise.ts';
import type { EmbeddedKeys } from '../embedded_keys.ts';
import { readGrantToken } from '../grant.ts';
import { arnPrefix, isKeyUuid } from '../key_lookup.ts';
import { keyNotFound, KmsFault } from '../kms_fault.ts';
import type { KmsPrincipal } from '../principals.ts';
import { parseRequest } from './parse_request.ts';

/** What an operation answers: members of a JSON object. */
export type KmsAnswer = Readonly<Record<string, unknown>>;

/** One operation of the AWS KMS API. */
export interface KmsOperation {
  /** @throws KmsFault when the request or the call is refused. */
  run(call: KmsCall, request: unknown): Promise<KmsAnswer>;
}

/** Declares an operation; the request is checked whole before it runs. */
export function operation<T>(
  schema: z.ZodType<T>,
  run: (call: KmsCall, request: T) => Promise<KmsAnswer> | KmsAnswer,
): KmsOperation {
  return { run: async (call, request) => await run(call, parseRequest(schema, request)) };
}

/** Which key a call is about, and what it does with it. */
export interface KeyRequest {
  readonly identifier: string;
  readonly action: KmsAction;
  /** Whether the operation takes aliases. */
  readonly mayBeAlias?: boolean;
  readonly context?: EncryptionContext | undefined;
  readonly grantTokens?: readonly string[] | undefined;
}

/** One call: who makes it, on which keys, and what the audit trail will say of it. */
export class KmsCall {
  readonly keys: EmbeddedKeys;
  readonly caller: KmsPrincipal;
  #noted: { keyArn?: string; targetKeyArn?: string; context?: EncryptionContext } = {};

  constructor(keys: EmbeddedKeys, caller: KmsPrincipal) {
    this.keys = keys;
    this.caller = caller;
  }

  /** What the call was about, as far as it came. */
  get noted(): {
    readonly keyArn?: string;
    readonly targetKeyArn?: string;
    readonly context?: EncryptionContext;
  } {
    return this.#noted;
  }

  /** The newest state of the key store. */
  state(): KeyStoreState {
    return this.keys.state();
  }

  /** Time of the KMS. */
  nowMs(): number {
    return this.keys.clock.nowMs();
  }

  /**
   * The key of a request. Service-owned keys do not exist here.
   * @throws KmsFault when it is not there or the caller may not do this with it.
   */
  key(request: KeyRequest): KmsKeyEntry {
    const { context } = request;
    if (context !== undefined) this.#noted = { ...this.#noted, context };
    const key = this.visible(request.identifier, request.mayBeAlias);
    this.allow(key, request.action, context ?? {});
    this.checkTokens(request.grantTokens);
    return key;
  }

  /** The key of an identifier, whatever the caller may do with it. Service-owned keys do not exist here. */
  visible(identifier: string, mayBeAlias = false): KmsKeyEntry {
    const key = this.keys.find(identifier);
    const isAlias = /(^|:)alias\//.test(identifier);
    if (key === undefined || key.serviceOwned || (isAlias && !mayBeAlias)) {
      throw absent(identifier, this.state().storeId, isAlias);
    }
    return key;
  }

  /** Notes a key for the audit trail and checks that the caller may do this with it. */
  allow(key: KmsKeyEntry, action: KmsAction, context: EncryptionContext): void {
    this.#noted = { ...this.#noted, keyArn: key.arn };
    const use = { caller: this.caller, action, key, context };
    authorise(use, this.state().storeId, this.keys.grants);
  }

  /** Notes a key for the audit trail. */
  note(keyArn: string, context?: EncryptionContext): void {
    this.#noted = { ...this.#noted, keyArn, ...(context === undefined ? {} : { context }) };
  }

  /** Notes that the key so far is the one that ReEncrypt encrypts under; the next one is its source. */
  noteTarget(): void {
    const { keyArn, ...rest } = this.#noted;
    this.#noted = { ...rest, ...(keyArn === undefined ? {} : { targetKeyArn: keyArn }) };
  }

  /** Checks a call that is about no key. */
  allowAccount(action: KmsAction): void {
    authoriseAccount(this.caller, action);
  }

  /**
   * Grants count from the moment they are made, so tokens give no more right; but they must be real.
   * @throws KmsFault InvalidGrantTokenException
   */
  checkTokens(tokens: readonly string[] = []): void {
    for (const token of tokens) {
      const named = readGrantToken(token);
      const key = named && this.keys.find(named.keyUuid);
      if (key === undefined || !this.keys.grants.find(key.arn, named?.grantId ?? '')) {
        throw new KmsFault('InvalidGrantTokenException', 'The grant token is not valid.');
      }
    }
  }
}

/** Why an identifier finds no key, in the words of AWS. */
function absent(identifier: string, storeId: string, isAlias: boolean): KmsFault {
  const prefix = arnPrefix(storeId);
  if (isAlias) {
    const arn = identifier.startsWith('arn:') ? identifier : prefix + identifier;
    return new KmsFault('NotFoundException', `Alias ${arn} is not found.`);
  }
  if (identifier.startsWith('arn:')) {
    return /^arn:[\w-]+:kms:[\w-]*:\w*:key\/[\w-]+$/.test(identifier)
      ? keyNotFound(identifier)
      : new KmsFault('InvalidArnException', `Invalid arn ${identifier}`);
  }
  if (!isKeyUuid(identifier)) {
    return new KmsFault('NotFoundException', `Invalid keyId '${identifier}'`);
  }
  return keyNotFound(`${prefix}key/${identifier}`);
}
