import type { CqlType, NativeTypeName } from './cql_type.ts';
import { native } from './cql_type.ts';

const NATIVE_BY_NAME: ReadonlyMap<string, NativeTypeName> = new Map<string, NativeTypeName>([
  ['ascii', 'ascii'],
  ['bigint', 'bigint'],
  ['blob', 'blob'],
  ['boolean', 'boolean'],
  ['counter', 'counter'],
  ['date', 'date'],
  ['decimal', 'decimal'],
  ['double', 'double'],
  ['duration', 'duration'],
  ['float', 'float'],
  ['inet', 'inet'],
  ['int', 'int'],
  ['smallint', 'smallint'],
  ['text', 'text'],
  ['time', 'time'],
  ['timestamp', 'timestamp'],
  ['timeuuid', 'timeuuid'],
  ['tinyint', 'tinyint'],
  ['uuid', 'uuid'],
  ['varchar', 'text'],
  ['varint', 'varint'],
]);

const NATIVE_BY_CLASS: ReadonlyMap<string, NativeTypeName> = new Map<string, NativeTypeName>([
  ['AsciiType', 'ascii'],
  ['BooleanType', 'boolean'],
  ['ByteType', 'tinyint'],
  ['BytesType', 'blob'],
  ['CounterColumnType', 'counter'],
  ['DecimalType', 'decimal'],
  ['DoubleType', 'double'],
  ['DurationType', 'duration'],
  ['FloatType', 'float'],
  ['InetAddressType', 'inet'],
  ['Int32Type', 'int'],
  ['IntegerType', 'varint'],
  ['LongType', 'bigint'],
  ['ShortType', 'smallint'],
  ['SimpleDateType', 'date'],
  ['TimeType', 'time'],
  ['TimeUUIDType', 'timeuuid'],
  ['TimestampType', 'timestamp'],
  ['UTF8Type', 'text'],
  ['UUIDType', 'uuid'],
]);

const MARSHAL_PACKAGE = 'org.apache.cassandra.db.marshal.';

/** The native type of a folded CQL name, `varchar` included. */
export function nativeByName(name: string): CqlType | undefined {
  const found = NATIVE_BY_NAME.get(name);
  return found === undefined ? undefined : native(found);
}

/** The type of a Java class name as in `'Int32Type'`: a native type where there is one, else a custom type. */
export function typeOfClass(className: string): CqlType {
  const simple = className.startsWith(MARSHAL_PACKAGE)
    ? className.slice(MARSHAL_PACKAGE.length)
    : className;
  const found = NATIVE_BY_CLASS.get(simple);
  return found === undefined ? { kind: 'custom', className } : native(found);
}
