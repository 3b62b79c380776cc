import type { CreateIndexStatement, Statement } from '../cql/index.ts';
import { indexProbe, planCreateIndex } from '../encryption/index.ts';
import { InternalError } from '../errors/index.ts';
import { indexNames } from '../schema/index.ts';
import type { Snapshot } from '../schema/index.ts';
import { encodeVoidResult } from '../wire/index.ts';
import { plainRefusal, qualified, requireEncrypted } from './compile.ts';
import { dropDependent } from './drop_dependent.ts';
import { result } from './reply.ts';
import type { Reply } from './reply.ts';
import { changesOf, requireAccessible, userKeyspace } from './run_schema_change.ts';
import type { RequestContext, Session } from './session.ts';
import { StoredChange } from './stored_change.ts';

/** Statements about indexes. */
export type IndexStatement =
  CreateIndexStatement | Extract<Statement, { readonly kind: 'drop_index' }>;

/** Runs CREATE INDEX and DROP INDEX on the client's own connection. The answer comes before rows that are there are built in. */
export function runIndexStatement(
  session: Session,
  request: RequestContext,
  statement: IndexStatement,
  text: string,
): Promise<Reply> {
  const stored = new StoredChange(session, request);
  return statement.kind === 'create_index'
    ? createIndex(session, stored, statement, text)
    : dropIndex(session, stored, statement);
}

async function createIndex(
  session: Session,
  stored: StoredChange,
  statement: CreateIndexStatement,
  text: string,
): Promise<Reply> {
  const { catalog } = session.services;
  const { table: name } = statement;
  const keyspace = userKeyspace(session, {
    ...name,
    keyspace: name.keyspace ?? statement.index?.keyspace,
  });
  const probe = indexProbe(text, statement, { keyspace, name: name.name.text });
  // Permission, names and options are Cassandra's to judge, before a key is made.
  if ((await stored.probe(probe.text, probe.column)) === 'exists') return stored.reply();
  const snapshot = await catalog.refresh();
  const table = snapshot.table(keyspace, name.name.text);
  if (table === undefined)
    throw new InternalError('Cassandra knows a table that the catalog lacks');
  if (table.kind === 'plain') throw plainRefusal(table);
  if (snapshot.failure !== undefined) throw snapshot.failure;
  requireEncrypted(table);
  requireAccessible(table);
  const plan = planCreateIndex(statement, table, takenNames(snapshot, keyspace));
  if (plan === 'exists') return result(encodeVoidResult());
  await changesOf(session).createIndex(table, plan.index, {
    addColumn: (column) =>
      stored.run(plan.addText(column.name, column.type, column.kind === 'static')),
    dropColumns: (columns) => stored.run(plan.dropText(columns)),
    create: (column) => stored.run(plan.createText(column)),
  });
  return stored.reply();
}

function dropIndex(
  session: Session,
  stored: StoredChange,
  statement: Extract<IndexStatement, { kind: 'drop_index' }>,
): Promise<Reply> {
  const keyspace = userKeyspace(session, statement.index);
  const name = statement.index.name.text;
  return dropDependent(session, stored, {
    keyspace,
    text: `DROP INDEX ${statement.ifExists ? 'IF EXISTS ' : ''}${qualified(keyspace, name)}`,
    isOf: (table) => table.indexes.some((index) => index.name === name),
    change: 'dropIndex',
  });
}

/** Names of all indexes of a keyspace. */
function takenNames(snapshot: Snapshot, keyspace: string): ReadonlySet<string> {
  const raw = snapshot.raw('system_schema', 'indexes');
  const byTable = raw === undefined ? [] : [...indexNames(raw, keyspace).values()];
  return new Set(byTable.flatMap((names) => [...names]));
}
