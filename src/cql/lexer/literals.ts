import { isDigit, isHex } from './chars.ts';

/** Offset after the digits that begin at `at`; `at` itself when there are none. */
export function skipDigits(text: string, at: number): number {
  let position = at;
  while (isDigit(text.charCodeAt(position))) position++;
  return position;
}

/** Offset after the 36 characters of a uuid that begins at `at`, or -1. */
export function matchUuid(text: string, at: number): number {
  for (let index = 0; index < 36; index++) {
    const code = text.charCodeAt(at + index);
    if (index === 8 || index === 13 || index === 18 || index === 23) {
      if (code !== 45) return -1;
    } else if (!isHex(code)) return -1;
  }
  return at + 36;
}

/**
 * Offset after the unit of a duration at `at`, or -1: y, mo, w, d, h, m, s, ms, us, µs, ns in any case.
 *
 * Spec: Cassandra 5.0 Lexer.g `DURATION_UNIT`.
 */
export function matchDurationUnit(text: string, at: number): number {
  const code = text.charCodeAt(at) | 32;
  const following = text.charCodeAt(at + 1) | 32;
  switch (code) {
    case 0x79: // y
    case 0x77: // w
    case 0x64: // d
    case 0x68: // h
    case 0x73: // s
      return at + 1;
    case 0x6d: // m, mo, ms
      return following === 0x6f || following === 0x73 ? at + 2 : at + 1;
    case 0x75: // us
    case 0x6e: // ns
      return following === 0x73 ? at + 2 : -1;
    default: // µs
      return text.charCodeAt(at) === 0xb5 && following === 0x73 ? at + 2 : -1;
  }
}

/** Offset after `1h30m…` that begins with digits at `at`, or -1. */
export function matchUnitDuration(text: string, at: number): number {
  let end = -1;
  let position = at;
  for (;;) {
    const afterDigits = skipDigits(text, position);
    if (afterDigits === position) return end;
    const afterUnit = matchDurationUnit(text, afterDigits);
    if (afterUnit < 0) return end;
    end = afterUnit;
    position = afterUnit;
  }
}

/**
 * Offset after an ISO 8601 duration whose `P` (upper case only) stands at `at`, or -1.
 *
 * Spec: Cassandra 5.0 Lexer.g `DURATION`.
 */
export function matchIsoDuration(text: string, at: number): number {
  const alternative = matchAlternativeFormat(text, at);
  if (alternative >= 0) return alternative;
  let position = at + 1;
  const week = skipDigits(text, position);
  if (week > position && text[week] === 'W') return week + 1;
  const period = matchDesignators(text, position, 'YMD');
  if (period > position) position = period;
  if (text[position] === 'T') {
    const time = matchDesignators(text, position + 1, 'HMS');
    if (time > position + 1) return time;
  }
  return position > at + 1 ? position : -1;
}

/** Digits each followed by one of the designators, in their order, each at most once. */
function matchDesignators(text: string, at: number, designators: string): number {
  let position = at;
  let from = 0;
  for (;;) {
    const afterDigits = skipDigits(text, position);
    if (afterDigits === position) return position;
    const found = designators.indexOf(text[afterDigits] ?? ' ', from);
    if (found < 0) return position;
    from = found + 1;
    position = afterDigits + 1;
  }
}

const ALTERNATIVE = 'Pdddd-dd-ddTdd:dd:dd';

function matchAlternativeFormat(text: string, at: number): number {
  for (let index = 0; index < ALTERNATIVE.length; index++) {
    const expected = ALTERNATIVE.charCodeAt(index);
    const code = text.charCodeAt(at + index);
    if (expected === 0x64 ? !isDigit(code) : code !== expected) return -1;
  }
  return at + ALTERNATIVE.length;
}
