import { quoteIdentifier } from '../cql/index.ts';
import type { RestoreTableStatement } from '../cql/index.ts';
import { isMasked, planRestoreTable } from '../encryption/index.ts';
import { CqlErrorCode, InternalError, InvalidRequestError } from '../errors/index.ts';
import type { CustomProperties, EncryptionChoice, TableEntry } from '../schema/index.ts';
import { encodeSchemaChangeResult } from '../wire/index.ts';
import { qualified } from './compile.ts';
import { requireUnmask } from './mask_rights.ts';
import { CassandraError, result } from './reply.ts';
import type { Reply } from './reply.ts';
import { hasKeyspacePermission, requireRoleReader } from './role_reader.ts';
import { userKeyspace } from './run_schema_change.ts';
import type { RequestContext, Session } from './session.ts';
import { StoredChange } from './stored_change.ts';

/** A warning has at most 65,535 bytes. Spec: native_protocol_v4 3, [string] */
const WARNING_CHARACTERS = 20_000;

/** What RESTORE TABLE asks for. */
export interface TableRestore {
  readonly from: {
    readonly keyspace: string;
    readonly name: string;
    /** The newest backup that was begun by then, milliseconds since the epoch; `undefined`: the newest of all. */
    readonly beforeMs: number | undefined;
    /** Of the table that has the name now, hex; `undefined`: there is none, and any table that had it is meant. */
    readonly tableId: string | undefined;
  };
  readonly to: { readonly keyspace: string; readonly name: string };
  /** `undefined`: a key as the backup has it. */
  readonly encryption: EncryptionChoice | undefined;
  /** `undefined`: those of the old table. */
  readonly customProperties: CustomProperties | undefined;
  /** The role that asks. */
  readonly principal: string;
  /** Executes the stored CREATE TABLE on the client's connection. */
  readonly runStored: (text: string) => Promise<'created' | 'exists'>;
  /** Rejects where the client may not see masked columns of the old table in clear: who makes a table may see all of it. */
  readonly requireUnmask: () => Promise<void>;
}

/**
 * Restores tables: resolves when the new table is there and refuses reads and writes; its rows come behind that.
 * @returns CREATE statements of the indexes and views that the old table had and the new one has not
 */
export type RestoreTable = (restore: TableRestore) => Promise<readonly string[]>;

/**
 * RESTORE TABLE. The client must be allowed to make the new table and to read the old one; of a table that is gone its permissions
 * are gone too, so those on its keyspace count. The answer comes when the new table is there, in the state RESTORING.
 */
export async function runRestoreTable(
  session: Session,
  request: RequestContext,
  statement: RestoreTableStatement,
): Promise<Reply> {
  const { catalog, restoreTable } = session.services;
  const to = { keyspace: userKeyspace(session, statement.table), name: statement.table.name.text };
  const old = {
    keyspace: userKeyspace(session, statement.source),
    name: statement.source.name.text,
  };
  const plan = planRestoreTable(statement, to.keyspace);
  const snapshot = await catalog.refresh();
  if (snapshot.failure !== undefined) throw snapshot.failure;
  const stored = new StoredChange(session, request);
  // Permission, keyspace and existence of the new table are Cassandra's to judge, before a backup is read.
  if ((await stored.probe(plan.probeText, plan.probeColumn)) === 'exists') {
    throw new InternalError('Cassandra took a statement that was made to fail');
  }
  const table = snapshot.table(old.keyspace, old.name);
  if (table?.view !== undefined) {
    throw new InvalidRequestError(
      `${old.keyspace}.${old.name} is a materialized view; restore its base table ${table.view.base.name}`,
    );
  }
  await requireReader(session, request, old, table);
  const unmask = (): Promise<void> => requireUnmask(session, request, old, table !== undefined);
  // Its backups may be of before the masks.
  if (table !== undefined && isMasked(table)) await unmask();
  const dependents = await restoreTable({
    from: { ...old, beforeMs: plan.beforeMs, tableId: table && tableIdOf(table) },
    to,
    encryption: plan.encryption,
    customProperties: plan.customProperties,
    principal: session.leases.principal,
    runStored: (text) => stored.run(text),
    requireUnmask: unmask,
  });
  const change = { change: 'CREATED', target: 'TABLE', ...to } as const;
  const warnings = dependents.length === 0 ? undefined : [dependentsWarning(to, dependents)];
  return result(encodeSchemaChangeResult(change, session.version), { warnings });
}

function dependentsWarning(
  to: { readonly keyspace: string; readonly name: string },
  dependents: readonly string[],
): string {
  const all = dependents.join(' ');
  const shown = all.length <= WARNING_CHARACTERS ? all : `${all.slice(0, WARNING_CHARACTERS)} …`;
  return `${to.keyspace}.${to.name} is restored without the indexes and views of the old table; once it is restored, create them: ${shown}`;
}

/** @throws what refuses the table: without a record nobody knows which backups are its own. */
function tableIdOf(table: TableEntry): string {
  if (table.record !== undefined) return table.record.tableId;
  throw (
    table.error ??
    new InvalidRequestError(
      `table ${table.keyspace}.${table.name} is not encrypted by the proxy and has no backups`,
    )
  );
}

/** @throws CassandraError or InvalidRequestError 0x2100 when the client may not read the old table */
async function requireReader(
  session: Session,
  request: RequestContext,
  old: { readonly keyspace: string; readonly name: string },
  table: TableEntry | undefined,
): Promise<void> {
  if (table !== undefined) {
    const [key] = table.partitionKey;
    if (key === undefined) throw new InternalError('a table without a partition key');
    const text = `SELECT ${quoteIdentifier(key.name)} FROM ${qualified(old.keyspace, old.name)} LIMIT 1`;
    await new StoredChange(session, request).read(text);
    return;
  }
  if (await hasKeyspacePermission(session, 'SELECT', old.keyspace, request.onUpstreamMs)) return;
  try {
    await requireRoleReader(session, `${old.keyspace}.${old.name}`, request.onUpstreamMs);
  } catch (error) {
    if (error instanceof CassandraError || !(error instanceof InvalidRequestError)) throw error;
    throw new InvalidRequestError(
      `User ${session.leases.principal} has no SELECT permission on <keyspace ${old.keyspace}> or any of its parents, which RESTORE TABLE needs, as table ${old.keyspace}.${old.name} is gone and its permissions with it`,
      CqlErrorCode.UNAUTHORIZED,
    );
  }
}
