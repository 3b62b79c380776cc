import { randomUUID } from 'node:crypto';
import { editText } from '../cql/index.ts';
import type { CreateViewStatement, Statement } from '../cql/index.ts';
import { checkView, planCreateView, viewProbe } from '../encryption/index.ts';
import { InternalError, InvalidRequestError } from '../errors/index.ts';
import { plainRefusal, qualified, requireEncrypted } from './compile.ts';
import { dropDependent } from './drop_dependent.ts';
import type { Reply } from './reply.ts';
import { changesOf, requireAccessible, userKeyspace } from './run_schema_change.ts';
import type { RequestContext, Session } from './session.ts';
import { StoredChange } from './stored_change.ts';

/** Statements about materialized views. */
export type ViewStatement =
  CreateViewStatement | Extract<Statement, { readonly kind: 'alter_view' | 'drop_view' }>;

/** Runs CREATE, ALTER and DROP MATERIALIZED VIEW on the client's own connection. */
export async function runViewStatement(
  session: Session,
  request: RequestContext,
  statement: ViewStatement,
  text: string,
): Promise<Reply> {
  const stored = new StoredChange(session, request);
  switch (statement.kind) {
    case 'create_view':
      return createView(session, stored, statement, text);
    case 'alter_view': {
      const name = qualified(userKeyspace(session, statement.view), statement.view.name.text);
      const altered = editText(text, [{ span: statement.view.span, replacement: name }]);
      await changesOf(session).passThrough(() => stored.run(altered));
      return stored.reply();
    }
    case 'drop_view':
      return dropView(session, stored, statement);
  }
}

async function createView(
  session: Session,
  stored: StoredChange,
  statement: CreateViewStatement,
  text: string,
): Promise<Reply> {
  const { catalog } = session.services;
  const { table: name } = statement;
  const keyspace = userKeyspace(session, statement.view);
  if (name.keyspace !== undefined && name.keyspace.text !== keyspace) {
    throw new InvalidRequestError(
      'Cannot create a materialized view on a table in a different keyspace',
    );
  }
  const snapshot = await catalog.refresh();
  if (snapshot.failure !== undefined) throw snapshot.failure;
  const base = snapshot.table(keyspace, name.name.text);
  if (base?.kind === 'encrypted' && base.view === undefined) checkView(statement, base);
  // Permission, names and options are Cassandra's to judge.
  const probe = viewProbe(text, statement, keyspace);
  if ((await stored.probe(probe.text, probe.option)) === 'exists') return stored.reply();
  if (base === undefined || base.view !== undefined) {
    throw new InternalError('Cassandra knows a table that the catalog lacks');
  }
  if (base.kind === 'plain') throw plainRefusal(base);
  requireEncrypted(base);
  requireAccessible(base);
  const plan = planCreateView(text, statement, base);
  const cassandraId = plan.clientId?.toLowerCase() ?? randomUUID();
  await changesOf(session).createView(
    base,
    { ...plan.view, cassandraId },
    {
      addColumn: (column) => stored.run(plan.addText(column)),
      dropColumns: (columns) => stored.run(plan.dropText(columns)),
      create: (further) => stored.run(plan.storedText(cassandraId, further)),
    },
  );
  return stored.reply();
}

function dropView(
  session: Session,
  stored: StoredChange,
  statement: Extract<ViewStatement, { kind: 'drop_view' }>,
): Promise<Reply> {
  const keyspace = userKeyspace(session, statement.view);
  const name = statement.view.name.text;
  return dropDependent(session, stored, {
    keyspace,
    text: `DROP MATERIALIZED VIEW ${statement.ifExists ? 'IF EXISTS ' : ''}${qualified(keyspace, name)}`,
    isOf: (base) => base.views.some((view) => view.name === name),
    change: 'dropView',
  });
}
