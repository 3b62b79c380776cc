import { randomBytes, randomUUID } from 'node:crypto';
import {
  CqlErrorCode,
  InvalidRequestError,
  KeyAccessError,
  MetadataIntegrityError,
} from '../../errors/index.ts';
import type { KeyedTable, KeyTarget } from '../ports.ts';
import type { CustomProperties, TableForm, TableKeys, TableRecord } from '../record.ts';
import { claim, keepClaim, settled } from './change_context.ts';
import type { ChangeContext } from './change_context.ts';
import type { EncryptionChoice, RunStored } from './change_types.ts';
import { intended } from './key_change.ts';
import { chosenKey, keyFailure } from './key_choice.ts';
import { isRefusal } from './outcome.ts';
import { updateOwn } from './own_record.ts';
import { claimName, dropClaim, settleUnknown, undoClaim } from './table_changes.ts';

/** The table that a backup becomes. */
export interface RestoreTableDefinition {
  readonly keyspace: string;
  readonly name: string;
  /** The form of the backup: its column ids are part of what its values are bound to. */
  readonly form: TableForm;
  /** 16 bytes, hex. */
  readonly backupId: string;
  /** A key that somebody names, or one that is known already. */
  readonly key: EncryptionChoice | KeyTarget;
  /** Custom properties beside the encryption. */
  readonly customProperties?: CustomProperties | undefined;
  /** Makes the keys of the new table: a new table key with its grants, the DEKs of the backup, a new cell DEK. */
  readonly makeKeys: (table: KeyedTable, target: KeyTarget) => Promise<TableKeys>;
}

/**
 * CREATE TABLE of a table that is restored: the same protocol, but it ends in the state RESTORING, in which the table
 * refuses reads and writes until its rows are complete.
 * @returns the new table's id, 16 bytes, hex
 * @throws InvalidRequestError when there is a table of that name; SchemaError when the key that is named cannot be used
 */
export async function createRestoringTable(
  context: ChangeContext,
  definition: RestoreTableDefinition,
  runStored: RunStored<{ readonly tableId: string }>,
): Promise<string> {
  const { keyspace, name, customProperties } = definition;
  const { catalog } = context;
  const object = { keyspace, table: name };
  if ((await catalog.refresh()).table(keyspace, name) !== undefined) throw exists(keyspace, name);
  const { key } = definition;
  const isNamed = key !== 'service-owned' && 'identifier' in key;
  const target = isNamed ? await chosenKey(context, object, key) : key;
  const record: TableRecord = {
    format: 1,
    kind: 'table',
    state: 'CREATING',
    keyspace,
    name,
    cassandraId: randomUUID(),
    tableId: randomBytes(16).toString('hex'),
    columns: definition.form.columns,
    dropped: definition.form.dropped,
    keys: null,
    next: null,
    claim: claim(context),
    createdAtMs: context.clock.nowMs(),
    droppedAtMs: null,
    restore: { backupId: definition.backupId, chunksDone: 0 },
    ...(customProperties === undefined ? {} : { customProperties }),
    // The keys of a table that never comes to be are found by its id; grants are not.
    ...(target === 'service-owned' ? {} : { release: [intended(target)] }),
  };
  await context.step('restore.claim');
  if ((await claimName(context, record)) === 'exists') throw exists(keyspace, name);
  try {
    await context.step('restore.keys');
    const { clusterId } = await catalog.readRecords();
    const tableId = Buffer.from(record.tableId, 'hex');
    const keys = await definition.makeKeys({ clusterId, tableId, keyspace, name }, target);
    await context.step('restore.keys_durable');
    await updateOwn(context, record.tableId, ({ release: _, ...current }) => ({
      ...current,
      keys,
    }));
  } catch (error) {
    await undoClaim(context, record.tableId, !(error instanceof KeyAccessError));
    if (target === 'service-owned') throw error;
    throw keyFailure(context, object, target.keyArn, error);
  }
  await context.step('restore.stored');
  await keepClaim(context, new Set([record.tableId]));
  try {
    await runStored({ tableId: record.cassandraId });
  } catch (error) {
    if (isRefusal(error)) await undoClaim(context, record.tableId);
    else await settleUnknown(context);
    throw error;
  }
  await context.step('restore.agreement');
  await settled(context);
  if (catalog.snapshot().table(keyspace, name)?.id !== record.cassandraId) {
    await dropClaim(context, record.tableId);
    throw new MetadataIntegrityError(
      'METADATA_TABLE_ID',
      `Cassandra made table ${keyspace}.${name} with another id than it was told`,
    );
  }
  await context.step('restore.restoring');
  await updateOwn(context, record.tableId, (current) => ({
    ...current,
    state: 'RESTORING',
    claim: null,
  }));
  await catalog.refresh();
  return record.tableId;
}

function exists(keyspace: string, name: string): InvalidRequestError {
  return new InvalidRequestError(
    `a restore makes a new table, and there is a table ${keyspace}.${name}; name another one`,
    CqlErrorCode.ALREADY_EXISTS,
  );
}
