import { InternalError } from '../errors/index.ts';
import type { CqlType, NativeTypeName, UdtField } from '../values/index.ts';
import { native } from '../values/index.ts';

const PACKAGE = 'org.apache.cassandra.db.marshal.';

const NATIVE_CLASSES: Readonly<Record<NativeTypeName, string>> = {
  ascii: 'AsciiType',
  bigint: 'LongType',
  blob: 'BytesType',
  boolean: 'BooleanType',
  counter: 'CounterColumnType',
  date: 'SimpleDateType',
  decimal: 'DecimalType',
  double: 'DoubleType',
  duration: 'DurationType',
  float: 'FloatType',
  inet: 'InetAddressType',
  int: 'Int32Type',
  smallint: 'ShortType',
  text: 'UTF8Type',
  time: 'TimeType',
  timestamp: 'TimestampType',
  timeuuid: 'TimeUUIDType',
  tinyint: 'ByteType',
  uuid: 'UUIDType',
  varint: 'IntegerType',
};

const NATIVE_BY_CLASS: ReadonlyMap<string, CqlType> = new Map(
  Object.entries(NATIVE_CLASSES).map(([name, className]): [string, CqlType] => [
    PACKAGE + className,
    native(name as NativeTypeName),
  ]),
);

/** Deepest nesting that is read or written. */
const MAX_DEPTH = 64;

/**
 * The name under which Cassandra sends a type that has no id of its own: fully qualified classes, elements in brackets.
 * Inside a vector or tuple everything is frozen, so the `frozen` flags of the parts do not count.
 */
export function javaClassName(type: CqlType): string {
  return className(type, false, 0);
}

/**
 * Reads a name made by Cassandra, e.g. of a vector.
 *
 * @returns `undefined` if a class in it is not known or the name is malformed: such a type stays opaque
 */
export function parseJavaClassName(name: string): CqlType | undefined {
  const parser = new ClassNameParser(name);
  const type = parser.type(0, false);
  return parser.atEnd() ? type : undefined;
}

/** @param insideFrozen Cassandra names `FrozenType` only at the outermost of nested frozen types */
function className(type: CqlType, insideFrozen: boolean, depth: number): string {
  if (depth > MAX_DEPTH) throw new InternalError('a type is nested too deep');
  switch (type.kind) {
    case 'native':
      return PACKAGE + NATIVE_CLASSES[type.name];
    case 'custom':
      return type.className;
    case 'tuple': {
      const elements = type.elements.map((element) => className(element, true, depth + 1));
      return `${PACKAGE}TupleType(${elements.join(',')})`;
    }
    case 'vector': {
      const element = className(type.element, insideFrozen, depth + 1);
      return `${PACKAGE}VectorType(${element} , ${type.dimensions})`;
    }
    case 'list':
      return frozen(
        `${PACKAGE}ListType(${className(type.element, true, depth + 1)})`,
        insideFrozen,
      );
    case 'set':
      return frozen(`${PACKAGE}SetType(${className(type.element, true, depth + 1)})`, insideFrozen);
    case 'map': {
      const key = className(type.key, true, depth + 1);
      const value = className(type.value, true, depth + 1);
      return frozen(`${PACKAGE}MapType(${key},${value})`, insideFrozen);
    }
    case 'udt': {
      const fields = type.fields.map(
        (field) => `,${hex(field.name)}:${className(field.type, true, depth + 1)}`,
      );
      const name = `${PACKAGE}UserType(${type.keyspace},${hex(type.name)}${fields.join('')})`;
      return frozen(name, insideFrozen);
    }
  }
}

function frozen(name: string, insideFrozen: boolean): string {
  return insideFrozen ? name : `${PACKAGE}FrozenType(${name})`;
}

function hex(name: string): string {
  return Buffer.from(name, 'utf8').toString('hex');
}

function unhex(digits: string): string | undefined {
  if (!/^(?:[0-9a-f]{2})*$/i.test(digits)) return undefined;
  return Buffer.from(digits, 'hex').toString('utf8');
}

/** One name, read from left to right; every method returns `undefined` for what it cannot read. */
class ClassNameParser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  atEnd(): boolean {
    this.#blank();
    return this.#at === this.#text.length;
  }

  type(depth: number, isFrozen: boolean): CqlType | undefined {
    if (depth > MAX_DEPTH) return undefined;
    const name = this.#identifier();
    const simple = NATIVE_BY_CLASS.get(name);
    if (simple !== undefined) return this.#peek('(') ? undefined : simple;
    if (!name.startsWith(PACKAGE) || !this.#eat('(')) return undefined;
    const type = this.#parameterized(name.slice(PACKAGE.length), depth + 1, isFrozen);
    return type !== undefined && this.#eat(')') ? type : undefined;
  }

  #parameterized(name: string, depth: number, isFrozen: boolean): CqlType | undefined {
    switch (name) {
      case 'FrozenType':
        return this.type(depth, true);
      case 'ListType':
      case 'SetType': {
        const element = this.type(depth, isFrozen);
        if (element === undefined) return undefined;
        return { kind: name === 'ListType' ? 'list' : 'set', element, frozen: isFrozen };
      }
      case 'MapType': {
        const key = this.type(depth, isFrozen);
        if (key === undefined || !this.#eat(',')) return undefined;
        const value = this.type(depth, isFrozen);
        return value === undefined ? undefined : { kind: 'map', key, value, frozen: isFrozen };
      }
      case 'TupleType':
        return this.#tuple(depth);
      case 'VectorType':
        return this.#vector(depth, isFrozen);
      case 'UserType':
        return this.#udt(depth, isFrozen);
      default:
        return undefined;
    }
  }

  #tuple(depth: number): CqlType | undefined {
    const elements: CqlType[] = [];
    do {
      const element = this.type(depth, true);
      if (element === undefined) return undefined;
      elements.push(element);
    } while (this.#eat(','));
    return { kind: 'tuple', elements };
  }

  #vector(depth: number, isFrozen: boolean): CqlType | undefined {
    const element = this.type(depth, isFrozen);
    if (element === undefined || !this.#eat(',')) return undefined;
    const digits = this.#identifier();
    if (!/^[1-9][0-9]{0,8}$/.test(digits)) return undefined;
    return { kind: 'vector', element, dimensions: Number(digits) };
  }

  #udt(depth: number, isFrozen: boolean): CqlType | undefined {
    const keyspace = this.#identifier();
    if (keyspace === '' || !this.#eat(',')) return undefined;
    const name = unhex(this.#identifier());
    if (name === undefined) return undefined;
    const fields: UdtField[] = [];
    while (this.#eat(',')) {
      const field = unhex(this.#identifier());
      if (field === undefined || !this.#eat(':')) return undefined;
      const type = this.type(depth, true);
      if (type === undefined) return undefined;
      fields.push({ name: field, type });
    }
    return { kind: 'udt', keyspace, name, fields, frozen: isFrozen };
  }

  #identifier(): string {
    this.#blank();
    const from = this.#at;
    while (
      this.#at < this.#text.length &&
      /[-0-9A-Za-z+._&]/.test(this.#text[this.#at] as string)
    ) {
      this.#at++;
    }
    return this.#text.slice(from, this.#at);
  }

  #peek(character: string): boolean {
    this.#blank();
    return this.#text[this.#at] === character;
  }

  #eat(character: string): boolean {
    if (!this.#peek(character)) return false;
    this.#at++;
    return true;
  }

  #blank(): void {
    while (this.#text[this.#at] === ' ') this.#at++;
  }
}
