import { z } from 'zod';
import type { EncryptionContext } from '../../kms_provider.ts';
import { KmsFault } from '../kms_fault.ts';

const MAX_CONTEXT_PAIRS = 1000;

/**
 * Checks a request, and refuses what it does not know: a member that is not understood could be a condition.
 * @throws KmsFault SerializationException for wrong JSON types, ValidationException for wrong values.
 */
export function parseRequest<T>(schema: z.ZodType<T>, request: unknown): T {
  if (typeof request !== 'object' || request === null || Array.isArray(request)) {
    throw new KmsFault('SerializationException', 'The request must be a JSON object.');
  }
  const given = Object.fromEntries(Object.entries(request).filter(([, value]) => value !== null));
  const result = schema.safeParse(given);
  if (result.success) return result.data;
  throw faultOf(result.error.issues[0], given);
}

function faultOf(issue: z.core.$ZodIssue | undefined, given: object): KmsFault {
  if (issue === undefined) return new KmsFault('ValidationException', 'The request is not valid.');
  const path = issue.path.map(String).join('.');
  if (issue.code === 'unrecognized_keys') {
    return new KmsFault(
      'UnsupportedOperationException',
      `${issue.keys.join(', ')} is not supported by the embedded KMS`,
    );
  }
  if (issue.code === 'invalid_type') {
    let value: unknown = given;
    for (const step of issue.path) value = (value as Record<PropertyKey, unknown>)[step];
    if (value === undefined) {
      return invalid(path, 'Member must not be null');
    }
    return new KmsFault('SerializationException', `${path} is of a wrong type`);
  }
  return invalid(path, issue.message);
}

function invalid(path: string, why: string): KmsFault {
  const name = path.charAt(0).toLowerCase() + path.slice(1);
  return new KmsFault(
    'ValidationException',
    `1 validation error detected: Value at '${name}' failed to satisfy constraint: ${why}`,
  );
}

/** A text of a length in characters. */
export function text(minimum: number, maximum: number): z.ZodString {
  return z
    .string()
    .min(minimum, `Member must have length greater than or equal to ${minimum}`)
    .max(maximum, `Member must have length less than or equal to ${maximum}`);
}

/** A whole number of a range. */
export function whole(minimum: number, maximum: number): z.ZodNumber {
  return z
    .number()
    .int('Member must be a whole number')
    .min(minimum, `Member must have value greater than or equal to ${minimum}`)
    .max(maximum, `Member must have value less than or equal to ${maximum}`);
}

/** Bytes as base64, of a length in bytes. */
export function blob(minimum: number, maximum: number): z.ZodType<Buffer> {
  return z.string().transform((value, context): Buffer => {
    const bytes = Buffer.from(value, 'base64');
    const why =
      bytes.toString('base64') !== value
        ? 'Member must be base64'
        : bytes.length < minimum
          ? `Member must have length greater than or equal to ${minimum}`
          : bytes.length > maximum
            ? `Member must have length less than or equal to ${maximum}`
            : undefined;
    if (why !== undefined) context.addIssue({ code: 'custom', message: why });
    return bytes;
  });
}

/** One of some words. */
export function word<const T extends readonly [string, ...string[]]>(words: T) {
  return z.enum(words, `Member must satisfy enum value set: [${words.join(', ')}]`);
}

/** An identifier of a key. */
export const keyId = text(1, 2048);
/** Tokens of grants. */
export const grantTokens = z.array(text(1, 8192)).max(10).optional();
/** Whether only the permission is asked for. */
export const dryRun = z.boolean().optional();
/** Where a list goes on. */
export const marker = text(1, 1024).optional();

/**
 * An encryption context. Every name counts, also those that objects have anyway; texts must be whole, since half a
 * character has no bytes that only it would give.
 */
export const encryptionContext: z.ZodType<EncryptionContext | undefined> = z
  .custom<Readonly<Record<string, unknown>> | undefined>(
    (value) =>
      value === undefined || (typeof value === 'object' && value !== null && !Array.isArray(value)),
    'Member must be a map of texts',
  )
  .transform((value, context): EncryptionContext | undefined => {
    if (value === undefined) return undefined;
    const pairs = Object.entries(value);
    const isWhole = (part: unknown): part is string =>
      typeof part === 'string' && !/\p{Surrogate}/u.test(part);
    if (pairs.length > MAX_CONTEXT_PAIRS || !pairs.flat().every(isWhole)) {
      context.addIssue({ code: 'custom', message: 'Member must be a map of texts' });
    }
    return Object.fromEntries(pairs) as EncryptionContext;
  });
