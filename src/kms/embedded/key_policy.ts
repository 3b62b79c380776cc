import type { EncryptionContext } from '../kms_provider.ts';
import { actionMatches, isActionPattern } from './actions.ts';
import type { KmsAction } from './actions.ts';
import { KmsFault } from './kms_fault.ts';
import { parseConditions } from './policy_conditions.ts';
import type { PolicyCondition } from './policy_conditions.ts';
import { accountPrincipal, isPrincipal } from './principals.ts';

/** Longest policy, characters; as in AWS KMS. */
const MAX_POLICY_LENGTH = 32_768;
const VERSIONS = ['2012-10-17', '2008-10-17'];

/** What a policy says about a call: allowed to the principal itself, left to its access key, denied, or nothing. */
export type PolicyDecision = 'allow' | 'account' | 'deny' | 'silent';

interface Statement {
  readonly effect: 'Allow' | 'Deny';
  /** ARNs; `*`: everybody. */
  readonly principals: readonly string[];
  readonly actions: readonly string[];
  readonly conditions: readonly PolicyCondition[];
}

/** A key policy that was understood completely. */
export interface KeyPolicy {
  readonly statements: readonly Statement[];
}

/** The policy of a key for which none was put: the access keys of the account say who may do what. */
export function defaultPolicy(storeId: string): string {
  const statement = {
    Sid: 'Enable IAM User Permissions',
    Effect: 'Allow',
    Principal: { AWS: accountPrincipal(storeId) },
    Action: 'kms:*',
    Resource: '*',
  };
  return JSON.stringify(
    { Version: '2012-10-17', Id: 'key-default-1', Statement: [statement] },
    null,
    2,
  );
}

/**
 * Reads a policy document. What is not understood is refused, so that a policy never means less or more than it says:
 * Allow and Deny; principals of this store or `*`; actions with `*`; `Resource` `*` or the key itself; conditions of
 * {@link parseConditions}.
 * @throws KmsFault MalformedPolicyDocumentException naming the part.
 */
export function parsePolicy(text: string, storeId: string, keyArn: string): KeyPolicy {
  if (text.length > MAX_POLICY_LENGTH) {
    throw new KmsFault(
      'LimitExceededException',
      `a key policy has at most ${MAX_POLICY_LENGTH} characters`,
    );
  }
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    throw malformed('it is not JSON');
  }
  const members = object(document, 'the policy');
  onlyMembers(members, ['Version', 'Id', 'Statement'], 'the policy');
  const version = members['Version'];
  if (version !== undefined && !VERSIONS.some((known) => known === version)) {
    throw malformed(`Version must be one of ${VERSIONS.join(', ')}`);
  }
  const list = Array.isArray(members['Statement']) ? members['Statement'] : [members['Statement']];
  if (list.length === 0) throw malformed('it has no Statement');
  return {
    statements: list.map((item, index) =>
      parseStatement(object(item, `Statement ${index + 1}`), index + 1, storeId, keyArn),
    ),
  };
}

/** What a policy says about a principal's call; a Deny wins over every Allow. */
export function evaluatePolicy(
  policy: KeyPolicy,
  storeId: string,
  call: {
    readonly principal: string;
    readonly action: KmsAction;
    readonly context: EncryptionContext;
  },
): PolicyDecision {
  const account = accountPrincipal(storeId);
  let decision: PolicyDecision = 'silent';
  for (const statement of policy.statements) {
    if (!statement.actions.some((pattern) => actionMatches(pattern, call.action))) continue;
    if (!statement.conditions.every((condition) => condition(call.context))) continue;
    const isNamed = statement.principals.some((p) => p === '*' || p === call.principal);
    const isAccount = statement.principals.includes(account);
    if (!isNamed && !isAccount) continue;
    if (statement.effect === 'Deny') return 'deny';
    if (isNamed) decision = 'allow';
    else if (decision === 'silent') decision = 'account';
  }
  return decision;
}

function parseStatement(
  members: Readonly<Record<string, unknown>>,
  number: number,
  storeId: string,
  keyArn: string,
): Statement {
  const where = `Statement ${number}`;
  onlyMembers(members, ['Sid', 'Effect', 'Principal', 'Action', 'Resource', 'Condition'], where);
  if (members['Sid'] !== undefined && typeof members['Sid'] !== 'string') {
    throw malformed(`Sid of ${where} must be a text`);
  }
  const effect = members['Effect'];
  if (effect !== 'Allow' && effect !== 'Deny') {
    throw malformed(`Effect of ${where} must be Allow or Deny`);
  }
  const actions = texts(members['Action'], `Action of ${where}`);
  const unknown = actions.find((action) => !isActionPattern(action));
  if (unknown !== undefined) {
    throw malformed(`Action of ${where} names ${unknown}, which the embedded KMS does not have`);
  }
  for (const resource of texts(members['Resource'], `Resource of ${where}`)) {
    if (resource === '*' || resource === keyArn) continue;
    throw malformed(`Resource of ${where} must be * or the ARN of the key itself`);
  }
  return {
    effect,
    principals: parsePrincipals(members['Principal'], where, storeId),
    actions,
    conditions:
      members['Condition'] === undefined
        ? []
        : parseConditions(object(members['Condition'], `Condition of ${where}`), where, malformed),
  };
}

function parsePrincipals(value: unknown, where: string, storeId: string): readonly string[] {
  if (value === '*') return ['*'];
  const members = object(value, `Principal of ${where}`);
  onlyMembers(members, ['AWS'], `Principal of ${where}`);
  return texts(members['AWS'], `Principal of ${where}`).map((principal) => {
    if (principal === '*' || isPrincipal(storeId, principal)) return principal;
    if (principal === storeId) return accountPrincipal(storeId);
    throw malformed(
      `Principal of ${where} names ${principal}; principals of this key store are ${accountPrincipal(storeId)}, users of the same form and the proxy's service principal`,
    );
  });
}

function malformed(what: string): KmsFault {
  return new KmsFault('MalformedPolicyDocumentException', `The key policy is refused: ${what}.`);
}

function object(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as Readonly<Record<string, unknown>>;
  }
  throw malformed(`${what} must be an object`);
}

function texts(value: unknown, what: string): readonly string[] {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (list.length === 0 || !list.every((item) => typeof item === 'string')) {
    throw malformed(`${what} must be a text or a list of texts`);
  }
  return list;
}

function onlyMembers(
  members: Readonly<Record<string, unknown>>,
  known: readonly string[],
  where: string,
): void {
  const other = Object.keys(members).find((name) => !known.includes(name));
  if (other !== undefined) throw malformed(`${other} in ${where} is not understood`);
}
