import { quoteIdentifier } from '../cql/index.ts';
import type { Snapshot, TableEntry } from '../schema/index.ts';
import { qualified } from './compile.ts';
import type { Reply } from './reply.ts';
import { changesOf } from './run_schema_change.ts';
import type { Session } from './session.ts';
import type { StoredChange } from './stored_change.ts';

/** An index or a view that is dropped, with the hidden columns that only it needs. */
export interface DependentDrop {
  readonly keyspace: string;
  /** DROP INDEX or DROP MATERIALIZED VIEW as it goes to Cassandra. */
  readonly text: string;
  /** Whether a table's record has it, also one that does not verify. */
  readonly isOf: (table: TableEntry) => boolean;
  readonly change: 'dropIndex' | 'dropView';
}

/** Drops an index or a view of an encrypted table; what belongs to no table that cqlock knows is Cassandra's to judge. */
export async function dropDependent(
  session: Session,
  stored: StoredChange,
  { keyspace, text, isOf, change }: DependentDrop,
): Promise<Reply> {
  const table = tableOf(await session.services.catalog.refresh(), keyspace, isOf);
  if (table === undefined) {
    await changesOf(session).passThrough(() => stored.run(text));
    return stored.reply();
  }
  const target = qualified(table.keyspace, table.name);
  let reply: Reply | undefined;
  await changesOf(session)[change](table, {
    drop: async () => {
      await stored.run(text);
      reply = stored.reply();
    },
    dropColumns: (columns) =>
      stored.run(`ALTER TABLE ${target} DROP (${columns.map(quoteIdentifier).join(', ')})`),
  });
  return reply ?? stored.reply();
}

function tableOf(
  snapshot: Snapshot,
  keyspace: string,
  isOf: (table: TableEntry) => boolean,
): TableEntry | undefined {
  for (const table of snapshot.keyspace(keyspace)?.tables.values() ?? []) {
    if (isOf(table)) return table;
  }
  return undefined;
}
