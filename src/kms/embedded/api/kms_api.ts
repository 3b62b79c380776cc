import { ProxyError } from '../../../errors/index.ts';
import { systemClock } from '../../../util/index.ts';
import type { Clock } from '../../../util/index.ts';
import { noAudit } from '../../kms_audit.ts';
import type { KmsAuditSink } from '../../kms_audit.ts';
import type { KeyStore } from '../../key_store.ts';
import { EmbeddedKeys } from '../embedded_keys.ts';
import { KmsFault } from '../kms_fault.ts';
import type { KmsPrincipal } from '../principals.ts';
import { aliasOperations } from './alias_operations.ts';
import { cryptoOperations } from './crypto_operations.ts';
import { grantOperations } from './grant_operations.ts';
import { keyOperations } from './key_operations.ts';
import { KmsCall } from './kms_call.ts';
import type { KmsAnswer, KmsOperation } from './kms_call.ts';
import { policyOperations } from './policy_operations.ts';
import { rotationOperations } from './rotation_operations.ts';
import { tagOperations } from './tag_operations.ts';

const OPERATIONS: Readonly<Record<string, KmsOperation>> = {
  ...keyOperations,
  ...aliasOperations,
  ...cryptoOperations,
  ...grantOperations,
  ...policyOperations,
  ...rotationOperations,
  ...tagOperations,
};

/** Settings of the API. */
export interface KmsApiOptions {
  readonly store: KeyStore;
  readonly clock?: Clock;
  /** Takes one event for every call; none by default. */
  readonly audit?: KmsAuditSink;
}

/** The operations of the AWS KMS API on the customer managed keys of a key store. Service-owned keys do not exist in it. */
export class KmsApi {
  readonly #keys: EmbeddedKeys;
  readonly #audit: KmsAuditSink;

  constructor(options: KmsApiOptions) {
    this.#keys = new EmbeddedKeys(options.store, options.clock ?? systemClock);
    this.#audit = options.audit ?? noAudit;
  }

  /**
   * Runs one operation and records it.
   * @param request members as the JSON of AWS has them
   * @throws KmsFault when it is refused; other errors when the key store fails.
   */
  async call(
    operation: string,
    request: unknown,
    by: { readonly caller: KmsPrincipal; readonly requestId: string },
  ): Promise<KmsAnswer> {
    this.#audit.ready();
    const call = new KmsCall(this.#keys, by.caller);
    const { clock } = this.#keys;
    const startedMs = clock.monotonicMs();
    const record = async (result: string): Promise<void> => {
      const { keyArn, targetKeyArn, context } = call.noted;
      await this.#audit.record({
        operation,
        keyArn,
        targetKeyArn,
        context,
        principal: by.caller.principal,
        result,
        requestId: by.requestId,
        durationMs: clock.monotonicMs() - startedMs,
      });
    };
    let answer: KmsAnswer;
    try {
      const known = Object.hasOwn(OPERATIONS, operation) ? OPERATIONS[operation] : undefined;
      if (known === undefined) throw unknownOperation(operation);
      answer = await known.run(call, request);
    } catch (error) {
      await record(resultOf(error));
      throw error;
    }
    await record('ok');
    return answer;
  }
}

/** How the audit trail names an error. */
export function resultOf(error: unknown): string {
  if (error instanceof KmsFault) return error.exception;
  return error instanceof ProxyError ? error.code : 'INTERNAL';
}

function unknownOperation(operation: string): KmsFault {
  return new KmsFault(
    'UnknownOperationException',
    `The embedded KMS has no operation ${operation.slice(0, 64)}`,
  );
}
