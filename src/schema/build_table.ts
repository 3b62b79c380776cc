import { MetadataIntegrityError, SchemaError, toProxyError } from '../errors/index.ts';
import type { ProxyError } from '../errors/index.ts';
import type { CqlType } from '../values/index.ts';
import { columnForm } from './column_form.ts';
import type { ColumnEntry, ColumnMask, IndexEntry, TableEntry, TableStatus } from './entries.ts';
import { hiddenColumns, liveIndexes } from './indexes.ts';
import type { StoredColumnRow, StoredTableRow } from './raw_schema.ts';
import type { ColumnRecord, MaskRecord, TableForm, TableRecord } from './record.ts';
import { logicalType, storedType } from './type_resolution.ts';
import type { KeyspaceTypes } from './type_resolution.ts';
import { liveViews, viewColumns, viewEntry } from './views.ts';
import type { StoredViewRow } from './views.ts';

const NO_ID = new Uint8Array(0);

/** Everything known of one stored table. */
export interface TableInput {
  readonly row: StoredTableRow;
  readonly columns: readonly StoredColumnRow[];
  readonly types: KeyspaceTypes;
  readonly verified: { readonly version: bigint; readonly record: TableRecord } | undefined;
  readonly isPlain: boolean;
  /** What an unknown table is refused with when records are damaged: it may be one of theirs. */
  readonly damage: ProxyError | undefined;
}

/** A token that differs whenever the entry built from `input` would differ. */
export function tableToken(input: TableInput): string {
  const columns = input.columns
    .map((c) => `${c.name}\0${c.kind}\0${c.position}\0${c.order ?? ''}\0${c.type}`)
    .sort()
    .join('\n');
  return [
    input.row.id,
    input.row.defaultTtl,
    input.verified === undefined
      ? '-'
      : `${input.verified.record.tableId}:${input.verified.version}`,
    input.isPlain,
    input.damage?.code ?? '',
    input.types.versionOf([...input.columns.map(({ type }) => type), ...recordTypes(input)]),
    columns,
  ].join('|');
}

/** The type texts of a record, in both of its forms. */
function recordTypes({ verified }: TableInput): string[] {
  const forms: (TableForm | null | undefined)[] = [verified?.record, verified?.record.next];
  return forms.flatMap((form) =>
    [...(form?.columns ?? []), ...(form?.dropped ?? [])].map(({ type }) => type),
  );
}

/** Builds the entry of a table; never throws: what does not verify is an entry that refuses. */
export function buildTable(input: TableInput): TableEntry {
  const { row, verified } = input;
  if (verified === undefined) {
    if (input.isPlain) return storedEntry(input, 'plain', undefined);
    return storedEntry(
      input,
      'unknown',
      input.damage ??
        new SchemaError(
          'SCHEMA_UNKNOWN_TABLE',
          `table ${row.keyspace}.${row.name} was not created through the proxy; its reads and writes are refused (see: cqlock tables adopt)`,
        ),
    );
  }
  try {
    return encryptedEntry(input, verified.version, verified.record);
  } catch (error) {
    return storedEntry(input, 'broken', toProxyError(error));
  }
}

/** True when the stored columns are exactly those of the form. */
export function formMatches(form: TableForm, stored: readonly StoredColumnRow[]): boolean {
  const hidden = [
    ...hiddenColumns(form),
    ...viewColumns(form).map(({ name }) => ({ name, kind: 'regular', type: 'blob' })),
  ];
  if (form.columns.length + hidden.length !== stored.length) return false;
  const byName = new Map(stored.map((column) => [column.name, column]));
  const isMirrored = hidden.every((column) => {
    const row = byName.get(column.name);
    return row?.kind === column.kind && row.type === column.type;
  });
  if (!isMirrored) return false;
  return form.columns.every((column) => {
    const row = byName.get(column.name);
    return (
      row?.kind === column.kind &&
      row.type === column.storedType &&
      (column.kind === 'static' || column.kind === 'regular' || row.position === column.position) &&
      (column.kind !== 'clustering' || row.order === (column.order ?? 'asc'))
    );
  });
}

function encryptedEntry(input: TableInput, version: bigint, record: TableRecord): TableEntry {
  const { row } = input;
  const where = `${row.keyspace}.${row.name}`;
  if (record.cassandraId !== row.id) {
    throw new MetadataIntegrityError(
      'METADATA_TABLE_ID',
      `table ${where} is not the one of its record: it was dropped and created again around the proxy`,
    );
  }
  if (record.keys === null) {
    throw new MetadataIntegrityError('METADATA_TABLE_KEYS', `table ${where} has no keys`);
  }
  const failure = record.restore?.failure;
  if (failure !== undefined) {
    throw new SchemaError(
      'SCHEMA_RESTORE_FAILED',
      `the restore of table ${where} failed at ${new Date(failure.atMs).toISOString()} (${failure.code}): its backup is damaged or gone; DROP TABLE it, or put the backup right, then it is gone on with`,
    );
  }
  if (record.restore !== undefined) {
    throw new SchemaError(
      'SCHEMA_RESTORING',
      `table ${where} is being restored from a backup; its reads and writes are refused until that is complete`,
    );
  }
  const rewriting = rewritingError(record);
  const form = [record, record.next].find(
    (candidate): candidate is TableForm =>
      candidate !== null && formMatches(candidate, input.columns),
  );
  if (form === undefined) {
    throw new MetadataIntegrityError(
      'METADATA_STORED_SCHEMA',
      `the stored columns of table ${where} differ from its record: the table was altered around the proxy`,
    );
  }
  const columns = form.columns.map((column) => columnEntry(column, row.keyspace, input.types));
  // While it is rewritten it is shown as it is, and refused to everybody.
  const kind = rewriting === undefined ? 'encrypted' : 'broken';
  return tableEntry(input, kind, rewriting, columns, {
    tableId: Buffer.from(record.tableId, 'hex'),
    recordVersion: version,
    record,
    dropped: form.dropped.map((column) => ({
      name: column.name,
      id: Buffer.from(column.id, 'hex'),
      kind: column.kind,
      type: column.type,
    })),
    indexes: indexEntries(form, columns),
    hiddenColumns: new Set([...hiddenColumns(form), ...viewColumns(form)].map(({ name }) => name)),
    views: liveViews(form),
  });
}

/** What reads and writes of a table are answered with while its rows are moved under a new key DEK. */
export function rewritingError(record: TableRecord): SchemaError | undefined {
  if (record.rewrite === undefined) return undefined;
  const since = new Date(record.rewrite.beganAtMs).toISOString();
  return new SchemaError(
    'SCHEMA_REWRITING',
    `the rows of table ${record.keyspace}.${record.name} are being rewritten under a new key since ${since}; its reads, writes and changes are refused until that is complete (see: cqlock rotate status)`,
  );
}

/** Everything known of one stored view. */
export interface StoredView {
  readonly row: StoredViewRow;
  readonly columns: readonly StoredColumnRow[];
  readonly base: TableEntry | undefined;
  readonly types: KeyspaceTypes;
}

/**
 * The entry of a view: what its base is. One that does not verify is an entry that refuses.
 * @param before the entry of the last snapshot, which is kept where nothing changed
 */
export function buildView(
  { row, columns, base, types }: StoredView,
  before: TableEntry | undefined,
): TableEntry {
  const { keyspace, name, id } = row;
  const input: TableInput = {
    row: { keyspace, name, id, defaultTtl: 0 },
    columns,
    types,
    verified: undefined,
    isPlain: base?.kind === 'plain',
    damage: base?.error,
  };
  const version = `${tableToken(input)}|${row.where}|${String(row.includesAll)}|${base?.version ?? ''}`;
  if (before?.version === version) return before;
  const refused = (kind: TableStatus, error: ProxyError | undefined): TableEntry => ({
    ...storedEntry(input, kind, error),
    version,
  });
  if (base?.kind !== 'encrypted') {
    return base?.kind === 'plain'
      ? refused('plain', undefined)
      : refused('unknown', base?.error ?? unknownView(row));
  }
  const record = base.views.find((view) => view.name === name);
  if (record === undefined) return refused('unknown', unknownView(row));
  try {
    return viewEntry({ row, columns, base, record }, version);
  } catch (error) {
    return refused('broken', toProxyError(error));
  }
}

function unknownView({ keyspace, name }: StoredViewRow): ProxyError {
  return new SchemaError(
    'SCHEMA_UNKNOWN_TABLE',
    `view ${keyspace}.${name} was not created through the proxy; it is not read`,
  );
}

function indexEntries(form: TableForm, columns: readonly ColumnEntry[]): IndexEntry[] {
  return liveIndexes(form).map((index) => {
    const column = columns.find(({ id }) => Buffer.from(id).toString('hex') === index.columnId);
    if (column === undefined) {
      throw new MetadataIntegrityError(
        'METADATA_INDEX',
        `index ${index.name} is on a column that the record of its table does not have`,
      );
    }
    const { name, target, className, options, state, hidden } = index;
    return { name, column, target, className, options, isActive: state === 'active', hidden };
  });
}

function columnEntry(column: ColumnRecord, keyspace: string, types: KeyspaceTypes): ColumnEntry {
  const type = logicalType(column.type, keyspace, types);
  checkScheme(column, type);
  return {
    name: column.name,
    id: Buffer.from(column.id, 'hex'),
    kind: column.kind,
    position: column.position,
    type,
    clusteringOrder: column.kind === 'clustering' ? (column.order ?? 'asc') : undefined,
    scheme: column.scheme,
    padded: column.padded,
    storedType: column.storedType,
    ...(column.mask === undefined
      ? {}
      : { mask: columnMask(column.name, column.mask, keyspace, types) }),
  };
}

/** Cassandra's masking functions, those of the proxy's functions too. */
const MASKS: ReadonlySet<string> = new Set([
  'mask_default',
  'mask_hash',
  'mask_inner',
  'mask_null',
  'mask_outer',
  'mask_replace',
]);

/** A mask that a later version made up is never left out. */
function columnMask(
  column: string,
  mask: MaskRecord,
  keyspace: string,
  types: KeyspaceTypes,
): ColumnMask {
  if (!MASKS.has(mask.function)) {
    throw new MetadataIntegrityError(
      'METADATA_RECORD_FORMAT',
      `column ${column} is masked with ${mask.function}, which this version of the proxy does not know`,
    );
  }
  const args = mask.args.map((record) => ({
    type: logicalType(record.type, keyspace, types),
    value: record.value === null ? null : new Uint8Array(Buffer.from(record.value, 'hex')),
    record,
  }));
  return { function: mask.function, args };
}

/** A scheme that a later version made up, or one that is not for columns of the type, is never guessed at. */
function checkScheme(column: ColumnRecord, type: CqlType): void {
  const isKey = column.kind === 'partition' || column.kind === 'clustering';
  const schemes: readonly string[] =
    column.kind === 'partition'
      ? ['partition']
      : column.kind === 'clustering'
        ? ['ordered', 'opaque']
        : [columnForm(type).scheme];
  const storedType = isKey ? 'blob' : columnForm(type).storedType;
  if (schemes.includes(column.scheme) && column.storedType === storedType) return;
  throw new MetadataIntegrityError(
    'METADATA_RECORD_FORMAT',
    `column ${column.name} has the scheme ${column.scheme}, stored as ${column.storedType}, which this version of the proxy does not know for its type`,
  );
}

function storedEntry(
  input: TableInput,
  kind: TableStatus,
  error: ProxyError | undefined,
): TableEntry {
  const columns = input.columns.map((column): ColumnEntry => ({
    name: column.name,
    id: NO_ID,
    kind: column.kind,
    position: column.kind === 'partition' || column.kind === 'clustering' ? column.position : 0,
    type: storedType(column.type, input.row.keyspace, input.types),
    clusteringOrder: column.order,
    scheme: 'cell',
    padded: false,
    storedType: column.type,
  }));
  return tableEntry(input, kind, error, columns, {
    tableId: NO_ID,
    recordVersion: 0n,
    record: undefined,
    dropped: [],
    indexes: [],
    hiddenColumns: new Set(),
    views: [],
  });
}

function tableEntry(
  input: TableInput,
  kind: TableStatus,
  error: ProxyError | undefined,
  columns: readonly ColumnEntry[],
  identity: Pick<
    TableEntry,
    'tableId' | 'recordVersion' | 'record' | 'dropped' | 'indexes' | 'hiddenColumns' | 'views'
  >,
): TableEntry {
  const byPosition = (a: ColumnEntry, b: ColumnEntry): number => a.position - b.position;
  const byName = (a: ColumnEntry, b: ColumnEntry): number =>
    Buffer.compare(Buffer.from(a.name), Buffer.from(b.name));
  const partitionKey = columns.filter((c) => c.kind === 'partition').sort(byPosition);
  const clustering = columns.filter((c) => c.kind === 'clustering').sort(byPosition);
  const statics = columns.filter((c) => c.kind === 'static').sort(byName);
  const regulars = columns.filter((c) => c.kind === 'regular').sort(byName);
  const allColumns = [...partitionKey, ...clustering, ...statics, ...regulars];
  return {
    keyspace: input.row.keyspace,
    name: input.row.name,
    id: input.row.id,
    ...identity,
    kind,
    error,
    partitionKey,
    clustering,
    statics,
    regulars,
    columns: new Map(allColumns.map((column) => [column.name, column])),
    allColumns,
    defaultTtl: input.row.defaultTtl,
    version: tableToken(input),
  };
}
