import { createHash, randomBytes } from 'node:crypto';
import type { EncryptionContext } from '../kms_provider.ts';
import { isKeyUuid, keyUuid } from './key_lookup.ts';

/** What a grant can allow on a symmetric key. */
export const GRANT_OPERATIONS = [
  'Decrypt',
  'Encrypt',
  'GenerateDataKey',
  'GenerateDataKeyWithoutPlaintext',
  'ReEncryptFrom',
  'ReEncryptTo',
  'CreateGrant',
  'RetireGrant',
  'DescribeKey',
] as const;

/** One of {@link GRANT_OPERATIONS}. */
export type GrantOperation = (typeof GRANT_OPERATIONS)[number];

/** Conditions of a grant on the encryption context; they count for operations that take one. */
export interface GrantConstraints {
  readonly equals?: EncryptionContext;
  readonly subset?: EncryptionContext;
}

/** What a grant is made of. */
export interface GrantTerms {
  readonly name: string | null;
  readonly grantee: string;
  readonly retiring: string | null;
  readonly operations: readonly GrantOperation[];
  readonly constraints: GrantConstraints;
}

/** One grant. */
export interface Grant extends GrantTerms {
  /** 32 bytes, hex; the first byte says which bucket it is in. */
  readonly id: string;
  /** Hash of the terms: a second grant of the same name and terms is the first one. */
  readonly terms: string;
  readonly createdAtMs: number;
}

/** Highest number of grants of one key. */
export const MAX_GRANTS = 50_000;

const WITHOUT_CONTEXT: ReadonlySet<string> = new Set(['DescribeKey', 'RetireGrant', 'CreateGrant']);
const GRANT_ID = /^[0-9a-f]{64}$/;
const TOKEN = /^[A-Za-z0-9_-]{8,128}$/;

/** Makes a grant; grants with equal terms come into the same bucket. */
export function makeGrant(terms: GrantTerms, nowMs: number): Grant {
  const hash = termsHash(terms);
  const id = hash.slice(0, 2) + randomBytes(31).toString('hex');
  return { ...terms, id, terms: hash, createdAtMs: nowMs };
}

/** The bucket of a grant, by its id; undefined for what is no id of a grant. */
export function bucketOf(grantId: string): string | undefined {
  return GRANT_ID.test(grantId) ? grantId.slice(0, 2) : undefined;
}

/** Whether the grant allows an operation with a context. */
export function grantAllows(grant: Grant, operation: string, context: EncryptionContext): boolean {
  if (!grant.operations.some((allowed) => allowed === operation)) return false;
  if (WITHOUT_CONTEXT.has(operation)) return true;
  const { equals, subset } = grant.constraints;
  if (equals !== undefined && !(holds(context, equals) && holds(equals, context))) return false;
  return subset === undefined || holds(context, subset);
}

/** Whether a child grant is no wider than its parent, as AWS KMS asks of grants made by the right of a grant. */
export function isNarrower(child: GrantTerms, parent: Grant): boolean {
  if (!child.operations.every((operation) => parent.operations.includes(operation))) return false;
  const { equals, subset } = parent.constraints;
  const given = child.constraints.equals ?? child.constraints.subset ?? {};
  if (equals !== undefined) {
    const exact = child.constraints.equals;
    if (exact === undefined || !holds(exact, equals) || !holds(equals, exact)) return false;
  }
  return subset === undefined || holds(given, subset);
}

/** A token for a grant: names key and grant, opaque to its holder, not secret. Each is unlike the others. */
export function grantToken(keyArn: string, grantId: string): string {
  const uuid = keyUuid(keyArn).replaceAll('-', '');
  return Buffer.concat([
    Buffer.of(1),
    Buffer.from(uuid, 'hex'),
    Buffer.from(grantId, 'hex'),
    randomBytes(8),
  ]).toString('base64url');
}

/** What a token names; undefined when it is none. */
export function readGrantToken(
  token: string,
): { readonly keyUuid: string; readonly grantId: string } | undefined {
  if (!TOKEN.test(token)) return undefined;
  const bytes = Buffer.from(token, 'base64url');
  if (bytes.length !== 57 || bytes[0] !== 1) return undefined;
  const uuid = bytes
    .toString('hex', 1, 17)
    .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  return isKeyUuid(uuid) ? { keyUuid: uuid, grantId: bytes.toString('hex', 17, 49) } : undefined;
}

function termsHash(terms: GrantTerms): string {
  const pairs = (context: EncryptionContext | undefined) =>
    context === undefined ? null : Object.entries(context).sort();
  const text = JSON.stringify([
    terms.name,
    terms.grantee,
    terms.retiring,
    [...new Set(terms.operations)].sort(),
    pairs(terms.constraints.equals),
    pairs(terms.constraints.subset),
  ]);
  // Without a name every grant is one of its own.
  const salt = terms.name === null ? randomBytes(32) : Buffer.alloc(0);
  return createHash('sha256').update(salt).update(text).digest('hex');
}

/** Whether a context has all the pairs. */
function holds(context: EncryptionContext, pairs: EncryptionContext): boolean {
  return Object.entries(pairs).every(
    ([name, value]) => Object.hasOwn(context, name) && context[name] === value,
  );
}
