import { randomBytes } from 'node:crypto';
import { InvalidRequestError, OverloadError } from '../../errors/index.ts';
import type { TypeFieldRecord, TypeRecord } from '../record.ts';
import type { VerifiedRecords } from '../verified_records.ts';
import type { RunStored } from './change_types.ts';
import { isRefusal } from './outcome.ts';
import { recoverChanges } from './recovery.ts';
import { claim, keepClaim, refuseForeignClaim, settled, whenFree } from './change_context.ts';
import type { ChangeContext } from './change_context.ts';

const CLAIM_ATTEMPTS = 5;

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
  if ((await claimName(context, record)) === 'exists') return 'exists';
  await context.step('create_type.stored');
  await keepClaim(context, new Set([record.typeId]));
  let outcome: 'created' | 'exists';
  try {
    outcome = await runStored();
  } catch (error) {
    // A type that Cassandra would not make is not this one, even if one of its name is there.
    if (isRefusal(error)) await removeOwn(context, record.typeId);
    throw error;
  }
  if (outcome === 'exists') {
    await removeOwn(context, record.typeId);
    return outcome;
  }
  await settleOwn(context, 'create_type', new Set([record.typeId]));
  return outcome;
}

/**
 * Puts the claim into the catalog. A record of the same name whose type is gone gives way; that it is gone must have been
 * seen after the record was written, or it may be of a proxy that was faster.
 */
async function claimName(
  context: ChangeContext,
  record: TypeRecord,
): Promise<'claimed' | 'exists'> {
  const { catalog, source } = context;
  let absentAtRoot: bigint | undefined;
  for (let attempt = 1; ; attempt += 1) {
    const isClaimed = await claimable(context, async () => {
      let isSure = true;
      await catalog.change((view) => {
        const other = find(view, record.keyspace, record.name);
        const remove = other === undefined || other.typeId === record.typeId ? [] : [other.typeId];
        isSure = true;
        if (other !== undefined && remove.length > 0) {
          refuseForeignClaim(context, other);
          isSure = absentAtRoot === view.root.version;
        }
        return isSure ? { put: [{ ...record, claim: claim(context) }], remove } : undefined;
      });
      return isSure;
    });
    if (isClaimed) return 'claimed';
    if (attempt === CLAIM_ATTEMPTS || !(await source.waitForAgreement())) {
      throw new OverloadError(
        'OVERLOAD_SCHEMA_CHANGE',
        `another schema change of ${record.keyspace}.${record.name} is under way; try again`,
      );
    }
    const snapshot = await catalog.refresh();
    if (snapshot.udt(record.keyspace, record.name) !== undefined) return 'exists';
    absentAtRoot = snapshot.rootVersion;
  }
}

async function removeOwn(context: ChangeContext, typeId: string): Promise<void> {
  await context.catalog.change((view) =>
    view.records.get(typeId)?.record.claim?.owner === context.owner
      ? { remove: [typeId] }
      : undefined,
  );
  await context.catalog.refresh();
}

/** ALTER TYPE: the record holds both lists of fields until system_schema shows which one holds. */
export async function alterType(
  context: ChangeContext,
  type: Pick<TypeDefinition, 'keyspace' | 'name'> & {
    readonly edit: (fields: readonly TypeFieldRecord[]) => readonly TypeFieldRecord[];
  },
  runStored: RunStored,
): Promise<void> {
  let typeId: string | undefined;
  await context.step('alter_type.claim');
  await claimable(context, async () => {
    await context.catalog.change((view) => {
      const record = find(view, type.keyspace, type.name);
      // A type from before the proxy has no record, and none is made for it.
      if (record === undefined) return undefined;
      refuseForeignClaim(context, record);
      typeId = record.typeId;
      const next = type.edit(record.fields);
      return { put: [{ ...record, state: 'ALTERING', next, claim: claim(context) }] };
    });
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
  await claimable(context, async () => {
    await context.catalog.change((view) => {
      const record = find(view, keyspace, name);
      if (record === undefined) return undefined;
      refuseForeignClaim(context, record);
      typeId = record.typeId;
      return { put: [{ ...record, state: 'DROPPING', claim: claim(context) }] };
    });
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
  await context.step(`${step}.stored`);
  await keepClaim(context, own);
  let outcome: 'created' | 'exists';
  try {
    outcome = await runStored();
  } catch (error) {
    if (isRefusal(error)) await recoverChanges(context, own);
    throw error;
  }
  await settleOwn(context, step, own);
  return outcome;
}

async function settleOwn(
  context: ChangeContext,
  step: string,
  own: ReadonlySet<string>,
): Promise<void> {
  await context.step(`${step}.agreement`);
  await settled(context);
  await context.step(`${step}.record`);
  await recoverChanges(context, own);
  await context.catalog.refresh();
}

/** {@link whenFree}, with the recovery of this folder. */
function claimable<T>(context: ChangeContext, attempt: () => Promise<T>): Promise<T> {
  return whenFree(context, () => recoverChanges(context), attempt);
}

function find(view: VerifiedRecords, keyspace: string, name: string): TypeRecord | undefined {
  for (const { record } of view.records.values()) {
    if (record.kind === 'type' && record.keyspace === keyspace && record.name === name) {
      return record;
    }
  }
  return undefined;
}
