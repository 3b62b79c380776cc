import { randomBytes, randomUUID } from 'node:crypto';
import { InvalidRequestError, MetadataIntegrityError, CqlErrorCode } from '../../errors/index.ts';
import type { TableForm, TableKeys, TableRecord } from '../record.ts';
import { claim, settled } from './change_context.ts';
import type { ChangeContext } from './change_context.ts';
import type { RunStored } from './change_types.ts';
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
  /** Makes the keys of the new table: a new table key, the DEKs of the backup, a new cell DEK. */
  readonly makeKeys: (table: {
    readonly clusterId: Uint8Array;
    readonly tableId: Uint8Array;
  }) => Promise<TableKeys>;
}

/**
 * CREATE TABLE of a table that is restored: the same protocol, but it ends in the state RESTORING, in which the table
 * refuses reads and writes until its rows are complete.
 * @returns the new table's id, 16 bytes, hex
 * @throws InvalidRequestError when there is a table of that name
 */
export async function createRestoringTable(
  context: ChangeContext,
  definition: RestoreTableDefinition,
  runStored: RunStored<{ readonly tableId: string }>,
): Promise<string> {
  const { keyspace, name } = definition;
  const { catalog } = context;
  if ((await catalog.refresh()).table(keyspace, name) !== undefined) throw exists(keyspace, name);
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
  };
  await context.step('restore.claim');
  if ((await claimName(context, record)) === 'exists') throw exists(keyspace, name);
  try {
    await context.step('restore.keys');
    const { clusterId } = await catalog.readRecords();
    const keys = await definition.makeKeys({
      clusterId,
      tableId: Buffer.from(record.tableId, 'hex'),
    });
    await context.step('restore.keys_durable');
    await updateOwn(context, record.tableId, (current) => ({ ...current, keys }));
  } catch (error) {
    await undoClaim(context, record.tableId);
    throw error;
  }
  try {
    await context.step('restore.stored');
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
