import { z } from 'zod';
import { actionMatches } from '../actions.ts';
import { policyText } from '../authorise.ts';
import { notPending } from '../key_changes.ts';
import { evaluatePolicy, parsePolicy } from '../key_policy.ts';
import { KmsFault } from '../kms_fault.ts';
import type { KmsPrincipal } from '../principals.ts';
import { operation } from './kms_call.ts';
import type { KmsOperation } from './kms_call.ts';
import { keyId, marker, text, whole } from './parse_request.ts';

const policyName = text(1, 128).default('default');

/** Key policies; a key has one, named `default`. */
export const policyOperations = {
  GetKeyPolicy: operation(
    z.strictObject({ KeyId: keyId, PolicyName: policyName }),
    (call, { KeyId: identifier, PolicyName: name }) => {
      const key = call.key({ identifier, action: 'GetKeyPolicy' });
      onlyDefault(name);
      return { Policy: policyText(key, call.state().storeId), PolicyName: 'default' };
    },
  ),

  PutKeyPolicy: operation(
    z.strictObject({
      KeyId: keyId,
      PolicyName: policyName,
      Policy: text(1, 131_072),
      BypassPolicyLockoutSafetyCheck: z.boolean().default(false),
    }),
    async (call, request) => {
      const { arn } = call.key({ identifier: request.KeyId, action: 'PutKeyPolicy' });
      onlyDefault(request.PolicyName);
      const policy = checkedPolicy(request.Policy, arn, call.state().storeId, {
        caller: call.caller,
        mayLockOut: request.BypassPolicyLockoutSafetyCheck,
      });
      await call.keys.change(arn, (key) => {
        notPending(key);
        return { ...key, policy };
      });
      return {};
    },
  ),

  ListKeyPolicies: operation(
    z.strictObject({ KeyId: keyId, Limit: whole(1, 1000).optional(), Marker: marker }),
    (call, { KeyId: identifier }) => {
      call.key({ identifier, action: 'ListKeyPolicies' });
      return { PolicyNames: ['default'], Truncated: false };
    },
  ),
} as const satisfies Record<string, KmsOperation>;

/**
 * A policy that is understood, and that its author can change again.
 * @throws KmsFault MalformedPolicyDocumentException
 */
export function checkedPolicy(
  policy: string,
  keyArn: string,
  storeId: string,
  author: { readonly caller: KmsPrincipal; readonly mayLockOut: boolean },
): string {
  const parsed = parsePolicy(policy, storeId, keyArn);
  if (author.mayLockOut) return policy;
  const { principal, actions } = author.caller;
  const call = { principal, action: 'PutKeyPolicy', context: {} } as const;
  const decision = evaluatePolicy(parsed, storeId, call);
  const isKept =
    decision === 'allow' ||
    (decision === 'account' && actions.some((pattern) => actionMatches(pattern, call.action)));
  if (isKept) return policy;
  throw new KmsFault(
    'MalformedPolicyDocumentException',
    'The new key policy will not allow you to update the key policy in the future.',
  );
}

function onlyDefault(name: string): void {
  if (name === 'default') return;
  throw new KmsFault('NotFoundException', `No such policy exists: ${name}`);
}
