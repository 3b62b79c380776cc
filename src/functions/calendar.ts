/** Days and dates: the proleptic Gregorian calendar of Java's time classes, and the mixed one of its Calendar. */

/** A date; `month` from 1, years before 1 as 0, -1 and so on. */
export interface CivilDate {
  readonly year: number;
  readonly month: number;
  readonly day: number;
}

/** First day of the Gregorian calendar, 1582-10-15, in days since 1970. */
const CUTOVER = -141_427;
const JULIAN_OFFSET = 719_470;

/** The date of a day since 1970-01-01. */
export function gregorianDate(days: number): CivilDate {
  const shifted = days + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  );
  const dayOfYear =
    dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  return monthAndDay(yearOfEra + era * 400, dayOfYear);
}

/** `dayOfYear` counts from the first of March of `year`. */
function monthAndDay(year: number, dayOfYear: number): CivilDate {
  const shifted = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * shifted + 2) / 5) + 1;
  const month = shifted < 10 ? shifted + 3 : shifted - 9;
  return { year: month <= 2 ? year + 1 : year, month, day };
}

function dayInYear({ month, day }: CivilDate): number {
  return Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
}

function gregorianDays(date: CivilDate): number {
  const year = date.month <= 2 ? date.year - 1 : date.year;
  return (
    year * 365 +
    Math.floor(year / 4) -
    Math.floor(year / 100) +
    Math.floor(year / 400) +
    dayInYear(date) -
    719_468
  );
}

function julianDays(date: CivilDate): number {
  const year = date.month <= 2 ? date.year - 1 : date.year;
  return year * 365 + Math.floor(year / 4) + dayInYear(date) - JULIAN_OFFSET;
}

/** The date in Java's Calendar: Julian before 15 October 1582. */
export function calendarDate(days: number): CivilDate {
  if (days >= CUTOVER) return gregorianDate(days);
  const shifted = days + JULIAN_OFFSET;
  const cycle = Math.floor(shifted / 1461);
  const dayOfCycle = shifted - cycle * 1461;
  const yearOfCycle = Math.min(3, Math.floor(dayOfCycle / 365));
  return monthAndDay(cycle * 4 + yearOfCycle, dayOfCycle - yearOfCycle * 365);
}

/** Days since 1970 of a date in Java's Calendar. */
export function calendarDays(date: CivilDate): number {
  const days = gregorianDays(date);
  return days >= CUTOVER ? days : julianDays(date);
}

/** `Calendar.add(MONTH, months)` on days since 1970: a day that the month does not have becomes its last. */
export function addMonths(days: number, months: number): number {
  const date = calendarDate(days);
  const index = date.year * 12 + date.month - 1 + months;
  const year = Math.floor(index / 12);
  const month = index - year * 12 + 1;
  const next =
    month === 12 ? { year: year + 1, month: 1, day: 1 } : { year, month: month + 1, day: 1 };
  const length = calendarDays(next) - calendarDays({ year, month, day: 1 });
  return calendarDays({ year, month, day: Math.min(date.day, length) });
}
