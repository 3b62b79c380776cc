import { InvalidRequestError } from '../errors/index.ts';
import { callFunction, native, readBigInt, timeuuidToUnixMs, writeInt64 } from '../values/index.ts';
import type { DurationParts, FunctionContext } from '../values/index.ts';
import { addMonths, calendarDate, gregorianDate } from './calendar.ts';

const DAY_MS = 86_400_000n;
const NANOS_PER_MS = 1_000_000n;
const NANOS_PER_DAY = DAY_MS * NANOS_PER_MS;

/** The types that are points of time with their date. */
export type TemporalName = 'timestamp' | 'date' | 'timeuuid';

/** Conversions take nothing from the context. */
const NO_CONTEXT: FunctionContext = {
  nowMs: () => 0,
  randomBytes: (count) => new Uint8Array(count),
  nextTimeuuid: () => new Uint8Array(16),
};

/** Milliseconds since the epoch. */
export function temporalToMs(type: TemporalName, bytes: Uint8Array): bigint {
  if (type === 'timeuuid') return timeuuidToUnixMs(bytes);
  if (type === 'timestamp') return readBigInt(bytes);
  return BigInt(dayNumber(bytes)) * DAY_MS;
}

/** Days since the epoch of a `date`. */
export function dayNumber(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0) - 0x80000000;
}

/** The bytes of a time for the type; dates lose the time of the day as Cassandra cuts it. */
export function msToTemporal(type: 'timestamp' | 'date', ms: bigint): Uint8Array | null {
  const timestamp = writeInt64(ms);
  if (type === 'timestamp') return timestamp;
  const value = { type: native('timestamp'), bytes: timestamp };
  return callFunction('to_date', [value], native('date'), NO_CONTEXT)?.bytes ?? null;
}

function wrap(value: bigint): bigint {
  return BigInt.asIntN(64, value);
}

function splitMs(ms: bigint): { readonly days: number; readonly rest: bigint } {
  const rest = ((ms % DAY_MS) + DAY_MS) % DAY_MS;
  return { days: Number((ms - rest) / DAY_MS), rest };
}

/** `Calendar.add(MONTH, months)` on milliseconds. */
function addMonthsToMs(ms: bigint, months: number): bigint {
  const { days, rest } = splitMs(ms);
  return wrap(BigInt(addMonths(days, months)) * DAY_MS + rest);
}

/**
 * A timestamp or date plus or minus a duration.
 * @throws InvalidRequestError for a duration that is finer than the type
 */
export function addDuration(
  type: 'timestamp' | 'date',
  bytes: Uint8Array,
  duration: DurationParts,
  isMinus: boolean,
): Uint8Array | null {
  if (type === 'date' && duration.nanoseconds !== 0n) {
    throw new InvalidRequestError('The duration must have a day precision. Was: <constant>');
  }
  if (type === 'timestamp' && duration.nanoseconds % NANOS_PER_MS !== 0n) {
    throw new InvalidRequestError(
      'The duration must have a millisecond precision. Was: <constant>',
    );
  }
  const sign = isMinus ? -1n : 1n;
  const ms = temporalToMs(type, bytes);
  const days = duration.days * sign;
  const small = (duration.nanoseconds / NANOS_PER_MS) * sign;
  if (duration.months === 0n) return msToTemporal(type, wrap(ms + days * DAY_MS + small));
  const moved = addMonthsToMs(ms, Number(duration.months * sign));
  return msToTemporal(type, wrap(moved + days * DAY_MS + BigInt.asIntN(32, small)));
}

function durationMs(duration: DurationParts): bigint {
  return wrap(duration.days * DAY_MS + duration.nanoseconds / NANOS_PER_MS);
}

function isNegative({ months, days, nanoseconds }: DurationParts): boolean {
  return months < 0n || days < 0n || nanoseconds < 0n;
}

/**
 * The start of the interval of a length in which a time lies, counted from a starting time; all in milliseconds.
 * Spec: org.apache.cassandra.cql3.Duration.floorTimestamp.
 */
export function floorMs(ms: bigint, duration: DurationParts, start: bigint): bigint {
  if (start > ms) {
    throw new InvalidRequestError(
      'The floor function starting time is greater than the provided time',
    );
  }
  if (isNegative(duration)) {
    throw new InvalidRequestError('Negative durations are not supported by the floor function');
  }
  const length = durationMs(duration);
  if (duration.months === 0n) {
    if (length === 0n) return ms;
    return wrap(ms - (wrap(ms - start) % length));
  }
  const to = calendarDate(splitMs(ms).days);
  const from = calendarDate(splitMs(start).days);
  // Years before 1 count upwards in Java's Calendar.
  const years =
    Math.abs(to.year <= 0 ? 1 - to.year : to.year) -
    Math.abs(from.year <= 0 ? 1 - from.year : from.year);
  const months = Number(duration.months);
  let count = Math.trunc((years * 12 + to.month - from.month) / months);
  let moved = addMonthsToMs(start, count * months);
  if (duration.days === 0n && duration.nanoseconds === 0n) return moved;
  let floor = wrap(moved + BigInt(count) * length);
  while (floor > ms) {
    count -= 1;
    moved = addMonthsToMs(moved, -months);
    floor = wrap(moved + BigInt(count) * length);
  }
  return floor > start ? floor : start;
}

/** The same on nanoseconds of a day. Spec: org.apache.cassandra.cql3.Duration.floorTime. */
export function floorTime(nanos: bigint, duration: DurationParts): bigint {
  if (isNegative(duration)) {
    throw new InvalidRequestError('Negative durations are not supported by the floor function');
  }
  if (duration.months !== 0n || duration.days !== 0n || duration.nanoseconds > NANOS_PER_DAY) {
    throw new InvalidRequestError(
      'For time values, the floor can only be computed for durations smaller that a day',
    );
  }
  return duration.nanoseconds === 0n ? nanos : nanos - (nanos % duration.nanoseconds);
}

/** A year as Java's formatters print it: four digits, a plus before more. */
function yearText(year: number): string {
  const digits = Math.abs(year).toString().padStart(4, '0');
  if (year < 0) return `-${digits}`;
  return digits.length > 4 ? `+${digits}` : digits;
}

const two = (value: number | bigint): string => value.toString().padStart(2, '0');

/** `yyyy-MM-dd` of a `date`. */
export function dateText(bytes: Uint8Array): string {
  const { year, month, day } = gregorianDate(dayNumber(bytes));
  return `${yearText(year)}-${two(month)}-${two(day)}`;
}

/** A `timestamp` in UTC with milliseconds; years before 1 are printed without their era, as Cassandra does. */
export function timestampText(bytes: Uint8Array, separator: 'T' | ' '): string {
  const { days, rest } = splitMs(readBigInt(bytes));
  const { year, month, day } = gregorianDate(days);
  const seconds = rest / 1000n;
  const date = `${yearText(year <= 0 ? 1 - year : year)}-${two(month)}-${two(day)}`;
  const clock = `${two(seconds / 3600n)}:${two((seconds / 60n) % 60n)}:${two(seconds % 60n)}`;
  return `${date}${separator}${clock}.${(rest % 1000n).toString().padStart(3, '0')}Z`;
}

/** `hh:mm:ss.nnnnnnnnn` of a `time`. */
export function timeText(bytes: Uint8Array): string {
  const nanos = readBigInt(bytes);
  const seconds = nanos / 1_000_000_000n;
  const clock = `${two(seconds / 3600n)}:${two((seconds / 60n) % 60n)}:${two(seconds % 60n)}`;
  return `${clock}.${(nanos % 1_000_000_000n).toString().padStart(9, '0')}`;
}

const DURATION_UNITS: readonly (readonly [bigint, string])[] = [
  [3_600_000_000_000n, 'h'],
  [60_000_000_000n, 'm'],
  [1_000_000_000n, 's'],
  [1_000_000n, 'ms'],
  [1000n, 'us'],
  [1n, 'ns'],
];

/** A `duration` as `1y2mo3d4h5m6s7ms8us9ns`. */
export function durationText(duration: DurationParts): string {
  const magnitude = (value: bigint): bigint => (value < 0n ? -value : value);
  let text = isNegative(duration) ? '-' : '';
  const append = (value: bigint, unit: bigint, name: string): bigint => {
    if (value < unit || value === 0n) return value;
    text += `${value / unit}${name}`;
    return value % unit;
  };
  append(append(magnitude(duration.months), 12n, 'y'), 1n, 'mo');
  append(magnitude(duration.days), 1n, 'd');
  let rest = magnitude(duration.nanoseconds);
  for (const [unit, name] of DURATION_UNITS) rest = append(rest, unit, name);
  return text;
}
