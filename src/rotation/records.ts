import { randomBytes } from 'node:crypto';
import { OverloadError, SchemaError } from '../errors/index.ts';
import { isGone, rewritingError } from '../schema/index.ts';
import type { RotationRecord, TableRecord, VerifiedRecords } from '../schema/index.ts';

/** The live, encrypted table with an id (hex). @throws SchemaError when there is none. */
export function tableOf(view: VerifiedRecords, tableId: string): TableRecord {
  const record = view.records.get(tableId)?.record;
  if (record?.kind === 'table' && isLive(record)) return record;
  throw new SchemaError(
    'SCHEMA_ROTATION_TABLE',
    'the table was dropped meanwhile; its keys are not rotated any more',
  );
}

/** The live, encrypted table of a name. @throws SchemaError when there is none. */
export function tableNamed(view: VerifiedRecords, keyspace: string, name: string): TableRecord {
  for (const record of liveTables(view)) {
    if (record.keyspace === keyspace && record.name === name) return record;
  }
  for (const { record } of view.records.values()) {
    if (record.kind !== 'table' || record.keyspace !== keyspace || record.name !== name) continue;
    const rewriting = isGone(record) ? undefined : rewritingError(record);
    if (rewriting !== undefined) throw rewriting;
  }
  throw new SchemaError(
    'SCHEMA_ROTATION_TABLE',
    `there is no encrypted table ${keyspace}.${name}; names are case-sensitive here`,
  );
}

/** All live, encrypted tables, by name. */
export function liveTables(view: VerifiedRecords): TableRecord[] {
  const tables: TableRecord[] = [];
  for (const { record } of view.records.values()) {
    if (record.kind === 'table' && isLive(record)) tables.push(record);
  }
  const nameOf = (record: TableRecord): string => `${record.keyspace}.${record.name}`;
  return tables.sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
}

function isLive(record: TableRecord): boolean {
  return record.keys !== null && (record.state === 'ACTIVE' || record.state === 'ALTERING');
}

/** Keys are not changed while a schema or key change of the table is under way: it may be about to write them itself. */
export function isFree(record: TableRecord): boolean {
  return record.state === 'ACTIVE' && record.claim === null;
}

/** @throws OverloadError unless {@link isFree}. */
export function requireFree(record: TableRecord): void {
  if (isFree(record)) return;
  throw new OverloadError(
    'OVERLOAD_SCHEMA_CHANGE',
    `another change of ${record.keyspace}.${record.name} is under way; try again`,
  );
}

/** The rotation record of a table, or a new one. */
export function rotationOf(view: VerifiedRecords, tableId: string): RotationRecord {
  return (
    view.rotations.get(tableId) ?? {
      format: 1,
      kind: 'rotation',
      rotationId: randomBytes(16).toString('hex'),
      tableId,
      usage: null,
      job: null,
      last: null,
      holds: [],
    }
  );
}
