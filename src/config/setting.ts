import { z } from 'zod';

/** An empty variable counts as one that is not set, as compose files and shells leave them. */
export function setting<T>(schema: z.ZodType<T>): z.ZodType<T> {
  return z.preprocess((value) => (value === '' ? undefined : value), schema);
}
