import { InvalidRequestError } from '../errors/index.ts';
import { readBigInt, readInt32, writeInt32, writeInt64 } from './bytes.ts';
import { native } from './cql_type.ts';
import type { CqlType, NativeTypeName } from './cql_type.ts';
import { nativeByName } from './native_names.ts';
import { maxTimeuuid, minTimeuuid, timeuuidToUnixMs } from './timeuuid.ts';
import { printType, sameType } from './type_names.ts';
import { validateValue } from './value_codec.ts';

/** Time and randomness for functions; the core has none of its own. */
export interface FunctionContext {
  /** Milliseconds since the Unix epoch; a fraction is used where the type has it. */
  nowMs(): number;
  /** Cryptographically random bytes. */
  randomBytes(count: number): Uint8Array;
  /** A timeuuid larger than all before. */
  nextTimeuuid(): Uint8Array;
}

/** A value with its type; `null` bytes are CQL's null. */
export interface TypedValue {
  readonly type: CqlType;
  readonly bytes: Uint8Array | null;
}

/** One signature of a native scalar function. */
interface NativeFunction {
  readonly args: readonly NativeTypeName[];
  readonly result: NativeTypeName;
  call(args: readonly (Uint8Array | null)[], context: FunctionContext): Uint8Array | null;
}

const NANOS_PER_MS = 1_000_000;
const DAY_MS = 86_400_000;

/** Days plus 2^31; whole days are cut towards zero as Java's Duration.toDays does, also before 1970. */
function msToDate(ms: bigint): Uint8Array {
  const seconds = ms / 1000n - (ms % 1000n < 0n ? 1n : 0n);
  const out = new Uint8Array(4);
  writeInt32(out, 0, Number(BigInt.asIntN(32, seconds / 86_400n + 0x80000000n)));
  return out;
}

/** The argument in milliseconds since the epoch. */
function toMs(type: NativeTypeName, bytes: Uint8Array): bigint {
  if (type === 'timeuuid') return timeuuidToUnixMs(bytes);
  if (type === 'date') return BigInt((readInt32(bytes, 0) ^ -0x80000000) * DAY_MS);
  return readBigInt(bytes);
}

function conversion(
  from: NativeTypeName,
  to: NativeTypeName,
  convert: (ms: bigint) => Uint8Array,
): NativeFunction {
  return {
    args: [from],
    result: to,
    // An empty value of these types means null.
    call: ([bytes]) => {
      if (bytes === null || bytes === undefined || bytes.length === 0) return null;
      return convert(toMs(from, bytes));
    },
  };
}

function nullary(
  result: NativeTypeName,
  make: (context: FunctionContext) => Uint8Array,
): NativeFunction[] {
  return [{ args: [], result, call: (_args, context) => make(context) }];
}

function wholeMs(context: FunctionContext): bigint {
  return BigInt(Math.floor(context.nowMs()));
}

function nanosOfDay(context: FunctionContext): Uint8Array {
  const ms = context.nowMs();
  const ofDay = ms - Math.floor(ms / DAY_MS) * DAY_MS;
  return writeInt64(BigInt(Math.floor(ofDay * NANOS_PER_MS)) % BigInt(DAY_MS * NANOS_PER_MS));
}

function randomUuid(context: FunctionContext): Uint8Array {
  const out = Uint8Array.from(context.randomBytes(16));
  out[6] = 0x40 | ((out[6] as number) & 0x0f);
  out[8] = 0x80 | ((out[8] as number) & 0x3f);
  return out;
}

const now = nullary('timeuuid', (context) => context.nextTimeuuid());

/** By the names of Cassandra 5.0; the forms without underscores are found through {@link LEGACY_NAMES}. */
const FUNCTIONS: ReadonlyMap<string, readonly NativeFunction[]> = new Map([
  ['now', now],
  ['current_timeuuid', now],
  ['current_timestamp', nullary('timestamp', (context) => writeInt64(wholeMs(context)))],
  ['current_date', nullary('date', (context) => msToDate(wholeMs(context)))],
  ['current_time', nullary('time', nanosOfDay)],
  ['uuid', nullary('uuid', randomUuid)],
  ['min_timeuuid', [conversion('timestamp', 'timeuuid', minTimeuuid)]],
  ['max_timeuuid', [conversion('timestamp', 'timeuuid', maxTimeuuid)]],
  [
    'to_date',
    [conversion('timeuuid', 'date', msToDate), conversion('timestamp', 'date', msToDate)],
  ],
  [
    'to_timestamp',
    [conversion('timeuuid', 'timestamp', writeInt64), conversion('date', 'timestamp', writeInt64)],
  ],
  [
    'to_unix_timestamp',
    [
      conversion('timeuuid', 'bigint', writeInt64),
      conversion('timestamp', 'bigint', writeInt64),
      conversion('date', 'bigint', writeInt64),
    ],
  ],
]);

const LEGACY_NAMES: ReadonlyMap<string, string> = new Map([
  ['currenttimeuuid', 'current_timeuuid'],
  ['currenttimestamp', 'current_timestamp'],
  ['currentdate', 'current_date'],
  ['currenttime', 'current_time'],
  ['mintimeuuid', 'min_timeuuid'],
  ['maxtimeuuid', 'max_timeuuid'],
  ['todate', 'to_date'],
  ['totimestamp', 'to_timestamp'],
  ['tounixtimestamp', 'to_unix_timestamp'],
]);

function signaturesOf(name: string): readonly NativeFunction[] | undefined {
  return FUNCTIONS.get(LEGACY_NAMES.get(name) ?? name) ?? blobConversion(name);
}

/** `int_as_blob`, `intasblob`, `blob_as_int`, `blobasint` and so on for every native type but blob. */
function blobConversion(name: string): readonly NativeFunction[] | undefined {
  const toBlob = /^([a-z]+?)(?:_as_|as)blob$/.exec(name)?.[1];
  const from = toBlob === undefined ? undefined : nativeByName(toBlob);
  if (from?.kind === 'native' && from.name !== 'blob') {
    return [{ args: [from.name], result: 'blob', call: ([bytes]) => bytes ?? null }];
  }
  const fromBlob = /^blob(?:_as_|as)([a-z]+)$/.exec(name)?.[1];
  const to = fromBlob === undefined ? undefined : nativeByName(fromBlob);
  if (to?.kind !== 'native' || to.name === 'blob') return undefined;
  const call = ([bytes]: readonly (Uint8Array | null)[]): Uint8Array | null => {
    if (bytes === null || bytes === undefined) return null;
    try {
      validateValue(to, bytes);
    } catch {
      throw new InvalidRequestError(
        `In call to function system.${name}, value <constant> is not a valid binary representation for type ${fromBlob ?? ''}`,
      );
    }
    return bytes;
  };
  return [{ args: ['blob'], result: to.name, call }];
}

/** Types whose values another type takes as they are. Spec: AbstractType.isValueCompatibleWith of each type. */
const COMPATIBLE: Readonly<Partial<Record<NativeTypeName, readonly NativeTypeName[]>>> = {
  bigint: ['timestamp'],
  date: ['int'],
  text: ['ascii'],
  time: ['bigint'],
  timestamp: ['bigint'],
  uuid: ['timeuuid'],
  varint: ['int', 'bigint', 'timestamp'],
};

function accepts(parameter: NativeTypeName, argument: CqlType): boolean {
  if (parameter === 'blob') return true;
  if (argument.kind !== 'native') return false;
  return argument.name === parameter || (COMPATIBLE[parameter]?.includes(argument.name) ?? false);
}

/** A signature of a native scalar function, for callers that must type their arguments before they have them. */
export interface FunctionSignature {
  readonly args: readonly CqlType[];
  readonly result: CqlType;
}

/**
 * The signatures of a native scalar function; `undefined` when it is not known.
 * @param name folded, without keyspace
 */
export function functionSignatures(name: string): readonly FunctionSignature[] | undefined {
  return signaturesOf(name)?.map(({ args, result }) => ({
    args: args.map((arg) => native(arg)),
    result: native(result),
  }));
}

/**
 * Calls a native scalar function.
 * @param name folded, without keyspace
 * @param expected type of the receiver, if one is known; it chooses between signatures that differ in their result
 * @returns the result, or undefined when there is no such function
 * @throws InvalidRequestError with Cassandra's message when number or types of arguments fit no signature
 */
export function callFunction(
  name: string,
  args: readonly TypedValue[],
  expected: CqlType | undefined,
  context: FunctionContext,
): TypedValue | undefined {
  const candidates = signaturesOf(name);
  if (candidates === undefined) return undefined;
  const chosen = choose(name, candidates, args, expected);
  const bytes = chosen.call(
    args.map((arg) => arg.bytes),
    context,
  );
  return { type: native(chosen.result), bytes };
}

function choose(
  name: string,
  candidates: readonly NativeFunction[],
  args: readonly TypedValue[],
  expected: CqlType | undefined,
): NativeFunction {
  const fitting = candidates.filter(
    (candidate) =>
      candidate.args.length === args.length &&
      candidate.args.every((parameter, i) => {
        const arg = args[i];
        return arg !== undefined && accepts(parameter, arg.type);
      }),
  );
  const exact = fitting.find((candidate) =>
    candidate.args.every((parameter, i) => {
      const arg = args[i];
      return arg !== undefined && sameType(native(parameter), arg.type);
    }),
  );
  const wanted = fitting.find(
    (candidate) => expected !== undefined && sameType(native(candidate.result), expected),
  );
  const chosen = exact ?? wanted ?? fitting[0];
  if (chosen !== undefined) return chosen;
  throw new InvalidRequestError(mismatch(name, candidates, args));
}

function mismatch(
  name: string,
  candidates: readonly NativeFunction[],
  args: readonly TypedValue[],
): string {
  const [only] = candidates;
  if (candidates.length === 1 && only !== undefined) {
    if (only.args.length !== args.length) {
      return `Invalid number of arguments in call to function system.${name}: ${only.args.length} required but ${args.length} provided`;
    }
    const index = only.args.findIndex((parameter, i) => {
      const arg = args[i];
      return arg === undefined || !accepts(parameter, arg.type);
    });
    const given = args[index];
    return `Type error: a value of type ${given === undefined ? '' : printType(given.type)} cannot be passed as argument ${index} of function system.${name} of type ${only.args[index] ?? ''}`;
  }
  const known = candidates
    .map((candidate) => `system.${name} : (${candidate.args.join(', ')}) -> ${candidate.result}`)
    .join(', ');
  return `Invalid call to function ${name}, none of its type signatures match (known type signatures: ${known})`;
}
