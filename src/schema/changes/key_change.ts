import { InvalidRequestError, KeyAccessError } from '../../errors/index.ts';
import type { TableEntry } from '../entries.ts';
import type { KeyTarget } from '../ports.ts';
import type { CustomProperties, KmsKeyUse, TableKeys, TableRecord } from '../record.ts';
import { claim, refuseForeignClaim, whenFree } from './change_context.ts';
import type { ChangeContext } from './change_context.ts';
import type { EncryptionChoice } from './change_types.ts';
import { chosenKey, keyFailure } from './key_choice.ts';
import { presentUse, releaseOf } from './key_release.ts';
import { tableRecord, updateOwn } from './own_record.ts';
import { recoverChanges } from './recovery.ts';

/**
 * Puts a table under another KMS key: claim with the new key noted, keys made under it, one change of the record that
 * holds nothing of the old key any more, then the old key is given back. Until that one change the table is under the old
 * key, from then on under the new one; recovery gives back the other one's grants and keys. No data is rewritten.
 * @throws SchemaError when the KMS refuses the old or the new key; nothing is left of the attempt.
 */
export async function changeTableKey(
  context: ChangeContext,
  table: TableEntry,
  choice: EncryptionChoice,
): Promise<void> {
  const { catalog } = context;
  const { keyspace, name, record } = table;
  if (record === undefined) return;
  const object = { keyspace, table: name };
  const target = await chosenKey(context, object, choice);

  await context.step('key_change.claim');
  const before = await claimForKey(context, record.tableId, target);
  if (before === undefined) return;

  let asked = before.keyArn;
  let next: TableKeys;
  try {
    await context.step('key_change.keys');
    const { clusterId } = await catalog.readRecords();
    const tableId = Buffer.from(record.tableId, 'hex');
    const keyed = { clusterId, tableId, keyspace, name };
    next = await context.keys.changedTableKeys(keyed, before, target, (keyArn) => {
      asked = keyArn;
    });
    await context.step('key_change.switch');
    await updateOwn(context, record.tableId, (current) => {
      if (JSON.stringify(current.keys) !== JSON.stringify(before)) throw changedMeanwhile(current);
      const changed = without(current, intended(target));
      return {
        ...changed,
        keys: next,
        release: [...(changed.release ?? []), presentUse(before)],
      };
    });
  } catch (error) {
    await undo(context, record.tableId, target, error);
    throw keyFailure(context, object, asked, error);
  }
  await context.step('key_change.refresh');
  await catalog.refresh();
  await releaseOf(context, record.tableId);
  await catalog.refresh();
}

/** Keeps other custom properties of a table. */
export async function setCustomProperties(
  context: ChangeContext,
  table: TableEntry,
  properties: CustomProperties,
): Promise<void> {
  const { record } = table;
  if (record === undefined) return;
  await context.step('properties.record');
  await claimable(context, async () => {
    await context.catalog.change((view) => {
      const current = tableRecord(view, record.tableId);
      refuseForeignClaim(context, current);
      const customProperties = { ...current.customProperties, ...properties };
      return { put: [{ ...current, customProperties }] };
    });
  });
  await context.catalog.refresh();
}

/** What is to be given back if the change of key ends before the record has the new keys. */
export function intended(target: KeyTarget): KmsKeyUse {
  return target === 'service-owned'
    ? { provider: '', keyArn: '', serviceOwned: true, grants: [] }
    : { ...target, serviceOwned: false, grants: null };
}

/** @returns the keys of the table before the change; `undefined` when it is under that key already. */
async function claimForKey(
  context: ChangeContext,
  tableId: string,
  target: KeyTarget,
): Promise<TableKeys | undefined> {
  let before: TableKeys | undefined;
  await claimable(context, async () => {
    await context.catalog.change((view) => {
      const current = tableRecord(view, tableId);
      refuseForeignClaim(context, current);
      before = undefined;
      if (current.claim === null && current.state !== 'ACTIVE') throw changedMeanwhile(current);
      if (current.keys === null || isUnder(current.keys, target)) return undefined;
      before = current.keys;
      const release = [...(current.release ?? []), intended(target)];
      return { put: [{ ...current, state: 'ALTERING', release, claim: claim(context) }] };
    });
  });
  return before;
}

function isUnder(keys: TableKeys, target: KeyTarget): boolean {
  if (target === 'service-owned') return keys.serviceOwned;
  return keys.provider === target.provider && keys.keyArn === target.keyArn;
}

function without(record: TableRecord, use: KmsKeyUse): TableRecord {
  const text = JSON.stringify(use);
  return {
    ...record,
    release: (record.release ?? []).filter((other) => JSON.stringify(other) !== text),
  };
}

/** The client gets the first error; what cannot be undone now is left to recovery. */
async function undo(
  context: ChangeContext,
  tableId: string,
  target: KeyTarget,
  error: unknown,
): Promise<void> {
  try {
    if (error instanceof KeyAccessError && target !== 'service-owned') {
      // The KMS answered, so there is no grant.
      await updateOwn(context, tableId, (current) => without(current, intended(target)));
    }
    await releaseOf(context, tableId);
    await context.catalog.refresh();
  } catch {
    // The claim stays until its deadline.
  }
}

function claimable<T>(context: ChangeContext, attempt: () => Promise<T>): Promise<T> {
  return whenFree(context, () => recoverChanges(context), attempt);
}

function changedMeanwhile(record: TableRecord): InvalidRequestError {
  return new InvalidRequestError(
    `table ${record.keyspace}.${record.name} was changed meanwhile; try again`,
  );
}
