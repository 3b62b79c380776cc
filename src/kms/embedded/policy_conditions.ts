import type { KmsFault } from './kms_fault.ts';
import type { EncryptionContext } from '../kms_provider.ts';
import { wildcardMatches } from './actions.ts';

/** Whether a condition of a policy holds for the encryption context of a call; a call without one has no pairs. */
export type PolicyCondition = (context: EncryptionContext) => boolean;

const PAIR = 'kms:encryptioncontext:';
const NAMES = 'kms:encryptioncontextkeys';

type Test = (actual: string | undefined, wanted: readonly string[]) => boolean;

/** Operators on one pair. As in AWS a missing pair fails a positive test and passes a negative one. */
const PAIR_TESTS: Readonly<Record<string, Test>> = {
  StringEquals: (actual, wanted) => actual !== undefined && wanted.includes(actual),
  StringNotEquals: (actual, wanted) => actual === undefined || !wanted.includes(actual),
  StringEqualsIgnoreCase: (actual, wanted) =>
    actual !== undefined && wanted.some((w) => w.toLowerCase() === actual.toLowerCase()),
  StringLike: (actual, wanted) =>
    actual !== undefined && wanted.some((w) => wildcardMatches(w, actual)),
  StringNotLike: (actual, wanted) =>
    actual === undefined || !wanted.some((w) => wildcardMatches(w, actual)),
  Null: (actual, wanted) => wanted.every((w) => (w === 'true') === (actual === undefined)),
};

/** Operators on the names of all pairs. */
const NAME_TESTS: Readonly<
  Record<string, (actual: readonly string[], wanted: readonly string[]) => boolean>
> = {
  'ForAllValues:StringEquals': (actual, wanted) => actual.every((a) => wanted.includes(a)),
  'ForAnyValue:StringEquals': (actual, wanted) => actual.some((a) => wanted.includes(a)),
};

/**
 * Reads the Condition of a statement: `kms:EncryptionContext:NAME` with StringEquals, StringNotEquals,
 * StringEqualsIgnoreCase, StringLike, StringNotLike, Null, and `kms:EncryptionContextKeys` with ForAllValues:StringEquals
 * and ForAnyValue:StringEquals. Everything else is refused with what `refuse` makes.
 */
export function parseConditions(
  condition: Readonly<Record<string, unknown>>,
  where: string,
  refuse: (what: string) => KmsFault,
): readonly PolicyCondition[] {
  return Object.entries(condition).flatMap(([operator, block]) => {
    if (typeof block !== 'object' || block === null || Array.isArray(block)) {
      throw refuse(`Condition ${operator} of ${where} must be an object`);
    }
    return Object.entries(block as Record<string, unknown>).map(([key, value]): PolicyCondition => {
      const wanted: readonly unknown[] = Array.isArray(value) ? value : [value];
      if (wanted.length === 0 || !wanted.every((item) => typeof item === 'string')) {
        throw refuse(`Condition ${operator} ${key} of ${where} must have texts`);
      }
      const found = conditionOf(operator, key, wanted);
      if (found !== undefined) return found;
      throw refuse(`Condition ${operator} with ${key} of ${where} is not understood`);
    });
  });
}

function conditionOf(
  operator: string,
  key: string,
  wanted: readonly string[],
): PolicyCondition | undefined {
  const lower = key.toLowerCase();
  if (lower === NAMES && Object.hasOwn(NAME_TESTS, operator)) {
    const test = NAME_TESTS[operator];
    return test && ((context) => test(Object.keys(context), wanted));
  }
  if (!lower.startsWith(PAIR) || lower.length === PAIR.length) return undefined;
  if (!Object.hasOwn(PAIR_TESTS, operator)) return undefined;
  if (operator === 'Null' && !wanted.every((w) => w === 'true' || w === 'false')) return undefined;
  const test = PAIR_TESTS[operator];
  const name = key.slice(PAIR.length);
  return (
    test && ((context) => test(Object.hasOwn(context, name) ? context[name] : undefined, wanted))
  );
}
