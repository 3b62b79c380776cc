import { FunctionExecutionError, InvalidRequestError } from '../errors/index.ts';
import { native, readDuration } from '../values/index.ts';
import type { NativeTypeName } from '../values/index.ts';
import {
  addRounded,
  divideToScale,
  multiplyRounded,
  negated,
  precision,
  remainder,
  stripZeros,
} from './decimal.ts';
import type { Decimal } from './decimal.ts';
import { JavaError, operationFailure } from './failures.ts';
import type { ScalarFunction } from './function.ts';
import {
  checkDivisor,
  INTEGER_LENGTHS,
  isNaNValue,
  NUMERIC_NAMES,
  readNumber,
  toDecimalOperand,
  toBigInt,
  toDouble,
  toFloat,
  wrapInteger,
  writeIndefinite,
  writeNumber,
} from './numbers.ts';
import type { NumberValue, NumericName } from './numbers.ts';
import { addDuration } from './temporal.ts';

/** The operators of CQL. */
export type ArithmeticOperator = '+' | '-' | '*' | '/' | '%';

/** Cassandra's names of the operations, which are functions for it. */
export const OPERATION_NAMES: Readonly<Record<ArithmeticOperator, string>> = {
  '+': '_add',
  '-': '_substract',
  '*': '_multiply',
  '/': '_divide',
  '%': '_modulo',
};

/** Digits that a decimal result may have. */
const MAX_PRECISION = 10_000;
const MIN_SCALE = 32;
const MAX_SCALE = 1000;

function sizeOf(name: NumericName): number {
  if (name === 'float') return 4;
  if (name === 'double') return 8;
  if (name === 'decimal' || name === 'varint') return Infinity;
  return INTEGER_LENGTHS[name];
}

function isFloating(name: NumericName): boolean {
  return name === 'float' || name === 'double' || name === 'decimal';
}

/** The type of a result: floating if one operand is, as large as the larger. */
export function resultName(left: NumericName, right: NumericName): NumericName {
  const size = Math.max(sizeOf(left), sizeOf(right));
  if (isFloating(left) || isFloating(right)) {
    return size <= 4 ? 'float' : size === 8 ? 'double' : 'decimal';
  }
  switch (size) {
    case 1:
      return 'tinyint';
    case 2:
      return 'smallint';
    case 4:
      return 'int';
    case 8:
      return 'bigint';
    default:
      return 'varint';
  }
}

function onIntegers(
  operator: ArithmeticOperator,
  left: bigint,
  right: bigint,
  isBig: boolean,
): bigint {
  switch (operator) {
    case '+':
      return left + right;
    case '-':
      return left - right;
    case '*':
      return left * right;
    case '/':
      checkDivisor(right, isBig);
      return left / right;
    case '%':
      checkDivisor(right, isBig);
      return left % right;
  }
}

function onFloats(operator: ArithmeticOperator, left: number, right: number): number {
  switch (operator) {
    case '+':
      return left + right;
    case '-':
      return left - right;
    case '*':
      return left * right;
    case '/':
      return left / right;
    case '%':
      return left % right;
  }
}

function onDecimals(operator: ArithmeticOperator, left: Decimal, right: Decimal): Decimal {
  switch (operator) {
    case '+':
      return addRounded(left, right, MAX_PRECISION);
    case '-':
      return addRounded(left, negated(right), MAX_PRECISION);
    case '*':
      return multiplyRounded(left, right, MAX_PRECISION);
    case '/':
      return divideDecimals(left, right);
    case '%':
      return remainder(left, right);
  }
}

/** At least 32 digits that count and 32 places, at most 1000 places. */
function divideDecimals(left: Decimal, right: Decimal): Decimal {
  const firstDigit = precision(left) - left.scale - (precision(right) - right.scale);
  const wanted = Math.max(MIN_SCALE - firstDigit, left.scale, right.scale, MIN_SCALE);
  const quotient = divideToScale(left, right, Math.min(wanted, MAX_SCALE), 'half_up');
  if (quotient.unscaled === 0n) return { unscaled: 0n, scale: 0 };
  return stripZeros(quotient, -Infinity);
}

/** One operation on numbers of given types; the values are of these types. */
export function operate(
  operator: ArithmeticOperator,
  leftName: NumericName,
  rightName: NumericName,
  left: NumberValue,
  right: NumberValue,
): NumberValue {
  const name = resultName(leftName, rightName);
  switch (name) {
    case 'float':
      return Math.fround(onFloats(operator, toFloat(left), toFloat(right)));
    case 'double':
      return onFloats(operator, toDouble(left), toDouble(right));
    case 'decimal':
      return onDecimals(
        operator,
        toDecimalOperand(leftName, left),
        toDecimalOperand(rightName, right),
      );
    case 'varint':
      return onIntegers(operator, toBigInt(left), toBigInt(right), true);
    default:
      return wrapInteger(name, onIntegers(operator, toBigInt(left), toBigInt(right), false));
  }
}

function operation(
  operator: ArithmeticOperator,
  left: NativeTypeName,
  right: NativeTypeName,
  result: NativeTypeName,
  execute: (left: Uint8Array, right: Uint8Array) => Uint8Array | null,
): ScalarFunction {
  const args = [native(left), native(right)];
  return {
    kind: 'scalar',
    name: `system.${OPERATION_NAMES[operator]}`,
    args,
    result: native(result),
    columnName: ([first = '', second = '']) => `${first} ${operator} ${second}`,
    call([first, second]) {
      if (first === null || first === undefined || second === null || second === undefined) {
        return null;
      }
      try {
        return execute(first, second);
      } catch (error) {
        const isOfCassandra =
          error instanceof FunctionExecutionError || error instanceof InvalidRequestError;
        if (!isOfCassandra) throw error;
        const detail = error instanceof JavaError ? error.detail : error.message;
        throw operationFailure(operator, OPERATION_NAMES[operator], args, detail);
      }
    },
  };
}

function numericOperation(
  operator: ArithmeticOperator,
  left: NumericName,
  right: NumericName,
): ScalarFunction {
  const result = resultName(left, right);
  return operation(operator, left, right, result, (first, second) => {
    const a = readNumber(left, first);
    const b = readNumber(right, second);
    if (a === undefined || b === undefined) return null;
    const value = operate(operator, left, right, a, b);
    const isIndefinite = isNaNValue(value) && !isNaNValue(a) && !isNaNValue(b);
    if (isIndefinite && (result === 'float' || result === 'double')) return writeIndefinite(result);
    return writeNumber(result, value);
  });
}

const STRING_OPERANDS: readonly (readonly [NativeTypeName, NativeTypeName, NativeTypeName])[] = [
  ['text', 'text', 'text'],
  ['ascii', 'ascii', 'ascii'],
  ['ascii', 'text', 'text'],
  ['text', 'ascii', 'text'],
];

function makeOperations(operator: ArithmeticOperator): readonly ScalarFunction[] {
  const all = NUMERIC_NAMES.flatMap((left) =>
    NUMERIC_NAMES.map((right) => numericOperation(operator, left, right)),
  );
  if (operator !== '+' && operator !== '-') return all;
  for (const temporal of ['timestamp', 'date'] as const) {
    all.push(
      operation(operator, temporal, 'duration', temporal, (value, duration) => {
        if (value.length === 0 || duration.length === 0) return null;
        return addDuration(temporal, value, readDuration(duration), operator === '-');
      }),
    );
  }
  if (operator === '-') return all;
  for (const [left, right, result] of STRING_OPERANDS) {
    all.push(
      operation(operator, left, right, result, (first, second) => {
        const out = new Uint8Array(first.length + second.length);
        out.set(first);
        out.set(second, first.length);
        return out;
      }),
    );
  }
  return all;
}

/** The operations of each operator on all types that have it. */
export const OPERATIONS: Readonly<Record<ArithmeticOperator, readonly ScalarFunction[]>> = {
  '+': makeOperations('+'),
  '-': makeOperations('-'),
  '*': makeOperations('*'),
  '/': makeOperations('/'),
  '%': makeOperations('%'),
};

function negation(name: NumericName): ScalarFunction {
  return {
    kind: 'scalar',
    name: 'system._negate',
    args: [native(name)],
    result: native(name),
    columnName: ([only = '']) => `-${only}`,
    call([bytes]) {
      const value = bytes === null || bytes === undefined ? undefined : readNumber(name, bytes);
      if (value === undefined || bytes === null || bytes === undefined) return null;
      if (typeof value !== 'number') return writeNumber(name, negateNumber(value));
      // The sign is one bit, also of NaN.
      const out = Uint8Array.from(bytes);
      out[0] = (out[0] as number) ^ 0x80;
      return out;
    },
  };
}

function negateNumber(value: bigint | Decimal): NumberValue {
  return typeof value === 'object' ? negated(value) : -value;
}

/** Negation of every numeric type. */
export const NEGATIONS: readonly ScalarFunction[] = NUMERIC_NAMES.map(negation);
