import { InvalidRequestError } from '../errors/index.ts';
import { writeDuration } from './number_codecs.ts';

type Field = 'months' | 'days' | 'nanoseconds';

interface Unit {
  /** Units must come in this order, each once. */
  readonly index: number;
  readonly name: string;
  readonly field: Field;
  readonly factor: bigint;
}

const unit = (index: number, name: string, field: Field, factor: bigint): Unit => ({
  index,
  name,
  field,
  factor,
});
const YEARS = unit(1, 'years', 'months', 12n);
const MONTHS = unit(2, 'months', 'months', 1n);
const WEEKS = unit(3, 'weeks', 'days', 7n);
const DAYS = unit(4, 'days', 'days', 1n);
const HOURS = unit(5, 'hours', 'nanoseconds', 3_600_000_000_000n);
const MINUTES = unit(6, 'minutes', 'nanoseconds', 60_000_000_000n);
const SECONDS = unit(7, 'seconds', 'nanoseconds', 1_000_000_000n);
const MILLISECONDS = unit(8, 'milliseconds', 'nanoseconds', 1_000_000n);
const MICROSECONDS = unit(9, 'microseconds', 'nanoseconds', 1000n);
const NANOSECONDS = unit(10, 'nanoseconds', 'nanoseconds', 1n);
const UNITS = [
  YEARS,
  MONTHS,
  WEEKS,
  DAYS,
  HOURS,
  MINUTES,
  SECONDS,
  MILLISECONDS,
  MICROSECONDS,
  NANOSECONDS,
] as const;

const SYMBOLS: ReadonlyMap<string, Unit> = new Map([
  ['y', YEARS],
  ['mo', MONTHS],
  ['w', WEEKS],
  ['d', DAYS],
  ['h', HOURS],
  ['m', MINUTES],
  ['s', SECONDS],
  ['ms', MILLISECONDS],
  ['us', MICROSECONDS],
  ['µs', MICROSECONDS],
  ['ns', NANOSECONDS],
]);

const LIMITS: Readonly<Record<Field, bigint>> = {
  months: 0x7fffffffn,
  days: 0x7fffffffn,
  nanoseconds: 0x7fffffffffffffffn,
};

class DurationBuilder {
  readonly #parts: Record<Field, bigint> = { months: 0n, days: 0n, nanoseconds: 0n };
  #lastIndex = 0;

  add(unitOfNumber: Unit, digits: string): void {
    const { index, name, field, factor } = unitOfNumber;
    if (index === this.#lastIndex) {
      throw new InvalidRequestError(`Invalid duration. The ${name} are specified multiple times`);
    }
    if (index < this.#lastIndex) {
      const last = UNITS[this.#lastIndex - 1]?.name ?? '';
      throw new InvalidRequestError(`Invalid duration. The ${last} should be after ${name}`);
    }
    this.#lastIndex = index;
    const number = BigInt(digits);
    if (number > LIMITS.nanoseconds) throw malformed();
    if (number > (LIMITS[field] - this.#parts[field]) / factor) {
      throw new InvalidRequestError(
        `Invalid duration. The total number of ${field} must be less or equal to 2147483647`,
      );
    }
    this.#parts[field] += number * factor;
  }

  bytes(isNegative: boolean): Uint8Array {
    const { months, days, nanoseconds } = this.#parts;
    if (!isNegative) return writeDuration({ months, days, nanoseconds });
    return writeDuration({ months: -months, days: -days, nanoseconds: -nanoseconds });
  }
}

function malformed(): InvalidRequestError {
  return new InvalidRequestError("Unable to convert '<constant>' to a duration");
}

const STANDARD = /(\d+)(ms|us|µs|ns|mo|y|w|d|h|s|m)/giy;
const ISO = /^P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?$/;
const ISO_UNITS = [YEARS, MONTHS, DAYS, HOURS, MINUTES, SECONDS] as const;
const ISO_WEEKS = /^P(\d+)W$/;
const ISO_ALTERNATIVE = /^P(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})$/;

/**
 * A duration in one of Cassandra's four forms: `1y2mo3d4h`, `P1Y2M3DT4H`, `P2W`, `P0001-02-03T04:05:06`.
 * Spec: org.apache.cassandra.cql3.Duration.from.
 * @throws InvalidRequestError when the text is malformed or out of range
 */
export function parseDuration(text: string): Uint8Array {
  const isNegative = text.startsWith('-');
  const source = isNegative ? text.slice(1) : text;
  const builder = new DurationBuilder();
  if (!source.startsWith('P')) {
    addStandard(builder, source);
  } else if (source.endsWith('W')) {
    addMatch(builder, ISO_WEEKS.exec(source), [WEEKS]);
  } else if (source.includes('-')) {
    addMatch(builder, ISO_ALTERNATIVE.exec(source), ISO_UNITS);
  } else {
    addMatch(builder, ISO.exec(source), ISO_UNITS);
  }
  return builder.bytes(isNegative);
}

function addMatch(
  builder: DurationBuilder,
  match: RegExpExecArray | null,
  units: readonly Unit[],
): void {
  if (match === null) throw malformed();
  units.forEach((unitOfGroup, i) => {
    const digits = match[i + 1];
    if (digits !== undefined) builder.add(unitOfGroup, digits);
  });
}

function addStandard(builder: DurationBuilder, source: string): void {
  STANDARD.lastIndex = 0;
  let end = 0;
  for (let match = STANDARD.exec(source); match !== null; match = STANDARD.exec(source)) {
    const found = SYMBOLS.get((match[2] as string).toLowerCase());
    if (found === undefined) throw malformed();
    builder.add(found, match[1] as string);
    end = STANDARD.lastIndex;
  }
  if (end === 0 || end !== source.length) throw malformed();
}
