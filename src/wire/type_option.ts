import { InternalError, ProtocolError } from '../errors/index.ts';
import type { CqlType, NativeTypeName, UdtField } from '../values/index.ts';
import { native } from '../values/index.ts';
import type { Reader } from './reader.ts';
import { javaClassName, parseJavaClassName } from './type_class_name.ts';
import type { Writer } from './writer.ts';

/** Deepest nesting of types that is read or written; bounds the recursion on hostile bytes. */
export const MAX_TYPE_DEPTH = 64;

const CUSTOM = 0x0000;
const LIST = 0x0020;
const MAP = 0x0021;
const SET = 0x0022;
const UDT = 0x0030;
const TUPLE = 0x0031;

/** Ids of native types, and the first protocol version that has them. Spec: native_protocol_v4 4.2.5.2. */
const NATIVE_IDS: Readonly<
  Record<NativeTypeName, { readonly id: number; readonly since: number }>
> = {
  ascii: { id: 0x0001, since: 3 },
  bigint: { id: 0x0002, since: 3 },
  blob: { id: 0x0003, since: 3 },
  boolean: { id: 0x0004, since: 3 },
  counter: { id: 0x0005, since: 3 },
  decimal: { id: 0x0006, since: 3 },
  double: { id: 0x0007, since: 3 },
  float: { id: 0x0008, since: 3 },
  int: { id: 0x0009, since: 3 },
  timestamp: { id: 0x000b, since: 3 },
  uuid: { id: 0x000c, since: 3 },
  text: { id: 0x000d, since: 3 },
  varint: { id: 0x000e, since: 3 },
  timeuuid: { id: 0x000f, since: 3 },
  inet: { id: 0x0010, since: 3 },
  date: { id: 0x0011, since: 4 },
  time: { id: 0x0012, since: 4 },
  smallint: { id: 0x0013, since: 4 },
  tinyint: { id: 0x0014, since: 4 },
  // v3 and v4 send DurationType by its class name.
  duration: { id: 0x0015, since: 5 },
};

const NATIVE_BY_ID: ReadonlyMap<number, CqlType> = new Map([
  ...Object.entries(NATIVE_IDS).map(([name, { id }]): [number, CqlType] => [
    id,
    native(name as NativeTypeName),
  ]),
  // The older of the two ids of UTF8Type; Cassandra sends the other.
  [0x000a, native('text')],
]);

/**
 * Reads the [option] of a type. Whether a collection or UDT is frozen does not travel: `frozen` is false. A type that
 * travels as a Java class is resolved if every class in its name is known, else it stays `custom`.
 *
 * Spec: native_protocol_v4 4.2.5.2.
 *
 * @throws ProtocolError for an unknown id, nesting deeper than {@link MAX_TYPE_DEPTH}, or bytes that end too early
 */
export function readTypeOption(reader: Reader): CqlType {
  return readNested(reader, 0);
}

/**
 * Writes the [option] of a type, as Cassandra does for the version: what the version has no id for goes by its class.
 *
 * Spec: native_protocol_v4 4.2.5.2.
 *
 * @throws InvalidRequestError if a name or a number of fields does not fit
 * @throws InternalError for nesting deeper than {@link MAX_TYPE_DEPTH}
 */
export function writeTypeOption(writer: Writer, type: CqlType, version: number): void {
  writeNested(writer, type, version, 0);
}

function readNested(reader: Reader, depth: number): CqlType {
  if (depth > MAX_TYPE_DEPTH) throw new ProtocolError('PROTOCOL_TYPE', 'a type is nested too deep');
  const id = reader.readUnsignedShort();
  const simple = NATIVE_BY_ID.get(id);
  if (simple !== undefined) return simple;
  switch (id) {
    case CUSTOM: {
      const className = reader.readString();
      return parseJavaClassName(className) ?? { kind: 'custom', className };
    }
    case LIST:
      return { kind: 'list', element: readNested(reader, depth + 1), frozen: false };
    case SET:
      return { kind: 'set', element: readNested(reader, depth + 1), frozen: false };
    case MAP: {
      const key = readNested(reader, depth + 1);
      return { kind: 'map', key, value: readNested(reader, depth + 1), frozen: false };
    }
    case UDT:
      return readUdt(reader, depth);
    case TUPLE: {
      const count = reader.readUnsignedShort();
      const elements: CqlType[] = [];
      for (let i = 0; i < count; i++) elements.push(readNested(reader, depth + 1));
      return { kind: 'tuple', elements };
    }
    default:
      throw new ProtocolError('PROTOCOL_TYPE', `the type id ${id} is not known`);
  }
}

function readUdt(reader: Reader, depth: number): CqlType {
  const keyspace = reader.readString();
  const name = reader.readString();
  const count = reader.readUnsignedShort();
  const fields: UdtField[] = [];
  for (let i = 0; i < count; i++) {
    const field = reader.readString();
    fields.push({ name: field, type: readNested(reader, depth + 1) });
  }
  return { kind: 'udt', keyspace, name, fields, frozen: false };
}

function writeNested(writer: Writer, type: CqlType, version: number, depth: number): void {
  if (depth > MAX_TYPE_DEPTH) throw new InternalError('a type is nested too deep');
  switch (type.kind) {
    case 'native': {
      const { id, since } = NATIVE_IDS[type.name];
      if (version >= since) writer.writeUnsignedShort(id);
      else writeCustom(writer, javaClassName(type));
      return;
    }
    case 'list':
    case 'set':
      writer.writeUnsignedShort(type.kind === 'list' ? LIST : SET);
      writeNested(writer, type.element, version, depth + 1);
      return;
    case 'map':
      writer.writeUnsignedShort(MAP);
      writeNested(writer, type.key, version, depth + 1);
      writeNested(writer, type.value, version, depth + 1);
      return;
    case 'tuple':
      writer.writeUnsignedShort(TUPLE);
      writer.writeUnsignedShort(type.elements.length);
      for (const element of type.elements) writeNested(writer, element, version, depth + 1);
      return;
    case 'udt':
      writer.writeUnsignedShort(UDT);
      writer.writeString(type.keyspace);
      writer.writeString(type.name);
      writer.writeUnsignedShort(type.fields.length);
      for (const field of type.fields) {
        writer.writeString(field.name);
        writeNested(writer, field.type, version, depth + 1);
      }
      return;
    case 'vector':
    case 'custom':
      writeCustom(writer, javaClassName(type));
      return;
  }
}

function writeCustom(writer: Writer, className: string): void {
  writer.writeUnsignedShort(CUSTOM);
  writer.writeString(className);
}
