import { editText, quoteIdentifier } from '../cql/index.ts';
import type {
  AlterTableStatement,
  ColumnDefinition,
  CreateTableStatement,
  Identifier,
  Property,
  Statement,
  TextEdit,
} from '../cql/index.ts';
import { CqlErrorCode, InvalidRequestError, UnsupportedStatementError } from '../errors/index.ts';
import { columnForm } from '../schema/index.ts';
import type {
  AlterTableChange,
  ColumnEntry,
  CreateTableDefinition,
  MaskRecord,
  NewColumn,
  Snapshot,
  TableEntry,
} from '../schema/index.ts';
import {
  isMultiCell,
  printType,
  referencesCounter,
  referencesDuration,
  resolveTypeName,
  udtNames,
} from '../values/index.ts';
import type { CqlType } from '../values/index.ts';
import { isSameMask, planMask } from './column_mask.ts';
import { customProperty, planProperties } from './custom_properties.ts';
import type { PlannedProperties } from './custom_properties.ts';
import { checkAddedCounter, checkNewCounters, refuseDefaultTtl } from './counter_schema.ts';
import { HIDDEN_PREFIX, isCounterTable, PROBE_COLUMN } from './table_columns.ts';
import { typeResolver } from './type_resolver.ts';
import type { TypeResolver } from './type_resolver.ts';

type CreateTypeStatement = Extract<Statement, { kind: 'create_type' }>;
type AlterTypeStatement = Extract<Statement, { kind: 'alter_type' }>;

/** A CREATE TABLE: the logical table, and the statement on Cassandra. */
export interface CreateTablePlan {
  readonly definition: CreateTableDefinition;
  /** False when the primary key is missing or names no column: Cassandra refuses the statement, in its own words. */
  readonly hasValidKey: boolean;
  /** Asks Cassandra whether the client may make the table, without making it: it names a key column that is not there. */
  readonly probeText: string;
  /** Name by which the expected refusal of the probe is known. */
  readonly probeColumn: string;
  readonly storedText: (tableId: string) => string;
}

/** An ALTER TABLE: what changes of the logical table, and the statement on Cassandra. */
export interface AlterTablePlan {
  readonly change: AlterTableChange;
  readonly storedText: string;
  /** CUSTOM_PROPERTIES: then nothing is executed on Cassandra but the probe, which asks whether the client may. */
  readonly custom: PlannedProperties | undefined;
  /** A column that gets another mask, or none: then, too, nothing is executed but the probe. */
  readonly mask: { readonly column: string; readonly mask: MaskRecord | undefined } | undefined;
  readonly probeText: string;
  /** Name by which the expected refusal of the probe is known. */
  readonly probeColumn: string;
}

/** A logical field of a user type. */
export interface PlannedField {
  readonly name: string;
  readonly type: string;
}

/** A CREATE TYPE. */
export interface CreateTypePlan {
  readonly fields: readonly PlannedField[];
  readonly storedText: string;
}

/** An ALTER TYPE. */
export interface AlterTypePlan {
  /** All fields afterwards, of those that the type has when its turn comes. */
  readonly edit: (fields: readonly PlannedField[]) => readonly PlannedField[];
  readonly storedText: string;
}

/** Plans CREATE TABLE. @throws InvalidRequestError, UnsupportedStatementError. */
export function planCreateTable(
  text: string,
  statement: CreateTableStatement,
  keyspace: string,
  snapshot: Snapshot,
): CreateTablePlan {
  const name = statement.table.name.text;
  const label = `${keyspace}.${name}`;
  if (statement.compactStorage) {
    throw new UnsupportedStatementError(`COMPACT STORAGE is not supported by the proxy (${label})`);
  }
  checkProperties(statement.properties, label);
  const property = customProperty(statement.properties);
  const custom = property && planProperties(property, label);
  const keys = statement.primaryKeys[0];
  const isKey = (column: string): boolean =>
    keys !== undefined &&
    [...keys.partition, ...keys.clustering].some((key) => key.text === column);
  const resolve = typeResolver(snapshot, keyspace);
  const columns = statement.columns.map((column): NewColumn => {
    const type = resolve(column.type);
    checkColumn(column, type, label, isKey(column.name.text));
    const mask = maskOf(column, type, { keyspace, table: name }, resolve, text);
    const partition = positionOf(keys?.partition, column.name);
    if (partition >= 0) return newColumn(column, type, 'partition', partition, mask);
    const clustering = positionOf(keys?.clustering, column.name);
    if (clustering >= 0) {
      const order = statement.clusteringOrder.find((o) => o.column.text === column.name.text);
      return {
        ...newColumn(column, type, 'clustering', clustering, mask),
        order: order?.direction ?? 'asc',
      };
    }
    return newColumn(column, type, column.isStatic ? 'static' : 'regular', 0, mask);
  });
  checkNewCounters(columns, statement.properties);
  const hasWith = statement.properties.length > 0 || statement.clusteringOrder.length > 0;
  const target = `${quoteIdentifier(keyspace)}.${quoteIdentifier(name)}`;
  return {
    definition: {
      keyspace,
      name,
      columns,
      encryption: custom?.encryption,
      customProperties:
        custom === undefined || Object.keys(custom.others).length === 0 ? undefined : custom.others,
    },
    hasValidKey:
      keys !== undefined &&
      statement.primaryKeys.length === 1 &&
      [...keys.partition, ...keys.clustering].every((key) =>
        statement.columns.some((column) => column.name.text === key.text),
      ) &&
      new Set(columns.map((column) => column.name)).size === columns.length,
    probeColumn: PROBE_COLUMN,
    probeText: `CREATE TABLE ${statement.ifNotExists ? 'IF NOT EXISTS ' : ''}${target} (a blob, PRIMARY KEY (${PROBE_COLUMN}))`,
    storedText: (tableId) =>
      editText(text, [
        { span: statement.table.span, replacement: target },
        ...statement.columns.flatMap((column, index) => [
          { span: column.type.span, replacement: columns[index]?.storedType ?? 'blob' },
          ...withoutMask(column),
        ]),
        // Custom properties are the proxy's: the id takes their place.
        ...(property === undefined
          ? []
          : [{ span: property.span, replacement: `ID = ${tableId}` }]),
        {
          span: { start: statement.span.end, end: text.length },
          replacement: property === undefined ? ` ${hasWith ? 'AND' : 'WITH'} ID = ${tableId}` : '',
        },
      ]),
  };
}

function positionOf(keys: readonly Identifier[] | undefined, name: Identifier): number {
  return keys?.findIndex((key) => key.text === name.text) ?? -1;
}

function newColumn(
  column: ColumnDefinition,
  type: CqlType,
  kind: NewColumn['kind'],
  position: number,
  mask: MaskRecord | undefined,
): NewColumn {
  const base = { name: column.name.text, type: printType(type), kind, position, mask };
  return kind === 'static' || kind === 'regular' ? { ...base, ...columnForm(type) } : base;
}

/** The mask of a new column. */
function maskOf(
  { name, mask }: ColumnDefinition,
  type: CqlType,
  table: { readonly keyspace: string; readonly table: string },
  types: TypeResolver,
  text: string,
): MaskRecord | undefined {
  return mask && planMask(mask, { ...table, name: name.text, type }, types, text);
}

/** Takes MASKED WITH out of a stored statement: what Cassandra has it cannot mask. */
function withoutMask({ mask }: ColumnDefinition): TextEdit[] {
  return mask === undefined ? [] : [{ span: mask.span, replacement: '' }];
}

/** Checks that Cassandra cannot make any more, because every stored column is a blob. */
function checkColumn(column: ColumnDefinition, type: CqlType, label: string, isKey: boolean): void {
  const name = column.name.text;
  if (name.startsWith(HIDDEN_PREFIX)) {
    throw new InvalidRequestError(
      `Column name ${name} of ${label} begins with the prefix ${HIDDEN_PREFIX}, which is reserved by the proxy`,
    );
  }
  if (isKey && referencesCounter(type)) {
    throw new InvalidRequestError(`counter type is not supported for PRIMARY KEY column '${name}'`);
  }
  if (type.kind === 'custom') {
    throw new UnsupportedStatementError(
      `the custom type of column ${name} of ${label} is not supported by the proxy`,
    );
  }
  if (isKey && isMultiCell(type)) {
    throw new InvalidRequestError(
      `Invalid non-frozen ${type.kind === 'udt' ? 'user-defined' : 'collection'} type ${type.kind === 'udt' ? `"${type.keyspace}.${type.name}"` : printType(type)} for PRIMARY KEY column '${name}'`,
    );
  }
  if (isKey && referencesDuration(type)) {
    throw new InvalidRequestError(
      `duration type is not supported for PRIMARY KEY column '${name}'`,
    );
  }
  if (type.kind === 'udt' && !type.frozen && type.fields.some((field) => isMultiCell(field.type))) {
    throw new InvalidRequestError(
      'Non-frozen UDTs with nested non-frozen collections are not supported',
    );
  }
}

function checkProperties(properties: readonly Property[], label: string): void {
  for (const property of properties) {
    const name = property.name.text.toLowerCase();
    if (name === 'id') {
      throw new UnsupportedStatementError(
        `WITH ID (${label}) is not supported by the proxy, which chooses the id of a table itself`,
      );
    }
  }
}

/** Plans ALTER TABLE on an encrypted table. @throws InvalidRequestError, UnsupportedStatementError. */
export function planAlterTable(
  text: string,
  statement: AlterTableStatement,
  table: TableEntry,
  snapshot: Snapshot,
): AlterTablePlan {
  const { action } = statement;
  const label = `${table.keyspace}.${table.name}`;
  const edits = [
    {
      span: statement.table.span,
      replacement: `${quoteIdentifier(table.keyspace)}.${quoteIdentifier(table.name)}`,
    },
  ];
  let change: AlterTableChange = { kind: 'with' };
  let custom: PlannedProperties | undefined;
  let mask: AlterTablePlan['mask'];
  switch (action.kind) {
    case 'add': {
      const resolve = typeResolver(snapshot, table.keyspace);
      const columns: NewColumn[] = [];
      for (const column of action.columns) {
        const type = resolve(column.type);
        checkColumn(column, type, label, false);
        const of = { keyspace: table.keyspace, table: table.name };
        const mask = maskOf(column, type, of, resolve, text);
        const planned = newColumn(column, type, column.isStatic ? 'static' : 'regular', 0, mask);
        edits.push({ span: column.type.span, replacement: planned.storedType ?? 'blob' });
        edits.push(...withoutMask(column));
        // IF NOT EXISTS leaves a column that is there as it is.
        if (action.ifNotExists && table.columns.has(column.name.text)) continue;
        checkAddedCounter(column.name.text, type, table);
        columns.push(planned);
      }
      change = columns.length === 0 ? { kind: 'with' } : { kind: 'add', columns };
      break;
    }
    case 'drop': {
      for (const column of action.columns) refuseIndexed(table, column.text);
      const columns = action.columns
        .map((column) => column.text)
        .filter((name) => !action.ifExists || table.columns.has(name));
      change = columns.length === 0 ? { kind: 'with' } : { kind: 'drop', columns };
      break;
    }
    case 'rename': {
      for (const { to } of action.renames) {
        if (to.text.startsWith(HIDDEN_PREFIX)) {
          throw new InvalidRequestError(
            `Column name ${to.text} begins with the prefix ${HIDDEN_PREFIX}, which is reserved by the proxy`,
          );
        }
      }
      const renames = action.renames
        .map(({ from, to }) => ({ from: from.text, to: to.text }))
        .filter(({ from }) => !action.ifExists || table.columns.has(from));
      change = renames.length === 0 ? { kind: 'with' } : { kind: 'rename', renames };
      break;
    }
    case 'with':
      if (action.properties.some(({ name }) => name.text.toLowerCase() === 'id')) {
        throw new InvalidRequestError('Cannot alter table id.', CqlErrorCode.CONFIG_ERROR);
      }
      if (isCounterTable(table)) refuseDefaultTtl(action.properties);
      custom = alteredProperties(action.properties, label);
      break;
    case 'alter_type':
      edits.push({ span: action.type.span, replacement: 'blob' });
      break;
    case 'mask':
      mask = maskChange(table, action.column.text, (column) =>
        planMask(
          action.mask,
          { keyspace: table.keyspace, table: table.name, name: column.name, type: column.type },
          typeResolver(snapshot, table.keyspace),
          text,
        ),
      );
      // Where there is nothing to do Cassandra says so, or that there is no such column.
      edits.push({ span: action.mask.span, replacement: 'DROP MASKED' });
      break;
    case 'drop_mask':
      mask = maskChange(table, action.column.text, () => undefined);
      break;
    case 'drop_compact_storage':
      break;
  }
  const target = `${quoteIdentifier(table.keyspace)}.${quoteIdentifier(table.name)}`;
  return {
    change,
    storedText: editText(text, edits),
    custom,
    mask,
    probeText: `ALTER TABLE ${target} DROP ${PROBE_COLUMN}`,
    probeColumn: PROBE_COLUMN,
  };
}

/** What becomes of a column's mask; undefined where nothing does: there is no such column, or it has that mask. */
function maskChange(
  table: TableEntry,
  name: string,
  plan: (column: ColumnEntry) => MaskRecord | undefined,
): AlterTablePlan['mask'] {
  const column = table.columns.get(name);
  if (column === undefined) return undefined;
  const mask = plan(column);
  return isSameMask(column, mask) ? undefined : { column: name, mask };
}

/** Cassandra sees the indexes of the hidden columns only. */
function refuseIndexed(table: TableEntry, name: string): void {
  const column = table.columns.get(name);
  if (column === undefined || column.kind === 'partition' || column.kind === 'clustering') return;
  const dependent = table.indexes.filter((index) => index.column === column);
  if (dependent.length === 0) return;
  throw new InvalidRequestError(
    `Cannot drop column ${name} because it has dependent secondary indexes (${dependent.map((index) => index.name).join(', ')})`,
  );
}

/** One custom property at a time and nothing else, as Amazon Keyspaces has it: so the change is whole or not made. */
function alteredProperties(
  properties: readonly Property[],
  label: string,
): PlannedProperties | undefined {
  const property = customProperty(properties);
  if (property === undefined) return undefined;
  const custom = planProperties(property, label);
  const count = Object.keys(custom.others).length + (custom.encryption === undefined ? 0 : 1);
  if (properties.length > 1 || count !== 1) {
    throw new InvalidRequestError(
      `ALTER TABLE ${label} changes one custom property at a time, and no other property with it`,
    );
  }
  return custom;
}

/** Plans CREATE TYPE: the stored type has a blob for each field. @throws InvalidRequestError for unknown types. */
export function planCreateType(
  text: string,
  statement: CreateTypeStatement,
  keyspace: string,
  snapshot: Snapshot,
): CreateTypePlan {
  const resolve = typeResolver(snapshot, keyspace);
  return {
    fields: statement.fields.map((field) => plannedField(field.name, resolve(field.type))),
    storedText: editText(text, [
      {
        span: statement.type.span,
        replacement: `${quoteIdentifier(keyspace)}.${quoteIdentifier(statement.type.name.text)}`,
      },
      ...statement.fields.map((field) => ({ span: field.type.span, replacement: 'blob' })),
    ]),
  };
}

function plannedField(name: Identifier, type: CqlType): PlannedField {
  if (name.text.startsWith(HIDDEN_PREFIX)) {
    throw new InvalidRequestError(
      `Field name ${name.text} begins with the prefix ${HIDDEN_PREFIX}, which is reserved by the proxy`,
    );
  }
  if (referencesCounter(type)) {
    throw new InvalidRequestError('A user type cannot contain counters');
  }
  if (type.kind === 'udt' && !type.frozen) {
    throw new InvalidRequestError('A user type cannot contain non-frozen UDTs');
  }
  return { name: name.text, type: printType(type) };
}

/** Plans ALTER TYPE. @throws InvalidRequestError for what Cassandra refuses, where only the proxy can see it. */
export function planAlterType(
  text: string,
  statement: AlterTypeStatement,
  keyspace: string,
  snapshot: Snapshot,
): AlterTypePlan {
  const name = statement.type.name.text;
  const { action } = statement;
  let edit: AlterTypePlan['edit'] = (fields) => fields;
  const replacement = `${quoteIdentifier(keyspace)}.${quoteIdentifier(name)}`;
  const edits = [{ span: statement.type.span, replacement }];
  switch (action.kind) {
    case 'add': {
      const used = partitionKeyUse(keyspace, name, snapshot);
      if (used !== undefined) {
        throw new InvalidRequestError(
          `Cannot add new field to type ${keyspace}.${name} as it is used in the partition key of table ${used}`,
        );
      }
      const added: PlannedField[] = [];
      for (const field of action.fields) {
        edits.push({ span: field.type.span, replacement: 'blob' });
        const type = resolveTypeName(field.type, {
          keyspace,
          udt: (udtName) => snapshot.udt(keyspace, udtName),
        });
        if (udtNames(type).has(name)) {
          throw new InvalidRequestError(
            `Cannot add new field ${field.name.text} of type ${printType(type)} to user type ${keyspace}.${name} as it would create a circular reference`,
          );
        }
        added.push(plannedField(field.name, type));
      }
      edit = (fields) =>
        added.reduce(
          (all, field) =>
            action.ifNotExists && all.some(({ name: known }) => known === field.name)
              ? all
              : [...all, field],
          fields,
        );
      break;
    }
    case 'rename':
      edit = (fields) =>
        action.renames.reduce(
          (all, { from, to }) =>
            all.map((field) => (field.name === from.text ? { ...field, name: to.text } : field)),
          fields,
        );
      break;
    case 'alter':
      edits.push({ span: action.type.span, replacement: 'blob' });
      break;
  }
  return { edit, storedText: editText(text, edits) };
}

function partitionKeyUse(keyspace: string, name: string, snapshot: Snapshot): string | undefined {
  for (const table of snapshot.keyspace(keyspace)?.tables.values() ?? []) {
    if (table.partitionKey.some((column) => udtNames(column.type).has(name))) {
      return `${table.keyspace}.${table.name}`;
    }
  }
  return undefined;
}

/** @throws InvalidRequestError when a type is still in use: Cassandra cannot see it in columns of blobs. */
export function checkTypeUnused(keyspace: string, name: string, snapshot: Snapshot): void {
  const entry = snapshot.keyspace(keyspace);
  if (entry === undefined) return;
  const types = [...entry.types.values()].filter((type) =>
    type.fields.some((field) => udtNames(field.type).has(name)),
  );
  if (types.length > 0) {
    throw new InvalidRequestError(
      `Cannot drop user type '${keyspace}.${name}' as it is still used by user types ${types.map((type) => type.name).join(', ')}`,
    );
  }
  const tables = [...entry.tables.values()].filter((table) =>
    table.allColumns.some((column) => udtNames(column.type).has(name)),
  );
  if (tables.length > 0) {
    throw new InvalidRequestError(
      `Cannot drop user type '${keyspace}.${name}' as it is still used by tables ${tables.map((table) => table.name).join(', ')}`,
    );
  }
}
