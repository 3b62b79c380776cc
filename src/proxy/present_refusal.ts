import { CqlErrorCode, ProxyError } from '../errors/index.ts';
import type { Session } from './session.ts';

/** A refusal by a reading of the schema that is not older is the present one, milliseconds. */
const PRESENT_MS = 1_000;

/**
 * Plans a statement by the newest snapshot, and once more by a new reading before it is refused as invalid: another proxy may
 * have changed the schema, and this one hears of that late where it stood still, or its connection did.
 */
export async function plannedByPresent<T>(
  session: Pick<Session, 'services'>,
  plan: () => Promise<T>,
): Promise<T> {
  try {
    return await plan();
  } catch (error) {
    const { catalog } = session.services;
    const isInvalid = error instanceof ProxyError && error.cqlCode === CqlErrorCode.INVALID;
    if (!isInvalid || catalog.ageMs() < PRESENT_MS) throw error;
    try {
      await catalog.refresh();
    } catch {
      throw error;
    }
    return await plan();
  }
}
