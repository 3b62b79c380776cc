import { formMatches } from '../build_table.ts';
import { settledIndexes, storedIndexes, withoutUnusedIndexDeks } from '../indexes.ts';
import { settledViews, storedViews } from '../views.ts';
import type { RawSchema } from '../raw_schema.ts';
import { isGone } from '../record.ts';
import type {
  CatalogRecord,
  KeyspaceRecord,
  TableForm,
  TableRecord,
  TypeRecord,
} from '../record.ts';

/**
 * What becomes of a claimed record, by what Cassandra's schema shows once all nodes agree: a table with the id of its
 * record is kept, an absent one is given up, another id is never adopted.
 * @returns the settled record; 'remove' for one that held no keys; 'keep' for no change
 */
export function settle(
  record: CatalogRecord,
  raw: RawSchema,
  nowMs: number,
): CatalogRecord | 'remove' | 'keep' {
  switch (record.kind) {
    case 'table':
      return settleTable(record, raw, nowMs);
    case 'type':
      return settleType(record, raw);
    case 'keyspace':
      return settleKeyspace(record, raw);
    case 'backup':
      // The next process that asks for the backup continues it.
      return { ...record, claim: null };
  }
}

/**
 * The record of a table after its drop: its keys, and the grant for backups, stay for Cassandra's automatic snapshots; the
 * working grant is to be given back.
 */
export function droppedRecord(record: TableRecord, nowMs: number): TableRecord {
  const { keys } = record;
  const dropped = {
    ...record,
    state: 'DROPPED',
    next: null,
    claim: null,
    droppedAtMs: nowMs,
  } as const;
  const working = keys?.grants?.filter((grant) => grant.use === 'working') ?? [];
  if (keys?.grants === undefined || working.length === 0) return dropped;
  const { provider, keyArn, serviceOwned } = keys;
  return {
    ...dropped,
    keys: { ...keys, grants: keys.grants.filter((grant) => grant.use !== 'working') },
    release: [...(record.release ?? []), { provider, keyArn, serviceOwned, grants: working }],
  };
}

function settleKeyspace(record: KeyspaceRecord, raw: RawSchema): KeyspaceRecord | 'remove' {
  const isThere = raw.keyspaces.some((keyspace) => keyspace.name === record.keyspace);
  return isThere ? { ...record, state: 'ACTIVE', claim: null } : 'remove';
}

function settleTable(record: TableRecord, raw: RawSchema, nowMs: number): TableRecord | 'keep' {
  const isThere = raw.tables.some(
    (table) =>
      table.keyspace === record.keyspace &&
      table.name === record.name &&
      table.id === record.cassandraId,
  );
  if (isGone(record)) return { ...record, claim: null };
  if (record.state === 'CREATING') {
    if (isThere && record.keys !== null) {
      const state = record.restore === undefined ? 'ACTIVE' : 'RESTORING';
      return { ...record, state, claim: null };
    }
    // No value was ever encrypted: a write needs the table.
    return { ...record, state: 'ABANDONED', claim: null, droppedAtMs: nowMs };
  }
  if (!isThere) return droppedRecord(record, nowMs);
  // Only who restores it knows that it is complete; the claim was of a process that died.
  if (record.restore !== undefined) return { ...record, state: 'RESTORING', claim: null };
  // Who rewrites it goes on; the claim was of a DROP that was not executed.
  if (record.rewrite !== undefined) return { ...record, state: 'REWRITING', claim: null };
  if (record.next === null) return activeAs(record, record, raw);
  const columns = raw.columns.filter(
    (column) => column.keyspace === record.keyspace && column.table === record.name,
  );
  const form = [record.next, record].find((candidate: TableForm) =>
    formMatches(candidate, columns),
  );
  // The table was altered around the proxy: it stays refused, but may be dropped.
  if (form === undefined) return record.claim === null ? 'keep' : { ...record, claim: null };
  return activeAs(record, form, raw);
}

/** The record in the form that holds, with the indexes that Cassandra has. */
function activeAs(record: TableRecord, form: TableForm, raw: RawSchema): TableRecord {
  const { columns, dropped } = form;
  const active = { ...record, state: 'ACTIVE', columns, dropped, next: null, claim: null } as const;
  const stored = storedIndexes(raw, record.keyspace);
  const indexes =
    stored === undefined
      ? form.indexes
      : settledIndexes(form, stored.get(record.name) ?? new Set<string>());
  const views =
    form.views === undefined
      ? undefined
      : settledViews(
          form,
          storedViews(raw).filter(
            ({ keyspace, base }) => keyspace === record.keyspace && base === record.name,
          ),
        );
  const settled: TableRecord = { ...active, indexes, ...(views === undefined ? {} : { views }) };
  return record.keys === null
    ? settled
    : { ...settled, keys: withoutUnusedIndexDeks(record.keys, settled) };
}

function settleType(record: TypeRecord, raw: RawSchema): TypeRecord | 'remove' {
  const stored = raw.types.find(
    (type) => type.keyspace === record.keyspace && type.name === record.name,
  );
  if (stored === undefined) return 'remove';
  const { next } = record;
  const isNext =
    next?.length === stored.fieldNames.length &&
    next.every((field, index) => field.name === stored.fieldNames[index]);
  const fields = isNext ? next : record.fields;
  return { ...record, state: 'ACTIVE', fields, next: null, claim: null };
}
