import { createRequire } from 'node:module';
import cassandra from 'cassandra-driver';
import { InternalError } from '../errors/index.ts';
import { native } from '../values/index.ts';
import type { CqlType, NativeTypeName } from '../values/index.ts';
import type { ControlResult } from './control_connection.ts';

/** Type of a column as the driver tells it. */
export interface DriverType {
  readonly code: number;
  readonly info?: unknown;
}

interface DriverEncoder {
  encode(value: unknown, type: DriverType): Buffer | null | undefined;
}

/**
 * The driver decodes every cell. Its own encoder turns the values of the system tables' types back into their bytes, which
 * is exact for all types that occur there.
 */
const Encoder = createRequire(import.meta.url)('cassandra-driver/lib/encoder.js') as new (
  protocolVersion: number,
  options: unknown,
) => DriverEncoder;

const encoder = new Encoder(4, { encoding: { useBigIntAsLong: true, map: Map } });

/** A map of texts as the driver gives it, as an object. */
export function textMap(value: unknown): Readonly<Record<string, string>> {
  if (value instanceof Map) return Object.fromEntries(value as Map<string, string>);
  return (value ?? {}) as Record<string, string>;
}

const { dataTypes } = cassandra.types;

const NATIVE_NAMES: ReadonlyMap<number, NativeTypeName> = new Map<number, NativeTypeName>([
  [dataTypes.ascii, 'ascii'],
  [dataTypes.bigint, 'bigint'],
  [dataTypes.blob, 'blob'],
  [dataTypes.boolean, 'boolean'],
  [dataTypes.counter, 'counter'],
  [dataTypes.date, 'date'],
  [dataTypes.decimal, 'decimal'],
  [dataTypes.double, 'double'],
  [dataTypes.float, 'float'],
  [dataTypes.inet, 'inet'],
  [dataTypes.int, 'int'],
  [dataTypes.smallint, 'smallint'],
  [dataTypes.text, 'text'],
  [dataTypes.time, 'time'],
  [dataTypes.timestamp, 'timestamp'],
  [dataTypes.timeuuid, 'timeuuid'],
  [dataTypes.tinyint, 'tinyint'],
  [dataTypes.uuid, 'uuid'],
  [dataTypes.varchar, 'text'],
  [dataTypes.varint, 'varint'],
]);

/** The type of a system table's column. Result metadata does not tell `frozen` on the outside; `frozen` marks inner ones. */
export function toCqlType(type: DriverType, inner = false): CqlType {
  const name = NATIVE_NAMES.get(type.code);
  if (name !== undefined) return native(name);
  switch (type.code) {
    case dataTypes.list:
    case dataTypes.set:
      return {
        kind: type.code === dataTypes.list ? 'list' : 'set',
        element: toCqlType(type.info as DriverType, true),
        frozen: inner,
      };
    case dataTypes.map: {
      const [key, value] = type.info as [DriverType, DriverType];
      return {
        kind: 'map',
        key: toCqlType(key, true),
        value: toCqlType(value, true),
        frozen: inner,
      };
    }
    case dataTypes.tuple:
      return {
        kind: 'tuple',
        elements: (type.info as DriverType[]).map((element) => toCqlType(element, true)),
      };
    default:
      throw new InternalError(`a system table has a column of the unknown type ${type.code}`);
  }
}

/** The bytes of every cell, in the order of the result's columns. */
export function rawRows(result: ControlResult): (Uint8Array | null)[][] {
  return result.rows.map((row) =>
    result.columns.map((column) => {
      const value = row[column.name];
      if (value === null || value === undefined) return null;
      return encoder.encode(value, column.type) ?? null;
    }),
  );
}
