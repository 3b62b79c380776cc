import type { KmsKeyEntry } from '../key_entry.ts';
import type { EncryptionContext } from '../kms_provider.ts';
import { actionMatches } from './actions.ts';
import type { KmsAction } from './actions.ts';
import { grantAllows } from './grant.ts';
import type { GrantStore } from './grant_store.ts';
import { defaultPolicy, evaluatePolicy, parsePolicy } from './key_policy.ts';
import type { KeyPolicy } from './key_policy.ts';
import { KmsFault } from './kms_fault.ts';
import type { KmsPrincipal } from './principals.ts';

const parsed = new WeakMap<KmsKeyEntry, KeyPolicy>();

/** What a caller wants to do with a key. */
export interface KeyUse {
  readonly caller: KmsPrincipal;
  readonly action: KmsAction;
  readonly key: KmsKeyEntry;
  readonly context: EncryptionContext;
}

/**
 * Whether a call is allowed on a key: by the key policy for the principal itself, by the key policy for the account together
 * with what the access key may do, or by a grant. A Deny of the policy wins over all.
 */
export function isAllowed(
  use: KeyUse,
  storeId: string,
  grants: Pick<GrantStore, 'ofGrantee'>,
): boolean {
  const { caller, action, key, context } = use;
  if (caller.isOperator) return true;
  const policy = policyOf(key, storeId);
  switch (evaluatePolicy(policy, storeId, { principal: caller.principal, action, context })) {
    case 'deny':
      return false;
    case 'allow':
      return true;
    case 'account':
      if (caller.actions.some((pattern) => actionMatches(pattern, action))) return true;
      break;
    case 'silent':
  }
  return grants
    .ofGrantee(key.arn, caller.principal)
    .some((grant) => grantAllows(grant, action, context));
}

/** @throws KmsFault AccessDeniedException unless the call is allowed on the key. */
export function authorise(
  use: KeyUse,
  storeId: string,
  grants: Pick<GrantStore, 'ofGrantee'>,
): void {
  if (!isAllowed(use, storeId, grants)) throw denied(use.caller, use.action, use.key.arn);
}

/** @throws KmsFault AccessDeniedException unless the access key allows a call that is about no key. */
export function authoriseAccount(caller: KmsPrincipal, action: KmsAction): void {
  if (caller.isOperator || caller.actions.some((pattern) => actionMatches(pattern, action))) return;
  throw denied(caller, action, '*');
}

/** The key policy in force, as text. */
export function policyText(key: KmsKeyEntry, storeId: string): string {
  return key.policy ?? defaultPolicy(storeId);
}

/** A refusal in the words of AWS. */
export function denied(caller: KmsPrincipal, action: KmsAction, resource: string): KmsFault {
  return new KmsFault(
    'AccessDeniedException',
    `User: ${caller.principal} is not authorized to perform: kms:${action} on resource: ${resource} because neither its key policy, the access key nor a grant allows it`,
  );
}

function policyOf(key: KmsKeyEntry, storeId: string): KeyPolicy {
  let policy = parsed.get(key);
  if (policy === undefined) {
    policy = parsePolicy(policyText(key, storeId), storeId, key.arn);
    parsed.set(key, policy);
  }
  return policy;
}
