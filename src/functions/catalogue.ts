import { InvalidRequestError } from '../errors/index.ts';
import {
  callFunction,
  functionSignatures,
  native,
  printType,
  readBigInt,
  readDuration,
  writeInt64,
} from '../values/index.ts';
import type { CqlType, NativeTypeName } from '../values/index.ts';
import { COUNT, extremeAggregate, numericAggregate } from './aggregates.ts';
import { CASTS } from './casts.ts';
import { COLLECTION_FACTORIES } from './collections.ts';
import { decodedText } from './decoded_text.ts';
import { anyType, fixed, scalar } from './factory.ts';
import type { FunctionFactory } from './factory.ts';
import type { NativeFunction, ScalarFunction } from './function.ts';
import { fromJson } from './json_read.ts';
import { toJson } from './json_write.ts';
import { MASKING_FACTORIES } from './masking.ts';
import { MATH_FUNCTIONS } from './math.ts';
import { NUMERIC_NAMES } from './numbers.ts';
import { NEGATIONS, OPERATION_NAMES, OPERATIONS } from './operations.ts';
import type { ArithmeticOperator } from './operations.ts';
import { floorMs, floorTime, msToTemporal, temporalToMs } from './temporal.ts';
import type { TemporalName } from './temporal.ts';
import { isEmptyMeaningless } from './value_text.ts';
import { VECTOR_FACTORIES } from './vectors.ts';

function toJsonFactory(name: string): FunctionFactory {
  return {
    name,
    parameters: [anyType(false)],
    make: ([type = native('blob')]) =>
      scalar(name, [type], native('text'), ([bytes = null]) => {
        const isNull = bytes === null || (bytes.length === 0 && emptyIsNull(type));
        return new Uint8Array(Buffer.from(isNull ? 'null' : toJson(type, bytes), 'utf8'));
      }),
  };
}

function emptyIsNull(type: CqlType): boolean {
  return type.kind === 'native' && isEmptyMeaningless(type.name);
}

function fromJsonFactory(name: string): FunctionFactory {
  return {
    name,
    parameters: [fixed('text')],
    make(_types, receiver) {
      if (receiver === undefined) {
        throw new InvalidRequestError(
          `${name}() cannot be used in the selection clause of a SELECT statement`,
        );
      }
      return scalar(name, [native('text')], receiver, ([bytes]) => {
        if (bytes === null || bytes === undefined) return null;
        return fromJson(receiver, decodedText(bytes), name);
      });
    },
  };
}

function extremeFactory(which: 'min' | 'max'): FunctionFactory {
  return {
    name: which,
    parameters: [anyType(true)],
    make: ([type = native('blob')]) => extremeAggregate(which, type),
  };
}

const FACTORIES: ReadonlyMap<string, FunctionFactory> = new Map(
  [
    toJsonFactory('to_json'),
    toJsonFactory('tojson'),
    fromJsonFactory('from_json'),
    fromJsonFactory('fromjson'),
    extremeFactory('min'),
    extremeFactory('max'),
    ...COLLECTION_FACTORIES,
    ...MASKING_FACTORIES,
    ...VECTOR_FACTORIES,
  ].map((factory) => [factory.name, factory]),
);

/** `floor` of a time and a duration, from a starting time if one is given. */
function floor(type: TemporalName, isFromStart: boolean): ScalarFunction {
  const result = type === 'date' ? 'date' : 'timestamp';
  const names: NativeTypeName[] = isFromStart ? [type, 'duration', result] : [type, 'duration'];
  return scalar('floor', names.map(native), native(result), (args) => {
    const [bytes, duration, start] = args;
    const isNull = args.some((arg) => arg === null || arg.length === 0);
    if (isNull || bytes === null || bytes === undefined || !duration) return null;
    const length = readDuration(duration);
    if (type === 'date' && length.nanoseconds !== 0n) {
      throw new InvalidRequestError(
        'The floor on date values cannot be computed for the <constant> duration as precision is below 1 day',
      );
    }
    if (length.nanoseconds % 1_000_000n !== 0n) {
      throw new InvalidRequestError(
        'The floor cannot be computed for the <constant> duration as precision is below 1 millisecond',
      );
    }
    const from = start === null || start === undefined ? 0n : temporalToMs(result, start);
    return msToTemporal(result, floorMs(temporalToMs(type, bytes), length, from));
  });
}

const FLOORS: readonly ScalarFunction[] = [
  ...(['timestamp', 'timeuuid', 'date'] as const).flatMap((type) => [
    floor(type, false),
    floor(type, true),
  ]),
  scalar('floor', [native('time'), native('duration')], native('time'), ([bytes, duration]) => {
    if (!bytes || !duration || bytes.length === 0) return null;
    return writeInt64(floorTime(readBigInt(bytes), readDuration(duration)));
  }),
];

const NAMED: ReadonlyMap<string, readonly NativeFunction[]> = new Map<
  string,
  readonly NativeFunction[]
>([
  ['count', [COUNT]],
  ['sum', NUMERIC_NAMES.map((name) => numericAggregate('sum', name))],
  ['avg', NUMERIC_NAMES.map((name) => numericAggregate('avg', name))],
  ['floor', FLOORS],
  ['_negate', NEGATIONS],
  ...(Object.keys(OPERATION_NAMES) as ArithmeticOperator[]).map(
    (operator): [string, readonly NativeFunction[]] => [
      OPERATION_NAMES[operator],
      OPERATIONS[operator],
    ],
  ),
  ...MATH_FUNCTIONS,
]);

/** Casts by the name of their function, `cast_as_int` or, as before Cassandra 5.0, `castAsInt`. */
function castsByName(name: string): readonly ScalarFunction[] {
  const target = /^cast_as_([a-z]+)$/.exec(name)?.[1] ?? /^castAs([A-Z][a-z]+)$/.exec(name)?.[1];
  if (target === undefined) return [];
  return CASTS.filter((cast) => printType(cast.result) === target.toLowerCase());
}

/** Functions of the values folder: times, uuid, blob conversions. */
function plainFunctions(name: string): readonly ScalarFunction[] {
  return (functionSignatures(name) ?? []).map(({ args, result }) =>
    scalar(name, args, result, (values, context) => {
      const typed = args.map((type, i) => ({ type, bytes: values[i] ?? null }));
      return callFunction(name, typed, result, context)?.bytes ?? null;
    }),
  );
}

/** Signatures of a native function. */
export function functionsNamed(name: string): readonly NativeFunction[] {
  const named = NAMED.get(name);
  if (named !== undefined) return named;
  const casts = castsByName(name);
  return casts.length > 0 ? casts : plainFunctions(name);
}

/** The factory of a native function that has one. */
export function factoryNamed(name: string): FunctionFactory | undefined {
  return FACTORIES.get(name);
}
