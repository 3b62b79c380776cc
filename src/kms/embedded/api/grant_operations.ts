import { z } from 'zod';
import type { KmsKeyEntry } from '../../key_entry.ts';
import { denied, isAllowed } from '../authorise.ts';
import { GRANT_OPERATIONS, grantToken, isNarrower, readGrantToken } from '../grant.ts';
import type { Grant, GrantConstraints, GrantTerms } from '../grant.ts';
import { notPending, usable } from '../key_changes.ts';
import { keyNotFound, KmsFault } from '../kms_fault.ts';
import { isPrincipal } from '../principals.ts';
import { seconds } from './key_operations.ts';
import { operation } from './kms_call.ts';
import type { KmsAnswer, KmsCall, KmsOperation } from './kms_call.ts';
import { pageOf } from './paging.ts';
import {
  dryRun,
  encryptionContext,
  grantTokens,
  keyId,
  marker,
  text,
  whole,
  word,
} from './parse_request.ts';

const principal = text(1, 256);
const grantId = text(1, 128);
const limit = whole(1, 100).optional();

/** Grants: permissions for one principal, made and ended by themselves. */
export const grantOperations = {
  CreateGrant: operation(
    z.strictObject({
      KeyId: keyId,
      GranteePrincipal: principal,
      RetiringPrincipal: principal.optional(),
      Operations: z.array(word(GRANT_OPERATIONS)).min(1, 'Member must not be empty'),
      Constraints: z
        .strictObject({
          EncryptionContextSubset: encryptionContext.optional(),
          EncryptionContextEquals: encryptionContext.optional(),
        })
        .optional(),
      GrantTokens: grantTokens,
      Name: text(1, 256)
        .regex(/^[a-zA-Z0-9:/_-]+$/, 'Member must satisfy pattern: ^[a-zA-Z0-9:/_-]+$')
        .optional(),
      DryRun: dryRun,
    }),
    async (call, request) => {
      const key = call.visible(request.KeyId);
      const { EncryptionContextSubset: subset, EncryptionContextEquals: equals } =
        request.Constraints ?? {};
      const constraints: GrantConstraints = {
        ...(subset === undefined ? {} : { subset }),
        ...(equals === undefined ? {} : { equals }),
      };
      const terms: GrantTerms = {
        name: request.Name ?? null,
        grantee: checkedPrincipal(call, request.GranteePrincipal),
        retiring:
          request.RetiringPrincipal === undefined
            ? null
            : checkedPrincipal(call, request.RetiringPrincipal),
        operations: [...new Set(request.Operations)],
        constraints,
      };
      call.note(key.arn, equals ?? subset);
      allowCreate(call, key, terms);
      call.checkTokens(request.GrantTokens);
      usable(key);
      notDry(request.DryRun);
      const grant = await call.keys.grants.create(key.arn, terms);
      return { GrantId: grant.id, GrantToken: grantToken(key.arn, grant.id) };
    },
  ),

  ListGrants: operation(
    z.strictObject({
      KeyId: keyId,
      GrantId: grantId.optional(),
      GranteePrincipal: principal.optional(),
      Limit: limit,
      Marker: marker,
    }),
    (call, request) => {
      const key = call.key({ identifier: request.KeyId, action: 'ListGrants' });
      const all = call.keys.grants.all(key.arn);
      const { GrantId: id, GranteePrincipal: grantee } = request;
      if (id !== undefined && !all.some((grant) => grant.id === id)) throw noGrant(id);
      const grants = all.filter(
        (grant) =>
          (id === undefined || grant.id === id) &&
          (grantee === undefined || grant.grantee === grantee),
      );
      const page = pageOf(grants, (grant) => grant.id, request, 50);
      return {
        Grants: page.items.map((grant) => shown(call, key.arn, grant)),
        ...page.next,
      };
    },
  ),

  ListRetirableGrants: operation(
    z.strictObject({ RetiringPrincipal: principal, Limit: limit, Marker: marker }),
    (call, request) => {
      call.allowAccount('ListRetirableGrants');
      const grants = Object.values(call.state().keys)
        .filter((key) => !key.serviceOwned && call.keys.find(key.arn) !== undefined)
        .flatMap((key) =>
          call.keys.grants
            .all(key.arn)
            .filter((grant) => grant.retiring === request.RetiringPrincipal)
            .map((grant) => ({ keyArn: key.arn, grant })),
        );
      const page = pageOf(grants, ({ keyArn, grant }) => keyArn + grant.id, request, 50);
      return {
        Grants: page.items.map(({ keyArn, grant }) => shown(call, keyArn, grant)),
        ...page.next,
      };
    },
  ),

  RetireGrant: operation(
    z.strictObject({
      GrantToken: text(1, 8192).optional(),
      KeyId: keyId.optional(),
      GrantId: grantId.optional(),
      DryRun: dryRun,
    }),
    async (call, request) => {
      const { key, id } = namedGrant(call, request);
      call.note(key.arn);
      const grant = call.keys.grants.find(key.arn, id);
      if (grant === undefined) throw noGrant(id);
      if (!mayRetire(call, grant)) throw denied(call.caller, 'RetireGrant', key.arn);
      notPending(key);
      notDry(request.DryRun);
      await call.keys.grants.remove(key.arn, id);
      return {};
    },
  ),

  RevokeGrant: operation(
    z.strictObject({ KeyId: keyId, GrantId: grantId, DryRun: dryRun }),
    async (call, { KeyId: identifier, GrantId: id, DryRun: isDry }) => {
      const key = call.key({ identifier, action: 'RevokeGrant' });
      if (call.keys.grants.find(key.arn, id) === undefined) throw noGrant(id);
      notPending(key);
      notDry(isDry);
      await call.keys.grants.remove(key.arn, id);
      return {};
    },
  ),
} as const satisfies Record<string, KmsOperation>;

/** The right to make a grant comes from policy and access key; or from a grant, for a grant that is no wider. */
function allowCreate(call: KmsCall, key: KmsKeyEntry, terms: GrantTerms): void {
  const { grants } = call.keys;
  const { caller } = call;
  const use = { caller, action: 'CreateGrant', key, context: {} } as const;
  const { storeId } = call.state();
  if (!isAllowed(use, storeId, grants)) throw denied(caller, 'CreateGrant', key.arn);
  if (isAllowed(use, storeId, { ofGrantee: () => [] })) return;
  const parents = grants
    .ofGrantee(key.arn, caller.principal)
    .filter((parent) => parent.operations.includes('CreateGrant'));
  if (!parents.some((parent) => isNarrower(terms, parent))) {
    throw denied(caller, 'CreateGrant', key.arn);
  }
}

function mayRetire(call: KmsCall, grant: Grant): boolean {
  const { principal: who, isOperator } = call.caller;
  if (isOperator || grant.retiring === who) return true;
  return grant.grantee === who && grant.operations.includes('RetireGrant');
}

/** The grant of a RetireGrant request: by token, or by key and id. */
function namedGrant(
  call: KmsCall,
  request: {
    readonly GrantToken?: string | undefined;
    readonly KeyId?: string | undefined;
    readonly GrantId?: string | undefined;
  },
): { readonly key: KmsKeyEntry; readonly id: string } {
  const { GrantToken: token, KeyId: identifier, GrantId: id } = request;
  if (token !== undefined) {
    if (identifier !== undefined || id !== undefined) {
      throw new KmsFault(
        'ValidationException',
        'Give either a grant token, or a key ID and a grant ID.',
      );
    }
    const named = readGrantToken(token);
    const key = named === undefined ? undefined : call.keys.find(named.keyUuid);
    if (named === undefined || key === undefined || key.serviceOwned) {
      throw new KmsFault('InvalidGrantTokenException', 'The grant token is not valid.');
    }
    return { key, id: named.grantId };
  }
  if (identifier === undefined || id === undefined) {
    throw new KmsFault(
      'ValidationException',
      'Must specify either grant token OR a pair of key ID and grant ID.',
    );
  }
  // AWS takes the ARN of the key only, not its bare id.
  if (!identifier.startsWith('arn:')) throw keyNotFound(identifier);
  return { key: call.visible(identifier), id };
}

function checkedPrincipal(call: KmsCall, arn: string): string {
  if (isPrincipal(call.state().storeId, arn)) return arn;
  throw new KmsFault(
    'InvalidArnException',
    `${arn} is not a principal of this key store; users are arn:cqlock:iam::${call.state().storeId}:user/NAME`,
  );
}

function shown(call: KmsCall, keyArn: string, grant: Grant): KmsAnswer {
  const { equals, subset } = grant.constraints;
  return {
    KeyId: keyArn,
    GrantId: grant.id,
    ...(grant.name === null ? {} : { Name: grant.name }),
    CreationDate: seconds(grant.createdAtMs),
    GranteePrincipal: grant.grantee,
    ...(grant.retiring === null ? {} : { RetiringPrincipal: grant.retiring }),
    IssuingAccount: `arn:cqlock:iam::${call.state().storeId}:root`,
    Operations: grant.operations,
    ...(equals === undefined && subset === undefined
      ? {}
      : {
          Constraints: {
            ...(equals === undefined ? {} : { EncryptionContextEquals: equals }),
            ...(subset === undefined ? {} : { EncryptionContextSubset: subset }),
          },
        }),
  };
}

function noGrant(id: string): KmsFault {
  return new KmsFault('NotFoundException', `Grant ID ${id} not found`);
}

function notDry(isDry: boolean | undefined): void {
  if (isDry !== true) return;
  throw new KmsFault(
    'DryRunOperationException',
    'The request would have succeeded, but the DryRun option is set.',
  );
}
