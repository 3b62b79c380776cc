/** Checks of vectors that test/vectors/functions/Generate.java makes with Cassandra's own functions. */
import { readFileSync } from 'node:fs';
import {
  FunctionExecutionError,
  InvalidRequestError,
  ProxyError,
} from '../../../src/errors/index.ts';
import { fromJson, resolveFunction, typedArgument } from '../../../src/functions/index.ts';
import { native, parseTypeText } from '../../../src/values/index.ts';
import type { CqlType, FunctionContext, UdtType } from '../../../src/values/index.ts';

/** Hex, null, or how Cassandra failed. */
export type Outcome = string | null | { readonly error: string; readonly message: string };

export type Vector =
  | readonly [
      kind: 'call',
      name: string,
      types: readonly string[],
      result: string,
      args: readonly (string | null)[],
      outcome: Outcome,
    ]
  | readonly [
      kind: 'aggregate',
      name: string,
      type: string,
      result: string,
      values: readonly (string | null)[],
      outcome: Outcome,
    ]
  | readonly [kind: 'read', type: string, text: string, outcome: Outcome]
  | readonly [kind: 'term', type: string, text: string, outcome: Outcome];

const ADDRESS: UdtType = {
  kind: 'udt',
  keyspace: 'ks',
  name: 'address',
  fields: [
    { name: 'street', type: native('text') },
    { name: 'number', type: native('int') },
    { name: 'Tags', type: { kind: 'set', element: native('decimal'), frozen: true } },
  ],
  frozen: false,
};

/** No vector depends on time or chance. */
export const CONTEXT: FunctionContext = {
  nowMs: () => 0,
  randomBytes: (count) => new Uint8Array(count),
  nextTimeuuid: () => new Uint8Array(16),
};

/** The type of a vector; knows the UDT `address`. */
export function vectorType(text: string): CqlType {
  return parseTypeText(text, (_keyspace, name) => (name === 'address' ? ADDRESS : undefined), 'ks');
}

export function loadVectors(): readonly Vector[] {
  const file = process.env['CQLOCK_FUNCTION_VECTORS'];
  const path = file ?? new URL('../../vectors/functions/cassandra_5_0_6.json', import.meta.url);
  return JSON.parse(readFileSync(path, 'utf8')) as Vector[];
}

function bytes(hex: string | null | undefined): Uint8Array | null {
  return hex === null || hex === undefined ? null : new Uint8Array(Buffer.from(hex, 'hex'));
}

/** What was thrown, else the bytes. */
export function outcomeOf(execute: () => Uint8Array | null): string | null | ProxyError {
  try {
    const value = execute();
    return value === null ? null : Buffer.from(value).toString('hex');
  } catch (error) {
    if (error instanceof ProxyError) return error;
    throw error;
  }
}

const ERRORS: Readonly<Record<string, (error: ProxyError) => boolean>> = {
  InvalidRequestException: (error) => error instanceof InvalidRequestError,
  OperationExecutionException: (error) =>
    error instanceof FunctionExecutionError && error.cqlCode === 0x1400,
  FunctionExecutionException: (error) =>
    error instanceof FunctionExecutionError && error.cqlCode === 0x1400,
};

/** Messages without their values and, where Cassandra lists signatures in no order, without these. */
function comparable(message: string): string {
  return message
    .replace(/ \((?:known type|can be matched).*$/s, '')
    .replace(/(com\.fasterxml\.jackson[A-Za-z.]*):.*$/s, '$1')
    .replace(/: java\.nio\.charset.*$/s, '')
    .replace(/(Error decoding JSON string:).*$/s, '$1')
    .replace(/, value 0x[0-9a-f]* is/, ', value <constant> is');
}

/** Whether a message of Cassandra's is ours, which has `<constant>` where Cassandra has a value. */
export function isSameMessage(theirs: string, ours: string): boolean {
  const pattern = comparable(ours)
    .split(/<constant>|<literal>|<term>/)
    .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
    .join('[^]*');
  return new RegExp(`^${pattern}$`).test(comparable(theirs));
}

/** What differs, or undefined. */
export function compare(actual: string | null | ProxyError, expected: Outcome): string | undefined {
  if (actual instanceof ProxyError) {
    if (expected === null || typeof expected === 'string') return `threw ${actual.message}`;
    // Cassandra's own defects: it fails on them, and so must we.
    if (expected.error === 'AssertionError') return undefined;
    const isClass = ERRORS[expected.error] ?? ((error) => error.cqlCode === 0);
    if (!isClass(actual)) return `threw ${actual.name} ${actual.message}`;
    const theirs = expected.message;
    const ours = ERRORS[expected.error] === undefined ? stripClass(actual.message) : actual.message;
    return isSameMessage(theirs, ours) ? undefined : `said ${actual.message}`;
  }
  return actual === expected ? undefined : `gave ${String(actual)}`;
}

/** A server error begins with the class of the exception. */
function stripClass(message: string): string {
  return message.replace(/^java\.[A-Za-z.]+: /, '');
}

/** Checks a call, an aggregate or a reading of JSON; what differs, or undefined. */
export function checkVector(vector: Vector): string | undefined {
  switch (vector[0]) {
    case 'call': {
      const [, name, types, result, args, expected] = vector;
      const found = resolveFunction({
        keyspace: undefined,
        name,
        args: types.map((type) => typedArgument(vectorType(type), 'c')),
        receiver: undefined,
      });
      if (found?.kind !== 'scalar') return 'not found';
      const actual = outcomeOf(() => found.call(args.map(bytes), CONTEXT));
      return compare(actual, expected) ?? checkType(result, found.result);
    }
    case 'aggregate': {
      const [, name, type, result, values, expected] = vector;
      const found = resolveFunction({
        keyspace: 'system',
        name,
        args: [typedArgument(vectorType(type), 'c')],
        receiver: undefined,
      });
      if (found?.kind !== 'aggregate') return 'not found';
      const actual = outcomeOf(() => {
        const state = found.start();
        for (const value of values) state.add([bytes(value)]);
        return state.result();
      });
      return compare(actual, expected) ?? checkType(result, found.result);
    }
    case 'read': {
      const [, type, text, expected] = vector;
      return compare(
        outcomeOf(() => fromJson(vectorType(type), text)),
        expected,
      );
    }
    case 'term':
      return undefined;
  }
}

function checkType(expected: string, actual: CqlType): string | undefined {
  const wanted = vectorType(expected);
  return JSON.stringify(wanted) === JSON.stringify(actual)
    ? undefined
    : `is of type ${JSON.stringify(actual)}`;
}
