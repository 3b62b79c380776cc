import { InvalidRequestError } from '../errors/index.ts';
import { writeInt32, writeInt64 } from './bytes.ts';

const DAY_MS = 86_400_000n;

/** Days since 1970-01-01 of a proleptic Gregorian date. */
function daysOf(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  const dayOfEra =
    yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}

function lengthOfMonth(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

const RAW_NUMBER = /^-?\d+$/;
const ISO_LOCAL_DATE = /^([+-]?\d{4,10})-(\d{2})-(\d{2})$/;

/**
 * A `date`: 4 bytes, days since the epoch plus 2^31. The text is a date or that number itself.
 * Spec: org.apache.cassandra.serializers.SimpleDateSerializer.
 * @throws InvalidRequestError when the text is malformed or out of range
 */
export function parseDate(text: string): Uint8Array {
  const out = new Uint8Array(4);
  if (RAW_NUMBER.test(text)) {
    const value = text.length > 11 && !/^-?0+/.test(text) ? -1n : BigInt(text);
    if (value < 0n || value > 0xffffffffn) {
      throw new InvalidRequestError("Unable to make unsigned int (for date) from: '<constant>'");
    }
    writeInt32(out, 0, Number(value));
    return out;
  }
  const problem = "Unable to coerce '<constant>' to a formatted date (long)";
  const match = ISO_LOCAL_DATE.exec(text);
  if (match === null) throw new InvalidRequestError(problem);
  const [, yearText = '', monthText = '', dayText = ''] = match;
  if (!hasYearSign(yearText)) throw new InvalidRequestError(problem);
  const year = parseInt(yearText, 10);
  const month = parseInt(monthText, 10);
  const day = parseInt(dayText, 10);
  const isDate = month >= 1 && month <= 12 && day >= 1 && day <= lengthOfMonth(year, month);
  if (!isDate || Math.abs(year) > 999_999_999) throw new InvalidRequestError(problem);
  const days = daysOf(year, month, day);
  if (days < -0x80000000) {
    throw new InvalidRequestError(
      'Input date <constant> is less than min supported date -5877641-06-23T00:00Z',
    );
  }
  if (days > 0x7fffffff) {
    throw new InvalidRequestError(
      'Input date <constant> is greater than max supported date +5881580-07-11T00:00Z',
    );
  }
  writeInt32(out, 0, days + 0x80000000);
  return out;
}

/**
 * A `time`: 8 bytes, nanoseconds since midnight; `hh:mm:ss[.fffffffff]` or that number itself.
 * Spec: org.apache.cassandra.serializers.TimeSerializer.
 * @throws InvalidRequestError when the text is malformed or out of range
 */
export function parseTime(text: string): Uint8Array {
  if (RAW_NUMBER.test(text)) {
    const value = BigInt(text);
    if (value < 0n || value >= 86_400_000_000_000n) {
      throw new InvalidRequestError("Unable to make long (for time) from: '<constant>'");
    }
    return writeInt64(value);
  }
  const match = /^([+-]?\d+):([+-]?\d+):([+-]?\d+)(?:\.(\d{1,9}))?$/.exec(text.trim());
  const problem = "(TimeType) Unable to coerce '<constant>' to a formatted time (long)";
  if (match === null) throw new InvalidRequestError(problem);
  const [, hourText = '', minuteText = '', secondText = '', fraction = ''] = match;
  const hour = parseInt(hourText, 10);
  const minute = parseInt(minuteText, 10);
  const second = parseInt(secondText, 10);
  const isInRange =
    hour >= 0 && hour < 24 && minute >= 0 && minute < 60 && second >= 0 && second < 60;
  if (!isInRange) throw new InvalidRequestError(problem);
  const seconds = BigInt(hour * 3600 + minute * 60 + second);
  return writeInt64(seconds * 1_000_000_000n + BigInt(fraction.padEnd(9, '0')));
}

const ZONE = String.raw`( ?[+-]\d{2}(?:\d{2})?| ?[+-]\d{2}:\d{2}| ?Z| (?:UTC|GMT|UT)(?:[+-]\d{2}:\d{2})?)?`;
const DATE_AND_TIME = new RegExp(
  String.raw`^(\d+)-(\d+)-(\d+)[T ](\d+):(\d+)(?::(\d+)(?:\.(\d{0,9}))?)?${ZONE}$`,
);
const DATE_ONLY = new RegExp(String.raw`^([+-]?\d{4,10})-(\d{2})-(\d{2})${ZONE}$`);

/**
 * A `timestamp` in milliseconds since the epoch: a number, a date, or date and time, each with or without a zone, UTC by
 * default. Cassandra's default is the zone of its own host.
 * Spec: org.apache.cassandra.serializers.TimestampSerializer.
 * @throws InvalidRequestError when the text is malformed or out of range
 */
export function parseTimestamp(text: string): bigint {
  if (RAW_NUMBER.test(text)) {
    const value = text.length > 40 ? 1n << 64n : BigInt(text);
    if (BigInt.asIntN(64, value) !== value) {
      throw new InvalidRequestError("Unable to make long (for date) from: '<constant>'");
    }
    return value;
  }
  const withTime = DATE_AND_TIME.exec(text);
  if (withTime !== null) {
    const [, year, month, day, hour, minute, second = '0', fraction = '', zone] = withTime;
    const milliseconds = BigInt(fraction.padEnd(3, '0').slice(0, 3));
    if (Number(year) === 0) throw badTimestamp();
    const time = timeMs(hour, minute, second, milliseconds);
    return inRange(dateMs(year, month, day) + time - offsetMs(zone));
  }
  const dateOnly = DATE_ONLY.exec(text);
  if (dateOnly !== null) {
    const [, year = '', month, day, zone] = dateOnly;
    if (!hasYearSign(year)) throw badTimestamp();
    return inRange(dateMs(year, month, day) - offsetMs(zone));
  }
  throw badTimestamp();
}

function inRange(ms: bigint): bigint {
  if (BigInt.asIntN(64, ms) !== ms) throw badTimestamp();
  return ms;
}

/** ISO years have four digits without plus, or more with a sign; there is no -0000. */
function hasYearSign(year: string): boolean {
  if (year.startsWith('+')) return year.length > 5;
  return year.startsWith('-') ? Number(year) !== 0 : year.length === 4;
}

function badTimestamp(): InvalidRequestError {
  return new InvalidRequestError("Unable to parse a date/time from '<constant>'");
}

/** A day of the month up to 31 that the month does not have becomes its last, as Java's SMART resolver does. */
function dateMs(yearText = '', monthText = '', dayText = ''): bigint {
  const year = Number(yearText);
  const month = Number(monthText);
  const day = Number(dayText);
  if (Math.abs(year) > 999_999_999 || month < 1 || month > 12 || day < 1 || day > 31) {
    throw badTimestamp();
  }
  return BigInt(daysOf(year, month, Math.min(day, lengthOfMonth(year, month)))) * DAY_MS;
}

function timeMs(hourText = '', minuteText = '', secondText = '', milliseconds: bigint): bigint {
  const hour = Number(hourText);
  const minute = Number(minuteText);
  const second = Number(secondText);
  const isMidnight = hour === 24 && minute === 0 && second === 0 && milliseconds === 0n;
  if ((hour > 23 && !isMidnight) || minute > 59 || second > 59) throw badTimestamp();
  return BigInt((hour * 3600 + minute * 60 + second) * 1000) + milliseconds;
}

function offsetMs(zone: string | undefined): bigint {
  const match = zone === undefined ? null : /([+-])(\d{1,2}):?(\d{2})?$/.exec(zone);
  if (match === null) return 0n;
  const hours = Number(match[2]);
  const minutes = Number(match[3] ?? '0');
  if (hours > 18 || minutes > 59 || (hours === 18 && minutes > 0)) throw badTimestamp();
  const magnitude = BigInt((hours * 60 + minutes) * 60_000);
  return match[1] === '-' ? -magnitude : magnitude;
}
