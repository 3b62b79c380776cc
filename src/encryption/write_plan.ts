import type { ColumnContext } from '../crypto/index.ts';
import { quoteIdentifier } from '../cql/index.ts';
import type {
  DeleteStatement,
  InsertStatement,
  ModificationStatement,
  UpdateStatement,
  UsingClause,
} from '../cql/index.ts';
import { InvalidRequestError, type ProxyError } from '../errors/index.ts';
import type { ColumnEntry, TableEntry } from '../schema/index.ts';
import { native } from '../values/index.ts';
import { blindAssignments } from './blind_columns.ts';
import type { BlindAssignment } from './blind_columns.ts';
import { mirrorsOf } from './blind_parts.ts';
import type { BlindMirror, PartOperation } from './blind_parts.ts';
import { compileConditions } from './conditions.ts';
import type { ColumnCondition } from './conditions.ts';
import { compileJson } from './insert_json.ts';
import type { JsonColumn } from './insert_json.ts';
import { clusteringText } from './key_sealing.ts';
import type { Receiver } from './markers.ts';
import { planPartAssignment, planPartDeletion, wholeWrite } from './part_writes.ts';
import type { PartWrite, PlannedPart } from './part_writes.ts';
import { analyseWhere } from './restrictions.ts';
import type { KeyRestriction } from './restrictions.ts';
import { columnContext, requireColumn, storedName, tableName } from './table_columns.ts';
import { compileTerm } from './terms.ts';
import type { TermScope, TermSource } from './terms.ts';
import { mirrorAssignments } from './view_mirrors.ts';
import type { MirrorAssignment } from './view_mirrors.ts';

/** A marker of the stored statement: where its value comes from. */
export type WriteMarker =
  | { readonly kind: 'partition'; readonly position: number }
  | { readonly kind: 'clustering'; readonly position: number }
  /** All clustering restrictions of a DELETE, in order. */
  | { readonly kind: 'clustering_restrictions' }
  | { readonly kind: 'cell'; readonly cell: number }
  /** The key of an entry of a map. */
  | { readonly kind: 'cell_key'; readonly cell: number }
  /** A hidden column, by its place in `blinds`. */
  | { readonly kind: 'blind'; readonly blind: number }
  /** A hidden column of several cells, by its place in `mirrors`: the key of an entry, and the value. */
  | { readonly kind: 'mirror_key' | 'mirror'; readonly mirror: number }
  /** A hidden column of a view, by its place in `viewMirrors`. */
  | { readonly kind: 'view_mirror'; readonly mirror: number }
  | { readonly kind: 'plain'; readonly source: TermSource }
  /** What a column of `conditionColumns` is compared with; always the last markers. */
  | { readonly kind: 'condition'; readonly column: ColumnEntry };

/** A cell that a statement writes, or what it does to a column of several cells. */
export interface CellAssignment {
  readonly column: ColumnEntry;
  readonly context: ColumnContext;
  readonly source: TermSource;
  /** Of a column of several cells: how the value is encrypted. */
  readonly parts?: PartWrite | undefined;
}

/** What a write of a counter table is. `increments`: the plan's cells are what is added, 8 bytes each, or unset. */
export type CounterWrite = 'increments' | 'delete';

/** Everything about an INSERT, UPDATE or DELETE on an encrypted table that does not depend on its values. */
export interface WritePlan {
  readonly kind: 'write';
  readonly statement: 'insert' | 'update' | 'delete';
  readonly table: TableEntry;
  /** The statement on the stored table with the client's own structure: PREPAREd for Cassandra's own errors. */
  readonly validationText: string;
  readonly refusal: ProxyError | undefined;
  /** The statement that is executed, for one row (INSERT, UPDATE, DELETE of elements) or one partition (DELETE). */
  readonly storedText: string;
  /**
   * Of INSERT JSON … DEFAULT UNSET: the statement without the columns whose markers are at these places, for protocol v3,
   * which has no unset values.
   */
  readonly textWithout?: (unset: ReadonlySet<number>) => string;
  readonly markers: readonly WriteMarker[];
  readonly partition: readonly KeyRestriction[];
  readonly clustering: readonly KeyRestriction[];
  readonly cells: readonly CellAssignment[];
  /** Hidden columns that are written beside cells. */
  readonly blinds: readonly BlindAssignment[];
  /** The same for columns of several cells. */
  readonly mirrors: readonly BlindMirror[];
  /** Hidden columns of views that are written beside cells. */
  readonly viewMirrors: readonly MirrorAssignment[];
  /** IF: the answer has rows. */
  readonly conditional: boolean;
  /** IF with conditions on columns; the proxy judges them, the stored statement compares with whole stored cells. */
  readonly conditions: readonly ColumnCondition[];
  /** The columns of the conditions, each once. */
  readonly conditionColumns: readonly ColumnEntry[];
  readonly hasTimestamp: boolean;
  /** A write of a counter table, which is run otherwise: the proxy reads, adds, compares and sets. */
  readonly counter?: CounterWrite;
}

const INT = native('int');
const BIGINT = native('bigint');

/** What the planners of the three statements share. */
export interface Planning {
  readonly table: TableEntry;
  readonly scope: TermScope;
  readonly target: string;
}

/** Plans a data statement on a table without counters. @throws InvalidRequestError, UnsupportedStatementError. */
export function planCellWrite(statement: ModificationStatement, planning: Planning): WritePlan {
  switch (statement.kind) {
    case 'insert':
      return planInsert(statement, planning);
    case 'update':
      return planUpdate(statement, planning);
    case 'delete':
      return planDelete(statement, planning);
  }
}

function planInsert(statement: InsertStatement, planning: Planning): WritePlan {
  const { table, scope, target } = planning;
  const cells: CellAssignment[] = [];
  const partition: KeyRestriction[] = [];
  const clustering: KeyRestriction[] = [];
  const storedMarkers: WriteMarker[] = [];
  const inputs =
    statement.json === undefined
      ? namedValues(statement, planning)
      : compileJson(statement.json, table, table.allColumns, scope);
  const columns = inputs.map(({ column }) => column);
  inputs.forEach(({ column, source }) => {
    storedMarkers.push(markerOf(column, cells.length));
    if (column.kind === 'partition') partition.push(equality(column, source));
    else if (column.kind === 'clustering') clustering.push(equality(column, source));
    else cells.push(wholeCell(table, column, source));
  });
  const hidden = hiddenWrites(table, cells);
  storedMarkers.push(...hidden.markers);
  const mirrors = cells.flatMap(({ column }, cell) => mirrorsOf(table, column, 'set', cell));
  storedMarkers.push(...mirrorMarkers(mirrors));
  const names = [
    ...columns.map(storedName),
    ...hidden.names.map(quoteIdentifier),
    ...mirrors.map(({ index }) => quoteIdentifier(index.hidden.name)),
  ];
  const using = compileUsing(statement.using, planning);
  const textOf = (written: readonly string[]): string =>
    `INSERT INTO ${target} (${written.join(', ')}) VALUES (${written.map(() => '?').join(', ')})${statement.ifNotExists ? ' IF NOT EXISTS' : ''}${using.text}`;
  const text = textOf(names);
  return {
    kind: 'write',
    statement: 'insert',
    table,
    validationText: text,
    refusal: undefined,
    storedText: text,
    ...(statement.json?.defaultUnset === true
      ? { textWithout: (unset) => textOf(names.filter((_, i) => !unset.has(i))) }
      : {}),
    markers: [...storedMarkers, ...using.markers],
    partition,
    clustering,
    cells,
    blinds: hidden.blinds,
    mirrors,
    viewMirrors: hidden.viewMirrors,
    conditional: statement.ifNotExists,
    conditions: [],
    conditionColumns: [],
    hasTimestamp: statement.using.timestamp !== undefined,
  };
}

/** `INSERT (columns) VALUES (values)`. */
function namedValues(
  { columns, values }: InsertStatement,
  { table, scope }: Planning,
): JsonColumn[] {
  if (columns.length !== values.length) {
    throw new InvalidRequestError('Unmatched column names/values');
  }
  return columns
    .map((name) => requireColumn(table, name))
    .map((column, index) => {
      const value = values[index];
      if (value === undefined) throw new InvalidRequestError('Unmatched column names/values');
      return { column, source: compileTerm(value, receiver(table, column), scope) };
    });
}

function planUpdate(statement: UpdateStatement, planning: Planning): WritePlan {
  const { table, scope, target } = planning;
  const using = compileUsing(statement.using, planning);
  const cells: CellAssignment[] = [];
  const assignments: string[] = [];
  /** What is done to which column by which cell. */
  const operations: [ColumnEntry, PartOperation, number][] = [];
  const storedMarkers: WriteMarker[] = [...using.markers];
  for (const assignment of statement.assignments) {
    const column = requireColumn(table, assignment.column);
    refuseKeyAssignment(column);
    if (assignment.kind !== 'set') {
      if (column.kind === 'partition' || column.kind === 'clustering') {
        throw new InvalidRequestError(`PRIMARY KEY part ${column.name} found in SET part`);
      }
      const part = planPartAssignment(assignment, table, column, scope);
      assignments.push(part.text);
      if (part.operation !== undefined) operations.push([column, part.operation, cells.length]);
      addPart(part, cells, storedMarkers);
      continue;
    }
    operations.push([column, 'set', cells.length]);
    const source = compileTerm(assignment.value, receiver(table, column, false), scope);
    assignments.push(`${quoteIdentifier(column.name)} = ?`);
    storedMarkers.push({ kind: 'cell', cell: cells.length });
    cells.push(wholeCell(table, column, source));
  }
  const hidden = hiddenWrites(table, cells);
  assignments.push(...hidden.names.map((name) => `${quoteIdentifier(name)} = ?`));
  storedMarkers.push(...hidden.markers);
  const mirrors = operations.flatMap(([column, operation, cell]) =>
    mirrorsOf(table, column, operation, cell),
  );
  assignments.push(...mirrors.map(({ text }) => text));
  storedMarkers.push(...mirrorMarkers(mirrors));
  const where = analyseWhere(statement.where, table, scope);
  const refusal = where.refusal ?? tokenRefusal(where, table);
  const condition = planCondition(statement, planning);
  const head = `UPDATE ${target}${using.text} SET ${assignments.join(', ')}`;
  const keyColumns = [
    ...table.partitionKey,
    ...table.clustering.filter((column) =>
      where.clustering.some((restriction) => restriction.columns.includes(column)),
    ),
  ];
  for (const column of keyColumns) {
    storedMarkers.push({ kind: keyKind(column), position: column.position });
  }
  return {
    kind: 'write',
    statement: 'update',
    table,
    validationText: `${head}${where.validationText}${condition.validationText}`,
    refusal,
    storedText: `${head} WHERE ${keyColumns.map((column) => `${storedName(column)} = ?`).join(' AND ')}${condition.storedText}`,
    markers: [...storedMarkers, ...condition.markers],
    partition: where.partition,
    clustering: where.clustering,
    cells,
    blinds: hidden.blinds,
    mirrors,
    viewMirrors: hidden.viewMirrors,
    conditional: statement.ifExists || condition.conditions.length > 0,
    conditions: condition.conditions,
    conditionColumns: condition.columns,
    hasTimestamp: statement.using.timestamp !== undefined,
  };
}

/** @throws InvalidRequestError for a column of the primary key, as Cassandra. */
export function refuseKeyAssignment({ name, kind }: ColumnEntry): void {
  if (kind !== 'partition' && kind !== 'clustering') return;
  throw new InvalidRequestError(`PRIMARY KEY part ${name} found in SET part`);
}

/** Plans a DELETE. @throws InvalidRequestError, UnsupportedStatementError. */
export function planDelete(statement: DeleteStatement, planning: Planning): WritePlan {
  const { table, scope, target } = planning;
  const cells: CellAssignment[] = [];
  const targetMarkers: WriteMarker[] = [];
  const whole: ColumnEntry[] = [];
  const mirrors: BlindMirror[] = [];
  const targets = statement.targets.map((deleted) => {
    const column = requireColumn(table, deleted.column);
    const part = planPartDeletion(deleted, table, column, scope);
    if (part.operation !== undefined) {
      mirrors.push(...mirrorsOf(table, column, part.operation, cells.length));
    }
    addPart(part, cells, targetMarkers);
    if (deleted.key === undefined && deleted.field === undefined) whole.push(column);
    return part.text;
  });
  const names = [
    ...targets,
    ...blindAssignments(table, whole).map(({ index }) => quoteIdentifier(index.hidden.name)),
    ...mirrorAssignments(table, whole).map(({ hidden }) => quoteIdentifier(hidden.name)),
    ...mirrors.map(({ text }) => text),
  ];
  const using = compileUsing(statement.using, planning);
  const where = analyseWhere(statement.where, table, scope);
  const refusal = where.refusal ?? tokenRefusal(where, table);
  const condition = planCondition(statement, planning);
  const head = `DELETE ${names.length === 0 ? '' : `${names.join(', ')} `}FROM ${target}${using.text}`;
  return {
    kind: 'write',
    statement: 'delete',
    table,
    validationText: `${head}${where.validationText}${condition.validationText}`,
    refusal,
    storedText: `${head} WHERE ${table.partitionKey.map((column) => `${storedName(column)} = ?`).join(' AND ')}${clusteringText(where.clustering)}${condition.storedText}`,
    markers: [
      ...targetMarkers,
      ...mirrorMarkers(mirrors),
      ...using.markers,
      ...table.partitionKey.map((column) => ({
        kind: 'partition' as const,
        position: column.position,
      })),
      { kind: 'clustering_restrictions' },
      ...condition.markers,
    ],
    partition: where.partition,
    clustering: where.clustering,
    cells,
    blinds: [],
    mirrors,
    viewMirrors: [],
    conditional: statement.ifExists || condition.conditions.length > 0,
    conditions: condition.conditions,
    conditionColumns: condition.columns,
    hasTimestamp: statement.using.timestamp !== undefined,
  };
}

function wholeCell(table: TableEntry, column: ColumnEntry, source: TermSource): CellAssignment {
  const context = columnContext(table, column);
  return { column, context, source, parts: wholeWrite(table, column) };
}

/** Adds the markers of a planned part, in the order of its text. */
function addPart(part: PlannedPart, cells: CellAssignment[], markers: WriteMarker[]): void {
  for (const source of part.plain) markers.push({ kind: 'plain', source });
  if (part.cell === undefined) return;
  if (part.cell.parts?.key !== undefined) markers.push({ kind: 'cell_key', cell: cells.length });
  markers.push({ kind: 'cell', cell: cells.length });
  cells.push(part.cell);
}

/** The hidden columns of one cell that are written beside cells; columns of several cells have {@link WritePlan.mirrors}. */
function hiddenWrites(
  table: TableEntry,
  cells: readonly CellAssignment[],
): {
  readonly blinds: readonly BlindAssignment[];
  readonly viewMirrors: readonly MirrorAssignment[];
  readonly names: readonly string[];
  readonly markers: readonly WriteMarker[];
} {
  const columns = cells.map((cell) => cell.column);
  const blinds = blindAssignments(table, columns).filter(
    ({ cell }) => cells[cell]?.parts === undefined,
  );
  const viewMirrors = mirrorAssignments(table, columns);
  return {
    blinds,
    viewMirrors,
    names: [
      ...blinds.map(({ index }) => index.hidden),
      ...viewMirrors.map(({ hidden }) => hidden),
    ].map(({ name }) => name),
    markers: [
      ...blinds.map((_, blind) => ({ kind: 'blind' as const, blind })),
      ...viewMirrors.map((_, mirror) => ({ kind: 'view_mirror' as const, mirror })),
    ],
  };
}

function mirrorMarkers(mirrors: readonly BlindMirror[]): WriteMarker[] {
  return mirrors.flatMap(({ hasKey }, mirror): WriteMarker[] => [
    ...(hasKey ? [{ kind: 'mirror_key' as const, mirror }] : []),
    { kind: 'mirror', mirror },
  ]);
}

/** The IF clause of an UPDATE or DELETE. */
interface PlannedCondition {
  readonly validationText: string;
  readonly storedText: string;
  readonly markers: readonly WriteMarker[];
  readonly conditions: readonly ColumnCondition[];
  readonly columns: readonly ColumnEntry[];
}

function planCondition(
  statement: UpdateStatement | DeleteStatement,
  { table, scope }: Planning,
): PlannedCondition {
  const conditions = compileConditions(statement.conditions, table, scope);
  if (conditions.length === 0) {
    const text = statement.ifExists ? ' IF EXISTS' : '';
    return { validationText: text, storedText: text, markers: [], conditions, columns: [] };
  }
  const columns = [...new Set(conditions.map(({ column }) => column))];
  return {
    validationText: ` IF ${conditions.map(({ validationText }) => validationText).join(' AND ')}`,
    storedText: ` IF ${columns.map(({ name }) => `${quoteIdentifier(name)} = ?`).join(' AND ')}`,
    markers: columns.map((column) => ({ kind: 'condition' as const, column })),
    conditions,
    columns,
  };
}

/** Cassandra refuses token() here; its validation comes first, this keeps the proxy from ever dropping the relation. */
export function tokenRefusal(
  where: { readonly token: readonly unknown[] },
  table: TableEntry,
): ProxyError | undefined {
  if (where.token.length === 0) return undefined;
  return new InvalidRequestError(
    `The token function cannot be used in WHERE clauses of writes to ${tableName(table)}`,
  );
}

/** What a value for a column is written to; `isKeyTarget`: whether a marker may carry a partition key component. */
export function receiver(table: TableEntry, column: ColumnEntry, isKeyTarget = true): Receiver {
  const base = {
    keyspace: table.keyspace,
    table: table.name,
    name: column.name,
    type: column.type,
  };
  return isKeyTarget && column.kind === 'partition'
    ? { ...base, partitionKeyPosition: column.position }
    : base;
}

function equality(column: ColumnEntry, source: TermSource): KeyRestriction {
  return {
    columns: [column],
    operator: '=',
    multiColumn: false,
    values: (context) => {
      const value = source(context);
      if (value === null) {
        throw new InvalidRequestError(`Invalid null value in condition for column ${column.name}`);
      }
      if (!(value instanceof Uint8Array)) {
        throw new InvalidRequestError(`Invalid unset value for column ${column.name}`);
      }
      return [[value]];
    },
  };
}

function keyKind(column: ColumnEntry): 'partition' | 'clustering' {
  return column.kind === 'partition' ? 'partition' : 'clustering';
}

function markerOf(column: ColumnEntry, cell: number): WriteMarker {
  if (column.kind === 'partition' || column.kind === 'clustering') {
    return { kind: column.kind, position: column.position };
  }
  return { kind: 'cell', cell };
}

/** The USING clause of the stored statement. */
export function compileUsing(
  using: UsingClause,
  planning: Planning,
): { readonly text: string; readonly markers: WriteMarker[] } {
  const { table, scope } = planning;
  const parts: string[] = [];
  const markers: WriteMarker[] = [];
  const add = (name: 'TTL' | 'TIMESTAMP', expression: UsingClause['ttl']): void => {
    if (expression === undefined) return;
    const source = compileTerm(
      expression,
      {
        keyspace: table.keyspace,
        table: table.name,
        name: name === 'TTL' ? '[ttl]' : '[timestamp]',
        type: name === 'TTL' ? INT : BIGINT,
      },
      scope,
    );
    parts.push(`${name} ?`);
    markers.push({ kind: 'plain', source });
  };
  add('TTL', using.ttl);
  add('TIMESTAMP', using.timestamp);
  return { text: parts.length === 0 ? '' : ` USING ${parts.join(' AND ')}`, markers };
}
