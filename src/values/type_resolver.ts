import type { TypeName } from '../cql/ast.ts';
import { InvalidRequestError } from '../errors/index.ts';
import { assertNever } from '../util/index.ts';
import type { CqlType, UdtType } from './cql_type.ts';
import { nativeByName, typeOfClass } from './native_names.ts';
import { freezeType, quoteName } from './type_names.ts';

/** Where the types that a statement names are looked up. */
export interface TypeContext {
  /** Keyspace of the statement; UDTs of other keyspaces are refused. */
  readonly keyspace: string;
  /** A UDT of that keyspace. */
  udt(name: string): UdtType | undefined;
}

/**
 * A type as written, before it is resolved: Cassandra checks its rules and prints its messages in this form.
 * Spec: org.apache.cassandra.cql3.CQL3Type.Raw.
 */
type RawType =
  | { readonly kind: 'plain'; readonly type: CqlType; readonly text: string }
  | {
      readonly kind: 'collection';
      readonly name: 'list' | 'set' | 'map';
      readonly parts: readonly RawType[];
      readonly frozen: boolean;
    }
  | { readonly kind: 'tuple'; readonly parts: readonly RawType[] }
  | { readonly kind: 'vector'; readonly element: RawType; readonly dimensions: number }
  | {
      readonly kind: 'udt';
      readonly keyspace: string | undefined;
      readonly name: string;
      readonly frozen: boolean;
    };

/**
 * Resolves a type as CREATE TABLE and CREATE TYPE do, with Cassandra's rules and messages.
 * @throws InvalidRequestError for unknown types and forbidden combinations
 */
export function resolveTypeName(name: TypeName, context: TypeContext): CqlType {
  return prepare(toRaw(name), context);
}

function toRaw(name: TypeName): RawType {
  switch (name.kind) {
    case 'named': {
      const { keyspace, name: identifier } = name.name;
      if (keyspace === undefined && !identifier.quoted) {
        const type = nativeByName(identifier.text);
        if (type !== undefined) return { kind: 'plain', type, text: identifier.text };
      }
      return { kind: 'udt', keyspace: keyspace?.text, name: identifier.text, frozen: false };
    }
    case 'custom': {
      const type = typeOfClass(name.className);
      const text = type.kind === 'native' ? type.name : `'${name.className}'`;
      return { kind: 'plain', type, text };
    }
    case 'vector':
      return { kind: 'vector', element: toRaw(name.element), dimensions: name.dimensions };
    case 'parametrised': {
      const parts = name.args.map(toRaw);
      if (name.name === 'frozen') return freeze(part(parts, 0));
      if (name.name === 'tuple') {
        return {
          kind: 'tuple',
          parts: parts.map((inner) => (supportsFreezing(inner) ? freeze(inner) : inner)),
        };
      }
      return { kind: 'collection', name: name.name, parts, frozen: false };
    }
    default:
      return assertNever(name);
  }
}

function part(parts: readonly RawType[], index: number): RawType {
  const found = parts[index];
  if (found === undefined) throw new InvalidRequestError('A type has too few parameters');
  return found;
}

function supportsFreezing(raw: RawType): boolean {
  return raw.kind !== 'plain';
}

function isFrozen(raw: RawType): boolean {
  return (
    raw.kind === 'tuple' ||
    raw.kind === 'vector' ||
    ((raw.kind === 'collection' || raw.kind === 'udt') && raw.frozen)
  );
}

function freeze(raw: RawType): RawType {
  switch (raw.kind) {
    case 'plain':
      throw new InvalidRequestError(
        `frozen<> is only allowed on collections, tuples, and user-defined types (got ${raw.text})`,
      );
    case 'collection':
      return {
        ...raw,
        parts: raw.parts.map((inner) => (supportsFreezing(inner) ? freeze(inner) : inner)),
        frozen: true,
      };
    case 'udt':
      return { ...raw, frozen: true };
    case 'tuple':
    case 'vector':
      return raw;
    default:
      return assertNever(raw);
  }
}

function isNative(raw: RawType, name: 'counter' | 'duration'): boolean {
  return raw.kind === 'plain' && raw.type.kind === 'native' && raw.type.name === name;
}

function prepare(raw: RawType, context: TypeContext): CqlType {
  switch (raw.kind) {
    case 'plain':
      return raw.type;
    case 'collection':
      return prepareCollection(raw, context);
    case 'tuple':
      return {
        kind: 'tuple',
        elements: raw.parts.map((inner) => {
          if (isNative(inner, 'counter')) {
            throw new InvalidRequestError('Counters are not allowed inside tuples');
          }
          return freezeType(prepare(inner, context));
        }),
      };
    case 'vector': {
      const element = prepare(raw.element, context);
      if (raw.dimensions <= 0) {
        throw new InvalidRequestError(
          `vectors may only have positive dimensions; given ${raw.dimensions}`,
        );
      }
      return { kind: 'vector', element: freezeType(element), dimensions: raw.dimensions };
    }
    case 'udt':
      return prepareUdt(raw, context);
    default:
      return assertNever(raw);
  }
}

function prepareCollection(
  raw: RawType & { readonly kind: 'collection' },
  context: TypeContext,
): CqlType {
  const isMap = raw.name === 'map';
  const key = isMap ? part(raw.parts, 0) : undefined;
  const value = part(raw.parts, isMap ? 1 : 0);
  const text = print(raw);
  if (!raw.frozen) refuseUnfrozen(value, text);
  if (isNative(value, 'counter')) {
    throw new InvalidRequestError(`Counters are not allowed inside collections: ${text}`);
  }
  if (isNative(value, 'duration') && raw.name === 'set') {
    throw new InvalidRequestError(`Durations are not allowed inside sets: ${text}`);
  }
  if (key !== undefined) {
    if (isNative(key, 'counter')) {
      throw new InvalidRequestError(`Counters are not allowed inside collections: ${text}`);
    }
    if (isNative(key, 'duration')) {
      throw new InvalidRequestError(`Durations are not allowed as map keys: ${text}`);
    }
    if (!raw.frozen) refuseUnfrozen(key, text);
  }
  const valueType = freezeType(prepare(value, context));
  if (key !== undefined) {
    const keyType = freezeType(prepare(key, context));
    return { kind: 'map', key: keyType, value: valueType, frozen: raw.frozen };
  }
  return { kind: raw.name === 'set' ? 'set' : 'list', element: valueType, frozen: raw.frozen };
}

function refuseUnfrozen(inner: RawType, text: string): void {
  if (!supportsFreezing(inner) || isFrozen(inner)) return;
  if (inner.kind === 'collection') {
    throw new InvalidRequestError(
      `Non-frozen collections are not allowed inside collections: ${text}`,
    );
  }
  throw new InvalidRequestError(`Non-frozen UDTs are not allowed inside collections: ${text}`);
}

function prepareUdt(raw: RawType & { readonly kind: 'udt' }, context: TypeContext): CqlType {
  const { keyspace } = context;
  if (raw.keyspace !== undefined && raw.keyspace !== keyspace) {
    throw new InvalidRequestError(
      `Statement on keyspace ${keyspace} cannot refer to a user type in keyspace ${raw.keyspace}; ` +
        'user types can only be used in the keyspace they are defined in',
    );
  }
  const found = context.udt(raw.name);
  if (found === undefined) throw new InvalidRequestError(`Unknown type ${keyspace}.${raw.name}`);
  if (raw.frozen) return freezeType(found);
  return found.frozen ? { ...found, frozen: false } : found;
}

function print(raw: RawType): string {
  switch (raw.kind) {
    case 'plain':
      return raw.text;
    case 'collection': {
      const text = `${raw.name}<${raw.parts.map(print).join(', ')}>`;
      return raw.frozen ? `frozen<${text}>` : text;
    }
    case 'tuple':
      return `tuple<${raw.parts.map(print).join(', ')}>`;
    case 'vector':
      return `vector<${print(raw.element)}, ${raw.dimensions}>`;
    case 'udt': {
      const name = (raw.keyspace === undefined ? '' : `${raw.keyspace}.`) + quoteName(raw.name);
      return raw.frozen ? `frozen<${name}>` : name;
    }
    default:
      return assertNever(raw);
  }
}
