import { describe, expect, it } from 'vitest';
import {
  defaultPolicy,
  evaluatePolicy,
  parsePolicy,
} from '../../../../src/kms/embedded/key_policy.ts';
import type { KmsAction } from '../../../../src/kms/embedded/actions.ts';

const STORE = '0123456789ab';
const KEY = `arn:cqlock:kms:local:${STORE}:key/00000000-0000-4000-8000-000000000000`;
const ROOT = `arn:cqlock:iam::${STORE}:root`;
const ALICE = `arn:cqlock:iam::${STORE}:user/alice`;

function statement(changes: object): object {
  return { Effect: 'Allow', Principal: { AWS: ALICE }, Action: 'kms:*', Resource: '*', ...changes };
}

function decide(
  statements: readonly object[],
  action: KmsAction = 'Decrypt',
  context: Record<string, string> = {},
  principal = ALICE,
) {
  const text = JSON.stringify({ Version: '2012-10-17', Statement: statements });
  return evaluatePolicy(parsePolicy(text, STORE, KEY), STORE, { principal, action, context });
}

describe('a key policy', () => {
  it('leaves everything to the account by default', () => {
    const policy = parsePolicy(defaultPolicy(STORE), STORE, KEY);
    const call = { principal: ALICE, action: 'Decrypt', context: {} } as const;
    expect(evaluatePolicy(policy, STORE, call)).toBe('account');
  });

  it('allows who and what it names, and is silent about the rest', () => {
    const one = [statement({ Action: ['kms:Decrypt', 'kms:Describe*'] })];
    expect(decide(one)).toBe('allow');
    expect(decide(one, 'DescribeKey')).toBe('allow');
    expect(decide(one, 'Encrypt')).toBe('silent');
    expect(decide(one, 'Decrypt', {}, `${ALICE}x`)).toBe('silent');
    expect(decide([statement({ Principal: '*' })])).toBe('allow');
    expect(decide([statement({ Principal: { AWS: STORE } })])).toBe('account');
    expect(decide([statement({ Resource: KEY })])).toBe('allow');
  });

  it('lets Deny win, wherever it stands', () => {
    const deny = statement({ Effect: 'Deny', Action: 'kms:Decrypt' });
    for (const order of [
      [deny, statement({})],
      [statement({}), deny],
      [statement({}), { ...deny, Principal: { AWS: ROOT } }],
    ]) {
      expect(decide(order)).toBe('deny');
      expect(decide(order, 'Encrypt')).toBe('allow');
    }
  });

  it.each([
    ['StringEquals', 'kms:EncryptionContext:t', '1', { t: '1' }, { t: '2' }],
    ['StringEquals', 'kms:encryptioncontext:t', ['1', '2'], { t: '2' }, {}],
    ['StringNotEquals', 'kms:EncryptionContext:t', '1', {}, { t: '1' }],
    ['StringEqualsIgnoreCase', 'kms:EncryptionContext:t', 'AB', { t: 'ab' }, { t: 'abc' }],
    ['StringLike', 'kms:EncryptionContext:t', 'a*c?', { t: 'abbcd' }, { t: 'abbc' }],
    ['StringLike', 'kms:EncryptionContext:t', 'a.c', { t: 'a.c' }, { t: 'abc' }],
    ['StringNotLike', 'kms:EncryptionContext:t', 'a*', { t: 'b' }, { t: 'ab' }],
    ['Null', 'kms:EncryptionContext:t', 'true', {}, { t: '' }],
    ['Null', 'kms:EncryptionContext:t', 'false', { t: '' }, {}],
    ['ForAllValues:StringEquals', 'kms:EncryptionContextKeys', ['t', 'u'], { t: '1' }, { v: '1' }],
    ['ForAnyValue:StringEquals', 'kms:EncryptionContextKeys', ['t'], { t: '1', v: '' }, { v: '' }],
    ['StringEquals', 'kms:EncryptionContext:toString', '1', { toString: '1' }, {}],
  ])('holds %s of %s', (operator, name, value, fits, fails) => {
    const one = [statement({ Condition: { [operator]: { [name]: value } } })];
    expect(decide(one, 'Decrypt', fits as Record<string, string>)).toBe('allow');
    expect(decide(one, 'Decrypt', fails as Record<string, string>)).toBe('silent');
  });

  it.each([
    ['a principal of elsewhere', { Principal: { AWS: 'arn:aws:iam::111122223333:root' } }],
    ['a service', { Principal: { Service: 'x.amazonaws.com' } }],
    ['no principal', { Principal: undefined }],
    ['NotPrincipal', { NotPrincipal: { AWS: ALICE } }],
    ['NotAction', { NotAction: 'kms:Decrypt' }],
    ['NotResource', { NotResource: '*' }],
    ['an unknown action', { Action: 'kms:Sign' }],
    ['an action of another service', { Action: 's3:*' }],
    ['another resource', { Resource: KEY.replace('0000', '0001') }],
    ['another effect', { Effect: 'allow' }],
    ['another operator', { Condition: { Bool: { 'kms:EncryptionContext:t': 'true' } } }],
    ['another condition key', { Condition: { StringEquals: { 'kms:ViaService': 'x' } } }],
    [
      'an operator that every object has',
      { Condition: { toString: { 'kms:EncryptionContext:t': '1' } } },
    ],
    [
      'a condition without a name',
      { Condition: { StringEquals: { 'kms:EncryptionContext:': '1' } } },
    ],
    ['a number to compare', { Condition: { StringEquals: { 'kms:EncryptionContext:t': 1 } } }],
    ['an unknown member', { Principals: '*' }],
  ])('is refused with %s', (_, changes) => {
    expect(() => decide([statement(changes)])).toThrow(
      expect.objectContaining({ exception: 'MalformedPolicyDocumentException' }),
    );
  });

  it.each(['', '[]', '{}', '{"Statement":[]}', '{"Version":"2020-01-01","Statement":[]}'])(
    'is refused when it is %j',
    (text) => {
      expect(() => parsePolicy(text, STORE, KEY)).toThrow(
        expect.objectContaining({ exception: 'MalformedPolicyDocumentException' }),
      );
    },
  );
});
