import { KeyAccessError, KeyUnavailableError } from '../../errors/index.ts';
import { isGone } from '../record.ts';
import type { CatalogRecord, KmsKeyUse, TableKeys, TableRecord } from '../record.ts';
import { claim } from './change_context.ts';
import type { ChangeContext } from './change_context.ts';

/** How long nothing is given back again for a table where that failed, or a backup needs the key. */
const RETRY_MS = 600_000;

/** What a table holds of the KMS key it is under. */
export function presentUse(keys: TableKeys): KmsKeyUse {
  const { provider, keyArn, serviceOwned } = keys;
  return { provider, keyArn, serviceOwned, grants: keys.grants ?? [] };
}

/** Gives back what tables hold of KMS keys that they left; what cannot be given back now is tried again later. */
export async function releaseLeftKeys(context: ChangeContext): Promise<boolean> {
  const { records } = await context.catalog.readRecords();
  let isChanged = false;
  for (const [id, { record }] of records) {
    if (!isToRelease(record, context.owner)) continue;
    if ((context.releaseAfterMs.get(id) ?? 0) > context.clock.monotonicMs()) continue;
    if (await releaseOf(context, id)) isChanged = true;
  }
  return isChanged;
}

/**
 * Gives back the KMS keys that one table left, under a claim: nobody may begin to use them again meanwhile. Ends a change
 * of key of the same owner.
 * @returns false when another change is under way.
 */
export async function releaseOf(context: ChangeContext, id: string): Promise<boolean> {
  const { catalog } = context;
  await context.step('release.claim');
  let claimed: TableRecord | undefined;
  await catalog.change((view) => {
    const record = view.records.get(id)?.record;
    claimed = record !== undefined && isToRelease(record, context.owner) ? record : undefined;
    if (claimed === undefined || claimed.claim?.owner === context.owner) return undefined;
    return { put: [{ ...claimed, claim: claim(context) }] };
  });
  if (claimed === undefined) return false;
  await context.step('release.keys');
  const left = await releaseUses(context, claimed);
  await context.step('release.done');
  await catalog.change((view) => {
    const record = view.records.get(id)?.record;
    if (record?.kind !== 'table' || record.claim?.owner !== context.owner) return undefined;
    const isEnded = record.state === 'ALTERING' && record.next === null;
    const { release: _, ...others } = record;
    return {
      put: [
        {
          ...others,
          state: isEnded ? 'ACTIVE' : record.state,
          claim: null,
          ...(left.length === 0 ? {} : { release: left }),
        },
      ],
    };
  });
  return true;
}

/**
 * Gives back every KMS key of a table that is gone or never came to be.
 * @returns false when something could not be given back now, or a backup needs it.
 */
export async function releaseAll(context: ChangeContext, record: TableRecord): Promise<boolean> {
  const uses = [...(record.release ?? [])];
  if (record.keys !== null) uses.push(presentUse(record.keys));
  const left = await releaseUses(context, { ...record, keys: null, release: uses });
  if (left.length > 0) return false;
  await context.keys.discardTableKeys(Buffer.from(record.tableId, 'hex'));
  return true;
}

/** @returns what is still to be given back. */
async function releaseUses(context: ChangeContext, record: TableRecord): Promise<KmsKeyUse[]> {
  const { tableId, keyspace, name, keys } = record;
  const uses = record.release ?? [];
  const kept = [...uses.map((use) => use.keyArn), keys?.keyArn ?? ''].filter((arn) => arn !== '');
  const left: KmsKeyUse[] = [];
  for (const use of uses) {
    const due = withoutPresent(use, keys);
    if (due === undefined) continue;
    try {
      // Backups of a table that keeps its key have a grant of their own: the working one of a dropped table is nobody's.
      const keepsKey = keys?.provider === due.provider && keys.keyArn === due.keyArn;
      const table = { tableId, keyspace, name };
      if (!keepsKey && (await context.backups.stillNeed(table, due, keys))) left.push(due);
      else await context.keys.releaseKey(Buffer.from(tableId, 'hex'), due, kept);
    } catch (error) {
      if (!(error instanceof KeyAccessError || error instanceof KeyUnavailableError)) throw error;
      left.push(due);
    }
  }
  if (left.length === 0) context.releaseAfterMs.delete(tableId);
  else context.releaseAfterMs.set(tableId, context.clock.monotonicMs() + RETRY_MS);
  return left;
}

/** What of a use is not in use by the table now. */
function withoutPresent(use: KmsKeyUse, keys: TableKeys | null): KmsKeyUse | undefined {
  if (keys?.provider !== use.provider || keys.keyArn !== use.keyArn) return use;
  if (use.serviceOwned || use.grants === null) return undefined;
  const grants = use.grants.filter((grant) => !keys.grants?.some((held) => held.id === grant.id));
  return grants.length === 0 ? undefined : { ...use, grants };
}

function isToRelease(record: CatalogRecord, owner: string): record is TableRecord {
  if (record.kind !== 'table' || record.state === 'ABANDONED') return false;
  if (record.claim !== null) return record.claim.owner === owner;
  return (record.release ?? []).length > 0 && (isGone(record) || record.state === 'ACTIVE');
}
