/** Names of the native types. `varchar` is an alias of `text` and never appears here. */
export type NativeTypeName =
  | 'ascii'
  | 'bigint'
  | 'blob'
  | 'boolean'
  | 'counter'
  | 'date'
  | 'decimal'
  | 'double'
  | 'duration'
  | 'float'
  | 'inet'
  | 'int'
  | 'smallint'
  | 'text'
  | 'time'
  | 'timestamp'
  | 'timeuuid'
  | 'tinyint'
  | 'uuid'
  | 'varint';

/** A native (scalar) type. */
export interface NativeType {
  readonly kind: 'native';
  readonly name: NativeTypeName;
}

/** `list<element>` or `set<element>`; `frozen` is true inside another collection and where the schema says so. */
export interface SequenceType {
  readonly kind: 'list' | 'set';
  readonly element: CqlType;
  readonly frozen: boolean;
}

/** `map<key, value>`. */
export interface MapType {
  readonly kind: 'map';
  readonly key: CqlType;
  readonly value: CqlType;
  readonly frozen: boolean;
}

/** `tuple<…>`; always frozen. */
export interface TupleType {
  readonly kind: 'tuple';
  readonly elements: readonly CqlType[];
}

/** A field of a user-defined type. */
export interface UdtField {
  readonly name: string;
  readonly type: CqlType;
}

/** A user-defined type with its fields resolved. */
export interface UdtType {
  readonly kind: 'udt';
  readonly keyspace: string;
  readonly name: string;
  readonly fields: readonly UdtField[];
  readonly frozen: boolean;
}

/** `vector<element, dimensions>`; always frozen. */
export interface VectorType {
  readonly kind: 'vector';
  readonly element: CqlType;
  readonly dimensions: number;
}

/** A type given by its Java class, which the proxy does not know. */
export interface CustomType {
  readonly kind: 'custom';
  readonly className: string;
}

/** A logical CQL type. */
export type CqlType =
  NativeType | SequenceType | MapType | TupleType | UdtType | VectorType | CustomType;

/** Makes a native type. */
export function native(name: NativeTypeName): NativeType {
  return NATIVE_TYPES[name];
}

const NATIVE_NAMES: readonly NativeTypeName[] = [
  'ascii',
  'bigint',
  'blob',
  'boolean',
  'counter',
  'date',
  'decimal',
  'double',
  'duration',
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
];

const NATIVE_TYPES = Object.fromEntries(
  NATIVE_NAMES.map((name) => [name, Object.freeze({ kind: 'native', name } as const)]),
) as Readonly<Record<NativeTypeName, NativeType>>;
