import { randomBytes } from 'node:crypto';
import { InvalidRequestError } from '../../errors/index.ts';
import type { TypeFieldRecord, TypeRecord } from '../record.ts';
import type { VerifiedRecords } from '../verified_records.ts';
import type { RunStored } from './change_types.ts';
import { isRefusal } from './outcome.ts';
import { recoverChanges } from './recovery.ts';
import { claim, refuseForeignClaim, settled } from './change_context.ts';
import type { ChangeContext } from './change_context.ts';

interface TypeDefinition {
  readonly keyspace: string;
  readonly name: string;
  readonly fields: readonly TypeFieldRecord[];
}

/** CREATE TYPE: record first, then the shadow type; recovery removes a record without a type. */
export async function createType(
  context: ChangeContext,
  type: TypeDefinition,
  runStored: RunStored,
): Promise<'created' | 'exists'> {
  const { catalog } = context;
  if ((await catalog.refresh()).udt(type.keyspace, type.name) !== undefined) return 'exists';
  const record: TypeRecord = {
    format: 1,
    kind: 'type',
    state: 'CREATING',
    keyspace: type.keyspace,
    name: type.name,
    typeId: randomBytes(16).toString('hex'),
    fields: type.fields,
    next: null,
    claim: claim(context),
  };
  await context.step('create_type.claim');
  await catalog.change((view) => {
    const other = find(view, type.keyspace, type.name);
    if (other !== undefined && other.typeId !== record.typeId) {
      refuseForeignClaim(context, `${type.keyspace}.${type.name}`, other.claim);
      return { put: [record], remove: [other.typeId] };
    }
    return { put: [record] };
  });
  return await runAndSettle(context, runStored, 'create_type', record.typeId);
}

/** ALTER TYPE: the record holds both lists of fields until system_schema shows which one holds. */
export async function alterType(
  context: ChangeContext,
  type: TypeDefinition,
  runStored: RunStored,
): Promise<void> {
  let typeId: string | undefined;
  await context.step('alter_type.claim');
  await context.catalog.change((view) => {
    const record = find(view, type.keyspace, type.name);
    // A type from before the proxy has no record, and none is made for it.
    if (record === undefined) return undefined;
    refuseForeignClaim(context, `${type.keyspace}.${type.name}`, record.claim);
    typeId = record.typeId;
    return { put: [{ ...record, state: 'ALTERING', next: type.fields, claim: claim(context) }] };
  });
  await runAndSettle(context, runStored, 'alter_type', typeId);
}

/** DROP TYPE: Cassandra first, then the record. */
export async function dropType(
  context: ChangeContext,
  keyspace: string,
  name: string,
  runStored: RunStored,
): Promise<void> {
  refuseUsedType(context, keyspace, name);
  let typeId: string | undefined;
  await context.step('drop_type.claim');
  await context.catalog.change((view) => {
    const record = find(view, keyspace, name);
    if (record === undefined) return undefined;
    refuseForeignClaim(context, `${keyspace}.${name}`, record.claim);
    typeId = record.typeId;
    return { put: [{ ...record, state: 'DROPPING', claim: claim(context) }] };
  });
  await runAndSettle(context, runStored, 'drop_type', typeId);
}

/** Stored columns are blob, so Cassandra no longer knows which tables and types use a type. */
function refuseUsedType(context: ChangeContext, keyspace: string, name: string): void {
  const entry = context.catalog.snapshot().keyspace(keyspace);
  if (entry === undefined) return;
  const uses = (text: string): boolean =>
    new RegExp(`(^|[<, ])"?${escape(name)}"?($|[>, ])`).test(text);
  for (const table of entry.tables.values()) {
    const forms = [table.record, table.record?.next ?? undefined];
    if (forms.some((form) => form?.columns.some((column) => uses(column.type)))) {
      throw new InvalidRequestError(
        `Cannot drop user type '${keyspace}.${name}' as it is still used by tables ${table.name}`,
      );
    }
  }
}

function escape(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

async function runAndSettle(
  context: ChangeContext,
  runStored: RunStored,
  step: string,
  typeId: string | undefined,
): Promise<'created' | 'exists'> {
  const own = new Set(typeId === undefined ? [] : [typeId]);
  let outcome: 'created' | 'exists';
  try {
    await context.step(`${step}.stored`);
    outcome = await runStored();
  } catch (error) {
    if (isRefusal(error)) await recoverChanges(context, own);
    throw error;
  }
  await context.step(`${step}.agreement`);
  await settled(context);
  await context.step(`${step}.record`);
  await recoverChanges(context, own);
  await context.catalog.refresh();
  return outcome;
}

function find(view: VerifiedRecords, keyspace: string, name: string): TypeRecord | undefined {
  for (const { record } of view.records.values()) {
    if (record.kind === 'type' && record.keyspace === keyspace && record.name === name) {
      return record;
    }
  }
  return undefined;
}
