import { compareValues, native, writeInt64 } from '../values/index.ts';
import type { CqlType } from '../values/index.ts';
import { add, decimalToDouble, divideRounded, divideToScale, negated } from './decimal.ts';
import type { Decimal } from './decimal.ts';
import type { Aggregate, AggregateFunction } from './function.ts';
import {
  doubleToDecimal,
  isNaNValue,
  numericName,
  readNumber,
  toBigInt,
  toDouble,
  toFloat,
  toLong,
  wrapInteger,
  writeIndefinite,
  writeNumber,
} from './numbers.ts';
import type { NumberValue, NumericName } from './numbers.ts';

type IntegerName = 'tinyint' | 'smallint' | 'int' | 'bigint' | 'counter';

const ZERO: Decimal = { unscaled: 0n, scale: 0 };

/** Sums and averages over numbers, without the bytes around them. */
interface NumberAggregate {
  add(value: NumberValue): void;
  result(): NumberValue;
}

function integerSum(name: IntegerName): NumberAggregate {
  let sum = 0n;
  return {
    add: (value) => {
      sum = wrapInteger(name, sum + toBigInt(value));
    },
    result: () => sum,
  };
}

function varintSum(): NumberAggregate {
  let sum = 0n;
  return {
    add: (value) => {
      sum += toBigInt(value);
    },
    result: () => sum,
  };
}

/** Averages of integers are cut towards zero; the sum does not overflow. */
function integerAverage(isBig: boolean): NumberAggregate {
  let sum = 0n;
  let count = 0n;
  return {
    add: (value) => {
      sum += toBigInt(value);
      count += 1n;
    },
    result: () => {
      const average = count === 0n ? 0n : sum / count;
      return isBig ? average : toLong(average);
    },
  };
}

function decimalOf(value: NumberValue): Decimal {
  return typeof value === 'object' ? value : ZERO;
}

function decimalSum(): NumberAggregate {
  let sum = ZERO;
  return {
    add: (value) => {
      sum = add(sum, decimalOf(value));
    },
    result: () => sum,
  };
}

/** Moves step by step; each step has the digits of its own difference, as in Cassandra. */
function decimalAverage(): NumberAggregate {
  let average = ZERO;
  let count = 0n;
  return {
    add: (value) => {
      count += 1n;
      const difference = add(decimalOf(value), negated(average));
      const step = {
        unscaled: divideRounded(difference.unscaled, count, 'half_even'),
        scale: difference.scale,
      };
      average = add(average, step);
    },
    result: () => average,
  };
}

/** Kahan's summation as Cassandra has it. */
class FloatSum {
  sum = 0;
  compensation = 0;
  simpleSum = 0;

  add(value: number): void {
    this.simpleSum += value;
    const corrected = value - this.compensation;
    const rounded = this.sum + corrected;
    this.compensation = rounded - this.sum - corrected;
    this.sum = rounded;
  }

  result(): number {
    const total = this.sum + this.compensation;
    const isLost =
      Number.isNaN(total) && !Number.isFinite(this.simpleSum) && !Number.isNaN(this.simpleSum);
    return isLost ? this.simpleSum : total;
  }
}

function floatSum(): NumberAggregate {
  const sum = new FloatSum();
  return {
    add: (value) => {
      sum.add(toDouble(value));
    },
    result: () => sum.result(),
  };
}

/** Goes on in decimals where the sum of finite values overflows. */
function floatAverage(): NumberAggregate {
  const sum = new FloatSum();
  let bigSum: Decimal | undefined;
  let count = 0;
  return {
    add: (value) => {
      const double = toDouble(value);
      count += 1;
      if (bigSum !== undefined) {
        bigSum = add(bigSum, doubleToDecimal(double));
        return;
      }
      const previous = sum.sum;
      sum.add(double);
      const isOverflow = Math.abs(sum.sum) === Infinity && Math.abs(double) !== Infinity;
      if (isOverflow) bigSum = add(doubleToDecimal(previous), doubleToDecimal(double));
    },
    result: () => {
      if (count === 0) return 0;
      if (bigSum === undefined) return sum.result() / count;
      const divisor = { unscaled: BigInt(count), scale: 0 };
      return decimalToDouble(divideToScale(bigSum, divisor, bigSum.scale, 'half_even'));
    },
  };
}

function numberAggregate(which: 'sum' | 'avg', name: NumericName): NumberAggregate {
  switch (name) {
    case 'float':
    case 'double':
      return which === 'sum' ? floatSum() : floatAverage();
    case 'decimal':
      return which === 'sum' ? decimalSum() : decimalAverage();
    case 'varint':
      return which === 'sum' ? varintSum() : integerAverage(true);
    default:
      return which === 'sum' ? integerSum(name) : integerAverage(false);
  }
}

function columnNames(name: string): (parts: readonly string[]) => string {
  return (parts) => `system.${name}(${parts.join(', ')})`;
}

/** `sum` or `avg` of a numeric type; the result has the type of the values. */
export function numericAggregate(which: 'sum' | 'avg', name: NumericName): AggregateFunction {
  return {
    kind: 'aggregate',
    name: `system.${which}`,
    args: [native(name)],
    result: native(name),
    isOrderFree: name !== 'float' && name !== 'double' && (name !== 'decimal' || which === 'sum'),
    columnName: columnNames(which),
    start(): Aggregate {
      const numbers = numberAggregate(which, name);
      let hasNaN = false;
      return {
        add([bytes]) {
          const value = bytes === null || bytes === undefined ? undefined : readNumber(name, bytes);
          if (value === undefined) return;
          hasNaN ||= isNaNValue(value);
          numbers.add(value);
        },
        result() {
          const value = numbers.result();
          const isIndefinite = isNaNValue(value) && !hasNaN;
          if (isIndefinite && (name === 'float' || name === 'double')) return writeIndefinite(name);
          return writeNumber(name, name === 'float' ? toFloat(value) : value);
        },
      };
    },
  };
}

/** Types whose equal values have equal bytes. */
const EQUAL_BYTES: ReadonlySet<string> = new Set([
  'ascii',
  'text',
  'blob',
  'tinyint',
  'smallint',
  'int',
  'bigint',
  'counter',
  'date',
  'time',
  'timestamp',
]);

/** `min` or `max` in the order of the type; of equal values the first stays. Null over no rows. */
export function extremeAggregate(which: 'min' | 'max', type: CqlType): AggregateFunction {
  // The empty value of a counter is null; those of other types are the smallest.
  const isCounter = numericName(type) === 'counter';
  const order = isCounter ? native('bigint') : type;
  const sign = which === 'min' ? -1 : 1;
  return {
    kind: 'aggregate',
    name: `system.${which}`,
    args: [type],
    result: type,
    isOrderFree: type.kind === 'native' && EQUAL_BYTES.has(type.name),
    columnName: columnNames(which),
    start(): Aggregate {
      let extreme: Uint8Array | null = null;
      return {
        add([bytes]) {
          if (bytes === null || bytes === undefined) return;
          if (isCounter && bytes.length === 0) return;
          if (extreme === null || compareValues(order, bytes, extreme) * sign > 0) {
            // A view would keep the whole page of rows that it is of.
            extreme = Uint8Array.from(bytes);
          }
        },
        result: () => extreme,
      };
    },
  };
}

/** `count` of a column: its values that are not null. */
export const COUNT: AggregateFunction = {
  kind: 'aggregate',
  name: 'system.count',
  args: [native('blob')],
  result: native('bigint'),
  isOrderFree: true,
  columnName: columnNames('count'),
  start(): Aggregate {
    let count = 0n;
    return {
      add([bytes]) {
        if (bytes !== null && bytes !== undefined) count += 1n;
      },
      result: () => writeInt64(count),
    };
  },
};
