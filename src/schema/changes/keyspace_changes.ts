import { randomBytes } from 'node:crypto';
import { InvalidRequestError, OverloadError } from '../../errors/index.ts';
import type { KeyTarget } from '../ports.ts';
import type { KeyspaceRecord } from '../record.ts';
import type { VerifiedRecords } from '../verified_records.ts';
import { claim, refuseForeignClaim, settled, whenFree } from './change_context.ts';
import type { ChangeContext } from './change_context.ts';
import type { EncryptionChoice, RunStored } from './change_types.ts';
import { chosenKey, keyFailure } from './key_choice.ts';
import { isRefusal } from './outcome.ts';
import { recoverChanges } from './recovery.ts';

const CLAIM_ATTEMPTS = 5;

/**
 * CREATE KEYSPACE with a default key: the record first, then the keyspace; recovery removes a record without a keyspace. A
 * keyspace that is there keeps its default: Cassandra answers the statement.
 * @param authorize asks Cassandra whether the client may make it, before the KMS is asked
 */
export async function createKeyspace(
  context: ChangeContext,
  keyspace: string,
  choice: EncryptionChoice,
  runStored: RunStored,
  authorize: () => Promise<void>,
): Promise<void> {
  const { catalog } = context;
  const isThere = (await catalog.refresh()).keyspace(keyspace) !== undefined;
  const target = isThere ? 'service-owned' : await usableKey(context, keyspace, choice, authorize);
  if (target === 'service-owned') {
    await runStored();
    await settled(context);
    return;
  }
  const record: KeyspaceRecord = {
    format: 1,
    kind: 'keyspace',
    state: 'CREATING',
    keyspace,
    keyspaceId: randomBytes(16).toString('hex'),
    defaultKey: target,
    claim: claim(context),
  };
  await context.step('create_keyspace.claim');
  const isClaimed = await claimKeyspace(context, record);
  const own = new Set([record.keyspaceId]);
  let outcome: 'created' | 'exists';
  try {
    await context.step('create_keyspace.stored');
    outcome = await runStored();
  } catch (error) {
    if (isRefusal(error)) await removeOwn(context, record.keyspaceId);
    throw error;
  }
  if (outcome === 'exists') await removeOwn(context, record.keyspaceId);
  if (outcome === 'exists' || !isClaimed) return;
  await context.step('create_keyspace.agreement');
  await settled(context);
  await context.step('create_keyspace.record');
  await recoverChanges(context, own);
  await catalog.refresh();
}

/** ALTER KEYSPACE of the default key alone: one change of the record. Tables that are there keep their keys. */
export async function alterKeyspaceKey(
  context: ChangeContext,
  keyspace: string,
  choice: EncryptionChoice,
  authorize: () => Promise<void>,
): Promise<void> {
  const { catalog } = context;
  if ((await catalog.refresh()).keyspace(keyspace) === undefined) {
    await authorize();
    throw new InvalidRequestError(`Keyspace '${keyspace}' doesn't exist`);
  }
  const target = await usableKey(context, keyspace, choice, authorize);
  await context.step('alter_keyspace.record');
  await claimable(context, async () => {
    await catalog.change((view) => {
      const current = recordOf(view, keyspace);
      if (current !== undefined) refuseForeignClaim(context, current);
      if (target === 'service-owned') {
        return current === undefined ? undefined : { remove: [current.keyspaceId] };
      }
      const keyspaceId = current?.keyspaceId ?? randomBytes(16).toString('hex');
      return {
        put: [
          {
            format: 1,
            kind: 'keyspace',
            state: 'ACTIVE',
            keyspace,
            keyspaceId,
            defaultKey: target,
            claim: null,
          },
        ],
      };
    });
  });
  await catalog.refresh();
}

/** The key, after data keys were made under it. @throws SchemaError when it cannot be used. */
async function usableKey(
  context: ChangeContext,
  keyspace: string,
  choice: EncryptionChoice,
  authorize: () => Promise<void>,
): Promise<KeyTarget> {
  await authorize();
  const object = { keyspace, table: undefined };
  const target = await chosenKey(context, object, choice);
  if (target === 'service-owned') return target;
  try {
    await context.keys.tryKey(target);
  } catch (error) {
    throw keyFailure(context, object, target.keyArn, error);
  }
  return target;
}

/**
 * Puts the claim into the catalog. A record whose keyspace is gone (dropped around the proxy) gives way; that it is gone
 * must have been seen after the record was written.
 * @returns false when the keyspace was made meanwhile.
 */
async function claimKeyspace(context: ChangeContext, record: KeyspaceRecord): Promise<boolean> {
  const { catalog, source } = context;
  let absentAtRoot: bigint | undefined;
  for (let attempt = 1; ; attempt += 1) {
    const isClaimed = await claimable(context, async () => {
      let isSure = true;
      await catalog.change((view) => {
        const other = recordOf(view, record.keyspace);
        const remove = other === undefined ? [] : [other.keyspaceId];
        isSure = true;
        if (other !== undefined) {
          refuseForeignClaim(context, other);
          isSure = absentAtRoot === view.root.version;
        }
        return isSure ? { put: [{ ...record, claim: claim(context) }], remove } : undefined;
      });
      return isSure;
    });
    if (isClaimed) return true;
    if (attempt === CLAIM_ATTEMPTS || !(await source.waitForAgreement())) {
      throw new OverloadError(
        'OVERLOAD_SCHEMA_CHANGE',
        `another schema change of ${record.keyspace} is under way; try again`,
      );
    }
    const snapshot = await catalog.refresh();
    if (snapshot.keyspace(record.keyspace) !== undefined) return false;
    absentAtRoot = snapshot.rootVersion;
  }
}

async function removeOwn(context: ChangeContext, keyspaceId: string): Promise<void> {
  await context.catalog.change((view) =>
    view.records.get(keyspaceId)?.record.claim?.owner === context.owner
      ? { remove: [keyspaceId] }
      : undefined,
  );
  await context.catalog.refresh();
}

function recordOf(view: VerifiedRecords, keyspace: string): KeyspaceRecord | undefined {
  for (const { record } of view.records.values()) {
    if (record.kind === 'keyspace' && record.keyspace === keyspace) return record;
  }
  return undefined;
}

function claimable<T>(context: ChangeContext, attempt: () => Promise<T>): Promise<T> {
  return whenFree(context, () => recoverChanges(context), attempt);
}
