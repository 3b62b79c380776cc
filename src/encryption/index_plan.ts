import { editText, quoteIdentifier } from '../cql/index.ts';
import type { CreateIndexStatement, IndexTargetName } from '../cql/index.ts';
import { CqlErrorCode, InvalidRequestError, UnsupportedStatementError } from '../errors/index.ts';
import type {
  ColumnEntry,
  HiddenType,
  IndexTarget,
  NewIndex,
  TableEntry,
} from '../schema/index.ts';
import { isMultiCell, printType, referencesDuration } from '../values/index.ts';
import type { CqlType } from '../values/index.ts';
import { HIDDEN_PREFIX, isCounterTable, requireColumn, tableName } from './table_columns.ts';

/** A CREATE INDEX on an encrypted table. */
export interface CreateIndexPlan {
  readonly index: NewIndex;
  readonly addText: (column: string, type: string, isStatic: boolean) => string;
  readonly dropText: (columns: readonly string[]) => string;
  readonly createText: (storedColumn: string) => string;
}

/** Asks Cassandra everything but the column: permission, names, options; it names a column that is not there. */
export interface IndexProbe {
  readonly text: string;
  /** Name by which the expected refusal is known. */
  readonly column: string;
}

const SAI_CLASS = 'org.apache.cassandra.index.sai.StorageAttachedIndex';
const SASI_PACKAGE = 'org.apache.cassandra.index.sasi.';
const SAI_ALIASES: ReadonlySet<string> = new Set(['sai', 'storageattachedindex']);
const LEGACY = 'legacy_local_table';

/** Types that storage-attached indexes take beside frozen ones. */
const SAI_TYPES: ReadonlySet<string> = new Set([
  'ascii',
  'bigint',
  'boolean',
  'date',
  'decimal',
  'double',
  'float',
  'inet',
  'int',
  'smallint',
  'text',
  'time',
  'timestamp',
  'timeuuid',
  'tinyint',
  'uuid',
  'varint',
]);

/** Options of storage-attached indexes that change how text is compared, with the value that changes nothing. */
const ANALYSIS: Readonly<Record<string, string>> = {
  case_sensitive: 'true',
  normalize: 'false',
  ascii: 'false',
};
const CUSTOM_PARAMETERS: readonly (readonly [string, string])[] = [
  ['maximum_node_connections', 'Maximum node connections'],
  ['construction_beam_width', 'Construction beam width'],
];
const VECTOR_OPTIONS: ReadonlySet<string> = new Set([
  'maximum_node_connections',
  'construction_beam_width',
  'similarity_function',
  'optimize_for',
]);

/** The statement that Cassandra judges before the proxy does. */
export function indexProbe(
  text: string,
  statement: CreateIndexStatement,
  table: { readonly keyspace: string; readonly name: string },
): IndexProbe {
  const column = `${HIDDEN_PREFIX}probe`;
  return { text: withTarget(text, statement, table, column), column };
}

/**
 * Plans a CREATE INDEX that Cassandra's probe let pass.
 * @param taken names of the indexes of the keyspace
 * @returns 'exists' for IF NOT EXISTS where there is an equal index
 * @throws InvalidRequestError as Cassandra, UnsupportedStatementError.
 */
export function planCreateIndex(
  statement: CreateIndexStatement,
  table: TableEntry,
  taken: ReadonlySet<string>,
): CreateIndexPlan | 'exists' {
  if (isCounterTable(table)) {
    throw new InvalidRequestError("Secondary indexes on counter tables aren't supported");
  }
  const label = tableName(table);
  const className = indexClass(statement, label);
  const options = indexOptions(statement, label);
  const [first, ...others] = statement.targets.map((target) => indexTarget(target, table));
  if (first === undefined) {
    throw new InvalidRequestError(
      'Only CUSTOM indexes can be created without specifying a target column',
    );
  }
  if (others.length > 0) {
    throw new InvalidRequestError(
      className === null
        ? 'Only CUSTOM indexes support multiple columns'
        : `A storage-attached index cannot be created over multiple columns: ${statement.targets.map(({ column }) => column.text).join(', ')}`,
    );
  }
  const { column, target } = first;
  checkTarget(table, column, target);
  const name = statement.index?.name.text ?? availableName(table, column, taken);
  if (!/^\w+$/.test(name)) throw config(`Illegal index name ${name}`);
  const equal = table.indexes.find(
    (other) =>
      other.column === column &&
      other.target === target &&
      other.className === className &&
      sameOptions(other.options, options),
  );
  if (equal !== undefined) {
    if (statement.ifNotExists) return 'exists';
    throw new InvalidRequestError(`Index ${name} is a duplicate of existing index ${equal.name}`);
  }
  if (className !== null) checkStorageAttached(table, column, target, options);
  refuseUnsupported(table, column, options);
  const isKey = column.kind === 'partition' || column.kind === 'clustering';
  const other = table.indexes.find((index) => index.column === column);
  if (isKey && other !== undefined) {
    throw new UnsupportedStatementError(
      `a second index on the key column ${column.name} of the encrypted table ${label} is not supported by the proxy: Cassandra keeps both in one way, and ${other.name} serves all reads by it`,
    );
  }
  const quoted = `${quoteIdentifier(table.keyspace)}.${quoteIdentifier(table.name)}`;
  // Cassandra keeps the name of a vector index on a column that stays empty.
  const isVector = column.type.kind === 'vector' && className !== null;
  const hidden = isKey ? undefined : isVector ? 'blob' : hiddenType(column, target, className);
  const isStorageAttached = hidden?.includes('ascii') === true;
  return {
    index: {
      name,
      column,
      target,
      className,
      options,
      hiddenType: hidden,
    },
    addText: (hidden, type, isStatic) =>
      `ALTER TABLE ${quoted} ADD ${hidden} ${type}${isStatic ? ' static' : ''}`,
    dropText: (columns) =>
      `ALTER TABLE ${quoted} DROP ${columns.length === 1 ? columns.join() : `(${columns.join(', ')})`}`,
    // Storage-attached indexes take no blobs: on a stored key column Cassandra's own kind keeps the name.
    createText: (stored) =>
      `CREATE ${isStorageAttached ? 'CUSTOM ' : ''}INDEX ${quoteIdentifier(name)} ON ${quoted} (${isMultiCell(column.type) ? `values(${quoteIdentifier(stored)})` : quoteIdentifier(stored)}) USING '${isStorageAttached ? SAI_CLASS : LEGACY}'`,
  };
}

/**
 * A collection that is not frozen has a hidden one of its own kind. Where one row can have the same blind value twice, the index
 * on it is a storage-attached one whatever the client's is: decision 19.
 */
function hiddenType(
  { type }: ColumnEntry,
  target: IndexTarget,
  className: string | null,
): HiddenType {
  const blind = className === null ? 'blob' : 'ascii';
  if (!isMultiCell(type)) return blind;
  switch (type.kind) {
    case 'list':
      return 'list<ascii>';
    case 'set':
      return `set<${blind}>`;
    default:
      return target === 'values' ? 'map<blob, ascii>' : `map<blob, ${blind}>`;
  }
}

function withTarget(
  text: string,
  statement: CreateIndexStatement,
  table: { readonly keyspace: string; readonly name: string },
  target: string,
): string {
  return editText(text, [
    {
      span: statement.table.span,
      replacement: `${quoteIdentifier(table.keyspace)}.${quoteIdentifier(table.name)}`,
    },
    { span: statement.targetsSpan, replacement: target },
  ]);
}

/** `null` for Cassandra's own kind, else the class as the client wrote it. */
function indexClass(statement: CreateIndexStatement, label: string): string | null {
  const { className, isCustom } = statement;
  if (className === undefined) {
    if (!isCustom) return null;
    throw config(`Unable to find custom indexer class '${LEGACY}'`);
  }
  if (className.toLowerCase() === LEGACY) {
    if (!isCustom) return null;
    throw config(`Unable to find custom indexer class '${className}'`);
  }
  if (className === SAI_CLASS || SAI_ALIASES.has(className.toLowerCase())) return className;
  if (!className.startsWith(SASI_PACKAGE)) {
    throw config(
      `Unable to find custom indexer class '${className}': the proxy knows storage-attached indexes only on the encrypted table ${label}`,
    );
  }
  throw new UnsupportedStatementError(
    `indexes of the class ${className} are not supported by the proxy on the encrypted table ${label}: they need the plain values inside Cassandra (see docs/compatibility.md)`,
  );
}

/** The options of WITH OPTIONS. */
function indexOptions(
  statement: CreateIndexStatement,
  label: string,
): Readonly<Record<string, string>> {
  const property = statement.properties.find(({ name }) => name.text.toLowerCase() === 'options');
  if (property === undefined) return {};
  if (property.value.kind !== 'map') {
    throw new InvalidRequestError(`Invalid value for the options of an index on ${label}`);
  }
  return Object.fromEntries(
    property.value.entries.map(([key, value]) => [
      key,
      value.kind === 'constant' ? value.constant.text : '',
    ]),
  );
}

function indexTarget(
  target: IndexTargetName,
  table: TableEntry,
): { readonly column: ColumnEntry; readonly target: IndexTarget } {
  const column = requireColumn(table, target.column);
  // An index on a collection is on its values unless it says otherwise.
  const isValues = target.kind === 'simple' && isCollection(column.type);
  return { column, target: isValues ? 'values' : target.kind };
}

function isCollection({ kind }: CqlType): boolean {
  return kind === 'list' || kind === 'set' || kind === 'map';
}

/** CreateIndexStatement.validateIndexTarget of Cassandra 5.0.6, on the logical type. */
function checkTarget(table: TableEntry, column: ColumnEntry, target: IndexTarget): void {
  const { name, type } = column;
  const shown = target === 'simple' ? '' : target;
  if (referencesDuration(type)) {
    const what = isCollection(type)
      ? 'collections containing durations'
      : type.kind === 'tuple'
        ? 'tuples containing durations'
        : type.kind === 'udt'
          ? 'UDTs containing durations'
          : 'duration columns';
    throw new InvalidRequestError(`Secondary indexes are not supported on ${what}`);
  }
  if (column.kind === 'partition' && table.partitionKey.length === 1) {
    throw new InvalidRequestError(
      `Cannot create secondary index on the only partition key column ${name}`,
    );
  }
  const isFrozen = isCollection(type) && !isMultiCell(type);
  if (isFrozen && target !== 'full') {
    throw new InvalidRequestError(
      `Cannot create ${shown}() index on frozen column ${name}. Frozen collections are immutable and must be fully indexed by using the 'full(${quoteIdentifier(name)})' modifier`,
    );
  }
  if (!isFrozen && target === 'full') {
    throw new InvalidRequestError('full() indexes can only be created on frozen collections');
  }
  if (!isCollection(type) && target !== 'simple') {
    throw new InvalidRequestError(
      `Cannot create ${shown}() index on ${name}. Non-collection columns only support simple indexes`,
    );
  }
  const isMap = type.kind === 'map' && isMultiCell(type);
  if (!isMap && (target === 'keys' || target === 'entries')) {
    throw new InvalidRequestError(
      `Cannot create index on ${shown} of column ${name} with non-map type`,
    );
  }
  if (type.kind === 'udt' && isMultiCell(type)) {
    throw new InvalidRequestError(`Cannot create index on non-frozen UDT column ${name}`);
  }
}

/** StorageAttachedIndex.validateOptions of Cassandra 5.0.6, on the logical type. */
function checkStorageAttached(
  table: TableEntry,
  column: ColumnEntry,
  target: IndexTarget,
  options: Readonly<Record<string, string>>,
): void {
  if (!/^\w+$/.test(column.name)) {
    throw new InvalidRequestError(
      `Column '${column.name}' contains non-alphanumeric-underscore characters`,
    );
  }
  const unknown = Object.keys(options).filter(
    (option) => !(option in ANALYSIS) && !VECTOR_OPTIONS.has(option),
  );
  if (unknown.length > 0) {
    throw config(
      `Properties specified [${unknown.join(', ')}] are not understood by StorageAttachedIndex`,
    );
  }
  const other = table.indexes.find(
    (index) => index.column === column && index.target === target && index.className !== null,
  );
  if (other !== undefined) {
    throw new InvalidRequestError(
      `Cannot create more than one storage-attached index on the same column: ${column.name}`,
    );
  }
  if (column.type.kind === 'vector') {
    checkVector(column, column.type, options);
    return;
  }
  if (Object.keys(options).some((option) => VECTOR_OPTIONS.has(option))) {
    throw new InvalidRequestError(`CQL type ${printType(column.type)} cannot have vector options`);
  }
  const refused = indexedTypes(column.type, target).find(
    (type) => type.kind === 'native' && !SAI_TYPES.has(type.name),
  );
  if (refused !== undefined) {
    throw new InvalidRequestError(`Unsupported type: ${printType(refused)}`);
  }
}

/** StorageAttachedIndex.validateOptions and IndexWriterConfig of Cassandra 5.0.6. */
function checkVector(
  { kind, name }: ColumnEntry,
  type: Extract<CqlType, { readonly kind: 'vector' }>,
  options: Readonly<Record<string, string>>,
): void {
  if (Object.keys(options).some((option) => option in ANALYSIS)) {
    throw new InvalidRequestError(`CQL type ${printType(type)} cannot be analyzed.`);
  }
  for (const [option, shown] of CUSTOM_PARAMETERS) {
    if (!(option in options)) continue;
    throw new InvalidRequestError(
      `${shown} cannot be set without enabling SAI_VECTOR_ALLOW_CUSTOM_PARAMETERS`,
    );
  }
  const similarity = (options['similarity_function'] ?? 'cosine').toUpperCase();
  if (!['EUCLIDEAN', 'DOT_PRODUCT', 'COSINE'].includes(similarity)) {
    throw new InvalidRequestError(
      `Similarity function ${similarity} was not recognized for index null. Valid values are: EUCLIDEAN, DOT_PRODUCT, COSINE`,
    );
  }
  const purpose = (options['optimize_for'] ?? 'latency').toUpperCase();
  if (!['LATENCY', 'RECALL'].includes(purpose)) {
    throw new InvalidRequestError(
      `optimize_for '${purpose}' was not recognized for index null. Valid values are: LATENCY, RECALL`,
    );
  }
  if (type.element.kind !== 'native' || type.element.name !== 'float') {
    throw new InvalidRequestError(
      'SAI ANN indexes are only allowed on vector columns with float elements',
    );
  }
  if (type.dimensions === 1 && similarity === 'COSINE') {
    throw new InvalidRequestError(
      'Cosine similarity is not supported for single-dimension vectors',
    );
  }
  if (kind !== 'regular') {
    throw new UnsupportedStatementError(
      `a vector index on ${name}, which is no regular column, is not supported by the proxy (see docs/compatibility.md)`,
    );
  }
}

/** The types of what an index is on. */
function indexedTypes(type: CqlType, target: IndexTarget): readonly CqlType[] {
  if (!isMultiCell(type)) return [type];
  switch (type.kind) {
    case 'list':
    case 'set':
      return [type.element];
    case 'map':
      if (target === 'keys') return [type.key];
      return target === 'entries' ? [type.key, type.value] : [type.value];
    default:
      return [type];
  }
}

function refuseUnsupported(
  table: TableEntry,
  column: ColumnEntry,
  options: Readonly<Record<string, string>>,
): void {
  const where = `on column ${column.name} of the encrypted table ${tableName(table)}`;
  for (const [option, value] of Object.entries(options)) {
    if (VECTOR_OPTIONS.has(option) || ANALYSIS[option] === value.toLowerCase()) continue;
    throw new UnsupportedStatementError(
      `the option ${option} of an index ${where} is not supported by the proxy: Cassandra cannot analyse encrypted text (see docs/compatibility.md)`,
    );
  }
}

/** IndexMetadata.generateDefaultIndexName and KeyspaceMetadata.findAvailableIndexName of Cassandra 5.0.6. */
function availableName(table: TableEntry, column: ColumnEntry, taken: ReadonlySet<string>): string {
  const base = `${table.name}_${column.name}_idx`.replaceAll(/\W/g, '');
  if (!taken.has(base)) return base;
  for (let number = 1; ; number++) {
    const name = `${base}_${String(number)}`;
    if (!taken.has(name)) return name;
  }
}

function sameOptions(
  a: Readonly<Record<string, string>>,
  b: Readonly<Record<string, string>>,
): boolean {
  return (
    Object.keys(a).length === Object.keys(b).length &&
    Object.entries(a).every(([key, value]) => b[key] === value)
  );
}

function config(message: string): InvalidRequestError {
  return new InvalidRequestError(message, CqlErrorCode.CONFIG_ERROR);
}
