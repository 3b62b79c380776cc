import { z } from 'zod';

/** An empty variable counts as one that is not set, as compose files and shells leave them. */
export function setting<T>(schema: z.ZodType<T>): z.ZodType<T> {
  return z.preprocess((value) => (value === '' ? undefined : value), schema);
}

/** A whole number in a range. */
export function integer(minimum: number, maximum: number, defaultValue: number): z.ZodType<number> {
  const range = `must be a whole number from ${String(minimum)} to ${String(maximum)}`;
  return z
    .string()
    .trim()
    .regex(/^\d{1,15}$/, range)
    .transform(Number)
    .refine((value) => value >= minimum && value <= maximum, range)
    .default(defaultValue);
}

const UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** A duration with its unit, as milliseconds. */
export function duration(minimumMs: number, defaultMs: number): z.ZodType<number> {
  return z
    .string()
    .trim()
    .regex(/^\d{1,9}(ms|s|m|h|d)$/, 'must be a duration such as 500ms, 30s, 5m, 1h or 1d')
    .transform((text) => {
      const [, amount = '', unit = ''] = /^(\d+)(\D+)$/.exec(text) ?? [];
      return Number(amount) * (UNITS[unit] ?? Number.NaN);
    })
    .refine((value) => value >= minimumMs, `must be at least ${String(minimumMs)}ms`)
    .default(defaultMs);
}
