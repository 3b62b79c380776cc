import { OverloadError, SchemaError } from '../../errors/index.ts';
import type { Clock } from '../../util/index.ts';
import type { Catalog } from '../catalog.ts';
import type { SchemaSource, TableKeyFactory } from '../ports.ts';

/** What the single changes share. */
export interface ChangeContext {
  readonly catalog: Catalog;
  readonly source: SchemaSource;
  readonly keys: TableKeyFactory;
  readonly clock: Clock;
  /** Unique for each change, so that a claim that was taken over is noticed. */
  readonly owner: string;
  readonly claimMs: number;
  readonly step: (name: string) => void | Promise<void>;
}

/** A claim of this change, from now. */
export function claim(context: ChangeContext): { owner: string; deadlineMs: number } {
  return { owner: context.owner, deadlineMs: context.clock.nowMs() + context.claimMs };
}

/** Refuses when another change of the same object is under way. */
export function refuseForeignClaim(
  context: ChangeContext,
  name: string,
  held: { readonly owner: string; readonly deadlineMs: number } | null,
): void {
  if (held?.owner === context.owner) return;
  if (held !== null && held.deadlineMs > context.clock.nowMs()) {
    throw new OverloadError(
      'OVERLOAD_SCHEMA_CHANGE',
      `another schema change of ${name} is under way; try again`,
    );
  }
}

/**
 * Waits until all nodes agree and reads the schema again.
 * @throws SchemaError when the nodes do not agree in time; the change is then settled by recovery.
 */
export async function settled(context: ChangeContext): Promise<void> {
  const agreed = await context.source.waitForAgreement();
  await context.catalog.refresh();
  if (!agreed) {
    throw new SchemaError(
      'SCHEMA_NO_AGREEMENT',
      'the nodes did not agree on the schema in time; the change is settled later',
    );
  }
}
