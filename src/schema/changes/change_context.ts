import { OverloadError, SchemaError } from '../../errors/index.ts';
import type { Clock } from '../../util/index.ts';
import type { Catalog } from '../catalog.ts';
import type { BackupKeys, KeyNotices, SchemaSource, TableKeyFactory } from '../ports.ts';
import { recordLabel } from '../record.ts';
import type { CatalogRecord, TableRecord } from '../record.ts';
import type { UnusedColumns } from './unused_columns.ts';

/** What the single changes share. */
export interface ChangeContext {
  readonly catalog: Catalog;
  readonly source: SchemaSource;
  readonly keys: TableKeyFactory;
  readonly notices: KeyNotices;
  readonly backups: BackupKeys;
  /** Monotonic time before which keys of a record are not tried to be given back again, by record id. */
  readonly releaseAfterMs: Map<string, number>;
  readonly onKeysReleased: (record: TableRecord) => Promise<void>;
  readonly clock: Clock;
  readonly unused: UnusedColumns;
  /** Unique for each change, so that a claim that was taken over is noticed. */
  readonly owner: string;
  /** When the claim of this change was made, or renewed, by the clock of deadlines. */
  readonly held: { sinceMs: number };
  readonly claimMs: number;
  readonly step: (name: string) => void | Promise<void>;
}

/** How long a change waits for another one of the same object to end. */
const WAIT_FOR_CLAIM_MS = 15_000;
const FIRST_POLL_MS = 50;
const LAST_POLL_MS = 500;

/** A claim of this change, from now. */
export function claim(context: ChangeContext): { owner: string; deadlineMs: number } {
  const nowMs = context.clock.nowMs();
  context.held.sinceMs = nowMs;
  return { owner: context.owner, deadlineMs: nowMs + context.claimMs };
}

/**
 * To be called right before a stored statement is executed: the process may have stood still since it made its claim. Others then
 * settle the record by the schema that they see, and a statement that came after that would leave a table that fits no record.
 * A claim that has run for long is renewed.
 * @param ids of the records that this change has claimed
 * @throws OverloadError when the claim was lost: nothing is to be executed
 */
export async function keepClaim(context: ChangeContext, ids: ReadonlySet<string>): Promise<void> {
  const { catalog, clock, held, claimMs, owner } = context;
  if (ids.size === 0) return;
  if (clock.nowMs() - held.sinceMs < claimMs / 2) return;
  await catalog.change((view) => {
    const put = [...ids].map((id): CatalogRecord => {
      const record = view.records.get(id)?.record;
      if (record?.claim?.owner !== owner) throw lostClaim();
      return { ...record, claim: claim(context) };
    });
    return { put };
  });
}

function lostClaim(): OverloadError {
  return new OverloadError(
    'OVERLOAD_SCHEMA_CHANGE',
    'the schema change took so long that another proxy gave it up; look at what is there and try again',
  );
}

/** Thrown inside an edit of the catalog when another change holds a claim; {@link whenFree} catches it. */
class ClaimedError extends OverloadError {
  /** True when the process that made the claim has had its time. */
  readonly isExpired: boolean;

  constructor(name: string, isExpired: boolean) {
    super('OVERLOAD_SCHEMA_CHANGE', `another schema change of ${name} is under way; try again`);
    this.isExpired = isExpired;
  }
}

/** Refuses when another change of the same object is under way; to be called in an edit that runs inside {@link whenFree}. */
export function refuseForeignClaim(context: ChangeContext, record: CatalogRecord): void {
  const held = record.claim;
  if (held === null || held.owner === context.owner) return;
  throw new ClaimedError(recordLabel(record), held.deadlineMs <= context.clock.nowMs());
}

/**
 * Runs `attempt` again and again until no other change is in its way: one that is under way is waited for, as Cassandra
 * lets schema changes wait for each other; one whose process died is settled first.
 * @param settleExpired settles changes whose claims have expired
 * @throws OverloadError when the other change does not end
 */
export async function whenFree<T>(
  context: ChangeContext,
  settleExpired: () => Promise<void>,
  attempt: () => Promise<T>,
): Promise<T> {
  const giveUpMs = context.clock.monotonicMs() + WAIT_FOR_CLAIM_MS;
  for (let pollMs = FIRST_POLL_MS; ; pollMs = Math.min(LAST_POLL_MS, pollMs * 2)) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof ClaimedError) || context.clock.monotonicMs() > giveUpMs) throw error;
      if (error.isExpired) await settleExpired();
    }
    await context.catalog.sleep(pollMs);
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
