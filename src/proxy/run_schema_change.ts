import { randomUUID } from 'node:crypto';
import type { Statement } from '../cql/index.ts';
import {
  checkTypeUnused,
  planAlterTable,
  planAlterType,
  planCreateTable,
  planCreateType,
  planKeyspaceKey,
} from '../encryption/index.ts';
import type { KeyspaceKeyPlan } from '../encryption/index.ts';
import { CqlErrorCode, InternalError, InvalidRequestError, ProxyError } from '../errors/index.ts';
import { inaccessibleError, isSystemKeyspace, RECORD_KEYSPACE } from '../schema/index.ts';
import type { SchemaChanges, TableEntry } from '../schema/index.ts';
import { MCS_KEYSPACE } from '../system/index.ts';
import { encodeSchemaChangeResult, encodeVoidResult, Writer } from '../wire/index.ts';
import {
  findTable,
  plainRefusal,
  qualified,
  requireEncrypted,
  requireKeyspace,
  unknownTable,
} from './compile.ts';
import { requireMasking } from './mask_rights.ts';
import { result } from './reply.ts';
import type { Reply } from './reply.ts';
import type { RequestContext, Session } from './session.ts';
import { StoredChange } from './stored_change.ts';

/** Statements that change the schema. */
export type SchemaStatement = Extract<
  Statement,
  {
    kind:
      | 'create_keyspace'
      | 'alter_keyspace'
      | 'drop_keyspace'
      | 'create_table'
      | 'alter_table'
      | 'drop_table'
      | 'create_type'
      | 'alter_type'
      | 'drop_type'
      | 'user_function';
  }
>;

/**
 * Runs a change of the schema on the client's own connection, so with its permissions; the answer is Cassandra's. It is given
 * when this process's catalog has the change.
 */
export async function runSchemaChange(
  session: Session,
  request: RequestContext,
  statement: SchemaStatement,
  text: string,
): Promise<Reply> {
  const changes = changesOf(session);
  const stored = new StoredChange(session, request);
  switch (statement.kind) {
    case 'create_keyspace':
    case 'alter_keyspace': {
      const keyspace = statement.keyspace.text;
      refuseReserved(keyspace, statement.kind === 'create_keyspace');
      const plan = planKeyspaceKey(text, statement);
      if (plan !== undefined) return keyspaceKey(session, stored, statement, plan);
      await changes.passThrough(() => stored.run(text));
      return stored.reply();
    }
    case 'drop_keyspace': {
      const keyspace = statement.keyspace.text;
      refuseReserved(keyspace, false);
      await changes.dropKeyspace(keyspace, () => stored.run(text));
      return stored.reply();
    }
    case 'create_table':
      return createTable(session, stored, statement, text);
    case 'alter_table':
      return alterTable(session, stored, statement, text);
    case 'drop_table': {
      const keyspace = userKeyspace(session, statement.table);
      const name = statement.table.name.text;
      const drop = `DROP TABLE ${statement.ifExists ? 'IF EXISTS ' : ''}${qualified(keyspace, name)}`;
      const { catalog } = session.services;
      const table =
        catalog.snapshot().table(keyspace, name) ?? (await catalog.refresh()).table(keyspace, name);
      if (table === undefined) await stored.run(drop);
      else await changes.dropTable(table, () => stored.run(drop));
      return stored.reply();
    }
    case 'create_type': {
      const keyspace = userKeyspace(session, statement.type);
      const plan = planCreateType(text, statement, keyspace, session.services.catalog.snapshot());
      const name = statement.type.name.text;
      await changes.createType({ keyspace, name, fields: plan.fields }, () =>
        stored.run(plan.storedText),
      );
      if (!stored.hasRun) await stored.run(plan.storedText);
      return stored.reply();
    }
    case 'alter_type': {
      const keyspace = userKeyspace(session, statement.type);
      const name = statement.type.name.text;
      const snapshot = await session.services.catalog.refresh();
      const plan = planAlterType(text, statement, keyspace, snapshot);
      if (snapshot.udt(keyspace, name) === undefined) {
        await stored.run(plan.storedText);
      } else {
        await changes.alterType({ keyspace, name, edit: plan.edit }, () =>
          stored.run(plan.storedText),
        );
      }
      return stored.reply();
    }
    case 'drop_type': {
      const keyspace = userKeyspace(session, statement.type);
      const name = statement.type.name.text;
      const drop = `DROP TYPE ${statement.ifExists ? 'IF EXISTS ' : ''}${qualified(keyspace, name)}`;
      const snapshot = await session.services.catalog.refresh();
      checkTypeUnused(keyspace, name, snapshot);
      if (snapshot.udt(keyspace, name) === undefined) await stored.run(drop);
      else await changes.dropType(keyspace, name, () => stored.run(drop));
      return stored.reply();
    }
    case 'user_function': {
      // Functions are Cassandra's, also to judge: they have no row in them.
      const keyspace = statement.name.keyspace?.text;
      if (keyspace === RECORD_KEYSPACE) {
        throw new InvalidRequestError(`Keyspace '${keyspace}' doesn't exist`);
      }
      await changes.passThrough(() => stored.run(text));
      return stored.reply();
    }
  }
}

/** Changes under the name of the client's role. */
export function changesOf(session: Session): SchemaChanges {
  return session.services.changes.onBehalfOf(session.leases.principal);
}

/** CREATE or ALTER KEYSPACE with a default key for new tables. */
async function keyspaceKey(
  session: Session,
  stored: StoredChange,
  statement: Extract<Statement, { kind: 'create_keyspace' | 'alter_keyspace' }>,
  plan: KeyspaceKeyPlan,
): Promise<Reply> {
  const { catalog } = session.services;
  const changes = changesOf(session);
  const { storedText, encryption } = plan;
  const keyspace = statement.keyspace.text;
  const { failure } = catalog.snapshot();
  if (failure !== undefined) throw failure;
  const authorize = async (): Promise<void> => {
    await stored.probe(plan.probeText, plan.probeProperty);
  };
  if (storedText !== undefined) {
    await changes.createKeyspace(keyspace, encryption, () => stored.run(storedText), authorize);
    return stored.reply();
  }
  if (statement.kind === 'alter_keyspace' && statement.ifExists) {
    if ((await catalog.refresh()).keyspace(keyspace) === undefined) {
      await authorize();
      return result(encodeVoidResult());
    }
  }
  await changes.alterKeyspaceKey(keyspace, encryption, authorize);
  const change = { change: 'UPDATED', target: 'KEYSPACE', keyspace } as const;
  return result(encodeSchemaChangeResult(change, session.version));
}

async function createTable(
  session: Session,
  stored: StoredChange,
  statement: Extract<Statement, { kind: 'create_table' }>,
  text: string,
): Promise<Reply> {
  const { catalog } = session.services;
  const changes = changesOf(session);
  const keyspace = userKeyspace(session, statement.table);
  const snapshot = catalog.snapshot();
  if (snapshot.failure !== undefined) throw snapshot.failure;
  if (statement.columns.some(({ mask }) => mask !== undefined)) {
    await requireMasking(session, stored.request);
  }
  const plan = planCreateTable(text, statement, keyspace, snapshot);
  // Permission, keyspace and existence are Cassandra's to judge, before a key is made.
  if ((await stored.probe(plan.probeText, plan.probeColumn)) === 'exists') return stored.reply();
  if (!plan.hasValidKey) {
    await stored.run(plan.storedText(randomUUID()));
    throw new InternalError('Cassandra made a table without a valid primary key');
  }
  const outcome = await changes.createTable(plan.definition, ({ tableId }) =>
    stored.run(plan.storedText(tableId)),
  );
  if (outcome === 'exists' && !stored.hasRun) {
    if (statement.ifNotExists) return result(encodeVoidResult());
    throw alreadyExists(keyspace, statement.table.name.text);
  }
  return stored.reply();
}

async function alterTable(
  session: Session,
  stored: StoredChange,
  statement: Extract<Statement, { kind: 'alter_table' }>,
  text: string,
): Promise<Reply> {
  const { catalog } = session.services;
  const changes = changesOf(session);
  const keyspace = userKeyspace(session, statement.table);
  const name = statement.table.name.text;
  const snapshot = await catalog.refresh();
  const table = snapshot.table(keyspace, name);
  if (table === undefined) {
    if (statement.ifExists) return result(encodeVoidResult());
    throw unknownTableOfSchema(keyspace, name);
  }
  if (table.view !== undefined) {
    // Cassandra says which statement is for views.
    await stored.run(`ALTER TABLE ${qualified(keyspace, name)} WITH comment = ''`);
    throw new InternalError('Cassandra altered a materialized view as a table');
  }
  if (table.kind === 'plain') throw plainRefusal(table);
  if (snapshot.failure !== undefined) throw snapshot.failure;
  requireEncrypted(table);
  requireAccessible(table);
  if (statement.action.kind === 'mask') await requireMasking(session, stored.request);
  const plan = planAlterTable(text, statement, table, snapshot);
  if (plan.custom !== undefined) {
    const { encryption, others } = plan.custom;
    // Permission is Cassandra's to judge, before the KMS is asked.
    await stored.probe(plan.probeText, plan.probeColumn);
    if (encryption === undefined) await changes.setCustomProperties(table, others);
    else await changes.changeTableKey(table, encryption);
    const change = { change: 'UPDATED', target: 'TABLE', keyspace, name } as const;
    return result(encodeSchemaChangeResult(change, session.version));
  }
  if (plan.mask !== undefined) {
    await stored.probe(plan.probeText, plan.probeColumn);
    await changes.setColumnMask(table, plan.mask.column, plan.mask.mask);
    const change = { change: 'UPDATED', target: 'TABLE', keyspace, name } as const;
    return result(encodeSchemaChangeResult(change, session.version));
  }
  await changes.alterTable(table, plan.change, () => stored.run(plan.storedText));
  return stored.hasRun ? stored.reply() : result(encodeVoidResult());
}

function unknownTableOfSchema(keyspace: string, name: string): ProxyError {
  return new InvalidRequestError(`Table '${keyspace}.${name}' doesn't exist`);
}

/** @throws KeyAccessError while the table's key is lost: only DROP TABLE needs no key. */
export function requireAccessible(table: TableEntry): void {
  const error = table.record === undefined ? undefined : inaccessibleError(table.record);
  if (error !== undefined) throw error;
}

/** TRUNCATE of an encrypted table. */
export async function runTruncate(
  session: Session,
  request: RequestContext,
  statement: Extract<Statement, { kind: 'truncate' }>,
): Promise<Reply> {
  const keyspace = userKeyspace(session, statement.table);
  const [table]: readonly [TableEntry, unknown] = await findTable(
    session,
    keyspace,
    statement.table.name.text,
  );
  if (table.kind === 'plain') throw plainRefusal(table);
  requireEncrypted(table);
  requireAccessible(table);
  const stored = new StoredChange(session, request);
  const release = await session.services.holdReencryption(table);
  try {
    await stored.run(`TRUNCATE TABLE ${qualified(table.keyspace, table.name)}`);
  } finally {
    // A hold that cannot be ended ends by itself.
    await release().catch((error: unknown) => {
      session.services.logger.warn({ err: error }, 'a hold on re-encryption could not be ended');
    });
  }
  return stored.reply();
}

/** The keyspace of a name in a statement that changes the schema. @throws InvalidRequestError for those that are not the user's */
export function userKeyspace(
  session: Session,
  name: Parameters<typeof requireKeyspace>[0],
): string {
  const keyspace = requireKeyspace(name, session.keyspace);
  if (keyspace === RECORD_KEYSPACE) throw unknownTable(session, keyspace, name.name.text);
  if (isSystemKeyspace(keyspace)) {
    throw new InvalidRequestError(
      `${keyspace} keyspace is not user-modifiable.`,
      CqlErrorCode.UNAUTHORIZED,
    );
  }
  return keyspace;
}

function refuseReserved(keyspace: string, isCreate: boolean): void {
  if (keyspace !== RECORD_KEYSPACE && keyspace !== MCS_KEYSPACE) return;
  throw new InvalidRequestError(
    isCreate
      ? `the keyspace name ${keyspace} is reserved by the proxy`
      : `Keyspace '${keyspace}' doesn't exist`,
  );
}

class AlreadyExistsError extends ProxyError {}

/** Spec: native_protocol_v4 9, Already_exists. */
function alreadyExists(keyspace: string, table: string): ProxyError {
  const extra = new Writer();
  extra.writeString(keyspace);
  extra.writeString(table);
  return new AlreadyExistsError(
    'STATEMENT_ALREADY_EXISTS',
    CqlErrorCode.ALREADY_EXISTS,
    `Cannot add already existing table "${table}" to keyspace "${keyspace}"`,
    { extra: extra.toBuffer() },
  );
}
