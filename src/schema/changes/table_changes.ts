import { randomBytes, randomUUID } from 'node:crypto';
import {
  InternalError,
  KeyAccessError,
  MetadataIntegrityError,
  OverloadError,
} from '../../errors/index.ts';
import type { TableEntry } from '../entries.ts';
import type { KeyTarget } from '../ports.ts';
import { RESERVED_COLUMN_PREFIX } from '../names.ts';
import { isGone, recordId } from '../record.ts';
import type { CatalogRecord, TableRecord } from '../record.ts';
import { claim, keepClaim, refuseForeignClaim, settled, whenFree } from './change_context.ts';
import type { ChangeContext } from './change_context.ts';
import type { AlterTableChange, CreateTableDefinition, RunStored } from './change_types.ts';
import { formAfter, newColumnRecord } from './forms.ts';
import { intended } from './key_change.ts';
import { chosenKey, defaultKey, keyFailure } from './key_choice.ts';
import { releaseAll } from './key_release.ts';
import { isRefusal } from './outcome.ts';
import { tableRecord, updateOwn } from './own_record.ts';
import { recoverChanges } from './recovery.ts';
import { droppedRecord } from './settle.ts';

const CLAIM_ATTEMPTS = 5;

/** The CREATE TABLE protocol: claim, keys, stored statement, agreement, active. */
export async function createTable(
  context: ChangeContext,
  definition: CreateTableDefinition,
  runStored: RunStored<{ readonly tableId: string }>,
  authorize: (() => Promise<void>) | undefined,
): Promise<'created' | 'exists'> {
  const { keyspace, name } = definition;
  const { catalog } = context;
  if ((await catalog.refresh()).table(keyspace, name) !== undefined) return 'exists';
  await authorize?.();

  const object = { keyspace, table: name };
  const target =
    definition.encryption === undefined
      ? await defaultKey(context, keyspace)
      : await chosenKey(context, object, definition.encryption);
  const record = newRecord(context, definition, target);
  await context.step('create.claim');
  if ((await claimName(context, record)) === 'exists') return 'exists';

  try {
    await context.step('create.keys');
    const { clusterId } = await catalog.readRecords();
    const tableId = Buffer.from(record.tableId, 'hex');
    const keys = await context.keys.newTableKeys({ clusterId, tableId, keyspace, name }, target);
    await context.step('create.keys_durable');
    await updateOwn(context, record.tableId, ({ release: _, ...current }) => ({
      ...current,
      keys,
    }));
  } catch (error) {
    await undoClaim(context, record.tableId, !(error instanceof KeyAccessError));
    if (target === 'service-owned') throw error;
    throw keyFailure(context, object, target.keyArn, error);
  }

  await context.step('create.stored');
  await keepClaim(context, new Set([record.tableId]));
  let outcome: 'created' | 'exists';
  try {
    outcome = await runStored({ tableId: record.cassandraId });
  } catch (error) {
    if (isRefusal(error)) await undoClaim(context, record.tableId);
    else await settleUnknown(context);
    throw error;
  }
  await context.step('create.agreement');
  await settled(context);
  const stored = catalog.snapshot().table(keyspace, name);
  if (stored?.id !== record.cassandraId) {
    await dropClaim(context, record.tableId);
    if (outcome === 'exists') return 'exists';
    throw new MetadataIntegrityError(
      'METADATA_TABLE_ID',
      `Cassandra made table ${keyspace}.${name} with another id than it was told`,
    );
  }
  await context.step('create.active');
  await updateOwn(context, record.tableId, (current) => ({
    ...current,
    state: 'ACTIVE',
    claim: null,
  }));
  await context.step('create.refresh');
  await catalog.refresh();
  return outcome;
}

/** ALTER TABLE: the record holds both forms until system_schema shows which one holds. */
export async function alterTable(
  context: ChangeContext,
  table: TableEntry,
  change: AlterTableChange,
  runStored: RunStored,
): Promise<void> {
  const { catalog } = context;
  const record = table.record;
  if (record === undefined || change.kind === 'with') {
    await runStored();
    await settled(context);
    return;
  }
  await context.step('alter.claim');
  await claimable(context, async () => {
    await catalog.change((view) => {
      const current = tableRecord(view, record.tableId);
      refuseForeignClaim(context, current);
      if (current.claim === null && current.state !== 'ACTIVE') throw alteredAround(current);
      const next = formAfter(current, change, context.clock.nowMs());
      if (next === undefined) return undefined;
      return { put: [{ ...current, state: 'ALTERING', next, claim: claim(context) }] };
    });
  });
  await context.step('alter.stored');
  await keepClaim(context, new Set([record.tableId]));
  try {
    await runStored();
  } catch (error) {
    if (isRefusal(error)) {
      await updateOwn(context, record.tableId, (current) => ({
        ...current,
        state: 'ACTIVE',
        next: null,
        claim: null,
      }));
    } else await settleUnknown(context);
    throw error;
  }
  await context.step('alter.agreement');
  await settled(context);
  await context.step('alter.active');
  await recoverChanges(context, new Set([record.tableId]));
  await context.step('alter.refresh');
  await catalog.refresh();
}

/** DROP TABLE: Cassandra first, then the record; keys stay for Cassandra's automatic snapshots. */
export async function dropTable(
  context: ChangeContext,
  table: TableEntry,
  runStored: RunStored,
): Promise<void> {
  await dropRecords(
    context,
    (record) =>
      record.kind === 'table' &&
      record.keyspace === table.keyspace &&
      record.name === table.name &&
      !isGone(record),
    runStored,
  );
}

/** DROP KEYSPACE: as DROP TABLE for all of its records. */
export async function dropKeyspace(
  context: ChangeContext,
  keyspace: string,
  runStored: RunStored,
): Promise<void> {
  await dropRecords(
    context,
    (record) => record.keyspace === keyspace && !isGone(record),
    runStored,
  );
}

async function dropRecords(
  context: ChangeContext,
  affected: (record: CatalogRecord) => boolean,
  runStored: RunStored,
): Promise<void> {
  const { catalog } = context;
  const ids = new Set<string>();
  await context.step('drop.claim');
  await claimable(context, async () => {
    await catalog.change((view) => {
      ids.clear();
      const put: CatalogRecord[] = [];
      for (const { record } of view.records.values()) {
        if (record.kind === 'backup' || !affected(record)) continue;
        // Who restores it notices that its claim is gone, and stops.
        if (record.kind !== 'table' || record.state !== 'RESTORING') {
          refuseForeignClaim(context, record);
        }
        ids.add(recordId(record));
        put.push({ ...record, state: 'DROPPING', claim: claim(context) });
      }
      return put.length === 0 ? undefined : { put };
    });
  });
  await context.step('drop.stored');
  await keepClaim(context, ids);
  try {
    await runStored();
  } catch (error) {
    await settleUnknown(context);
    // Nothing was executed, so the claims of this process are given back at once.
    if (isRefusal(error)) await recoverChanges(context, ids);
    throw error;
  }
  await context.step('drop.agreement');
  await settled(context);
  await context.step('drop.records');
  await recoverChanges(context, ids);
  await context.step('drop.refresh');
  await catalog.refresh();
}

/** After an unknown outcome: reads again, so that the catalog shows what there is; recovery settles the claim. */
export async function settleUnknown(context: ChangeContext): Promise<void> {
  try {
    await settled(context);
  } catch {
    // The client gets the first error; the claim stays for recovery.
  }
}

/**
 * Puts the claim into the catalog. A record of the same name whose table is gone (dropped around the proxy) gives way; that
 * it is gone must have been seen after the record was written, or it may be of a proxy that was faster.
 */
export async function claimName(
  context: ChangeContext,
  record: TableRecord,
): Promise<'claimed' | 'exists'> {
  const { catalog, source } = context;
  const { keyspace, name } = record;
  let absentAtRoot: bigint | undefined;
  for (let attempt = 1; ; attempt += 1) {
    const isClaimed = await claimable(context, async () => {
      let isSure = true;
      await catalog.change((view) => {
        isSure = true;
        const put: CatalogRecord[] = [];
        for (const { record: other } of view.records.values()) {
          if (other.kind !== 'table' || other.keyspace !== keyspace || other.name !== name)
            continue;
          if (isGone(other) || other.tableId === record.tableId) continue;
          refuseForeignClaim(context, other);
          if (absentAtRoot !== view.root.version) {
            isSure = false;
            return undefined;
          }
          put.push(droppedRecord(other, context.clock.nowMs()));
        }
        const plainTables = view.root.plainTables.filter(
          (table) => table.keyspace !== keyspace || table.name !== name,
        );
        return { put: [...put, { ...record, claim: claim(context) }], plainTables };
      });
      return isSure;
    });
    if (isClaimed) return 'claimed';
    if (attempt === CLAIM_ATTEMPTS || !(await source.waitForAgreement())) {
      throw new OverloadError(
        'OVERLOAD_SCHEMA_CHANGE',
        `another schema change of ${keyspace}.${name} is under way; try again`,
      );
    }
    const snapshot = await catalog.refresh();
    if (snapshot.table(keyspace, name) !== undefined) return 'exists';
    absentAtRoot = snapshot.rootVersion;
  }
}

/** {@link whenFree}, with the recovery of this folder. */
function claimable<T>(context: ChangeContext, attempt: () => Promise<T>): Promise<T> {
  return whenFree(context, () => recoverChanges(context), attempt);
}

/** Removes a claim and the keys made for it; nothing was encrypted with them. The record goes last, so that keys are found. */
export async function dropClaim(
  context: ChangeContext,
  tableId: string,
  mayHaveGrants = true,
): Promise<void> {
  await context.step('create.undo_keys');
  const current = (await context.catalog.readRecords()).records.get(tableId)?.record;
  if (current?.kind === 'table') {
    const held = mayHaveGrants ? current : { ...current, release: [] };
    if (!(await releaseAll(context, held))) {
      // The name is free; recovery gives back what could not be given back now.
      await updateOwn(context, tableId, (own) => ({
        ...own,
        state: 'ABANDONED',
        claim: null,
        droppedAtMs: context.clock.nowMs(),
      }));
      return;
    }
  }
  await context.step('create.undo_claim');
  await context.catalog.change((view) =>
    view.records.get(tableId)?.record.claim?.owner === context.owner
      ? { remove: [tableId] }
      : undefined,
  );
  await context.catalog.refresh();
}

/** As {@link dropClaim}; the client gets the error that came first, and a claim that could not be dropped is left to recovery. */
export async function undoClaim(
  context: ChangeContext,
  tableId: string,
  mayHaveGrants = true,
): Promise<void> {
  try {
    await dropClaim(context, tableId, mayHaveGrants);
  } catch {
    // Recovery destroys the keys and removes the claim when its time has passed.
  }
}

function alteredAround(record: TableRecord): MetadataIntegrityError {
  return new MetadataIntegrityError(
    'METADATA_STORED_SCHEMA',
    `the stored columns of table ${record.keyspace}.${record.name} differ from its record: the table was altered around the proxy`,
  );
}

function newRecord(
  context: ChangeContext,
  definition: CreateTableDefinition,
  target: KeyTarget,
): TableRecord {
  const { customProperties } = definition;
  const columns = definition.columns.map((column) => newColumnRecord(column, undefined));
  if (!columns.some((column) => column.kind === 'partition')) {
    throw new InternalError(`table definition without a partition key (${RESERVED_COLUMN_PREFIX})`);
  }
  return {
    format: 1,
    kind: 'table',
    state: 'CREATING',
    keyspace: definition.keyspace,
    name: definition.name,
    cassandraId: randomUUID(),
    tableId: randomBytes(16).toString('hex'),
    columns,
    dropped: [],
    keys: null,
    next: null,
    claim: claim(context),
    createdAtMs: context.clock.nowMs(),
    droppedAtMs: null,
    ...(customProperties === undefined ? {} : { customProperties }),
    // The keys of a table that never comes to be are found by its id; grants are not.
    ...(target === 'service-owned' ? {} : { release: [intended(target)] }),
  };
}
