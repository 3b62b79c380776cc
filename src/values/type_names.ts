import { assertNever } from '../util/index.ts';
import type { CqlType } from './cql_type.ts';

/** The reserved words of Cassandra 5.0: names that are never written without quotes. */
const RESERVED_WORDS: ReadonlySet<string> = new Set(
  (
    'add allow alter and apply asc authorize batch begin by columnfamily create delete desc describe drop entries ' +
    'execute from full grant if in index infinity insert into is keyspace limit materialized modify nan norecursive ' +
    'not null of on or order primary rename revoke schema select set table to token truncate unlogged update use using ' +
    'view where with'
  ).split(' '),
);

/** A name as Cassandra prints it: in double quotes where it could not be read back without. */
export function quoteName(name: string): string {
  if (/^[a-z][a-z0-9_]*$/.test(name) && !RESERVED_WORDS.has(name)) return name;
  return `"${name.replaceAll('"', '""')}"`;
}

/**
 * A type as `system_schema.columns.type` shows it, e.g. `frozen<list<int>>`, `map<text, frozen<address>>`,
 * `frozen<tuple<int, text>>`, `vector<float, 3>`. UDTs appear without their keyspace.
 */
export function printType(type: CqlType): string {
  switch (type.kind) {
    case 'native':
      return type.name;
    case 'list':
    case 'set':
      return frozenText(`${type.kind}<${printType(type.element)}>`, type.frozen);
    case 'map':
      return frozenText(`map<${printType(type.key)}, ${printType(type.value)}>`, type.frozen);
    case 'tuple':
      return frozenText(`tuple<${type.elements.map(printType).join(', ')}>`, true);
    case 'udt':
      return frozenText(quoteName(type.name), type.frozen);
    case 'vector':
      return `vector<${printType(type.element)}, ${type.dimensions}>`;
    case 'custom':
      return `'${type.className}'`;
    default:
      return assertNever(type);
  }
}

function frozenText(text: string, isFrozen: boolean): string {
  return isFrozen ? `frozen<${text}>` : text;
}

/** Whether a column of the type has one cell per element or field: a collection or UDT that is not frozen. */
export function isMultiCell(type: CqlType): boolean {
  switch (type.kind) {
    case 'list':
    case 'set':
    case 'map':
    case 'udt':
      return !type.frozen;
    default:
      return false;
  }
}

/** The types directly inside a type. */
export function innerTypes(type: CqlType): readonly CqlType[] {
  switch (type.kind) {
    case 'native':
    case 'custom':
      return [];
    case 'list':
    case 'set':
    case 'vector':
      return [type.element];
    case 'map':
      return [type.key, type.value];
    case 'tuple':
      return type.elements;
    case 'udt':
      return type.fields.map((field) => field.type);
    default:
      return assertNever(type);
  }
}

/**
 * Whether two types are equal, frozen or not included. UDTs are equal when keyspace, name, field names and field types are.
 */
export function sameType(a: CqlType, b: CqlType): boolean {
  if (a === b) return true;
  switch (a.kind) {
    case 'native':
      return b.kind === 'native' && a.name === b.name;
    case 'custom':
      return b.kind === 'custom' && a.className === b.className;
    case 'list':
    case 'set':
    case 'map':
      if (b.kind !== a.kind || a.frozen !== b.frozen) return false;
      break;
    case 'tuple':
      if (b.kind !== 'tuple') return false;
      break;
    case 'vector':
      if (b.kind !== 'vector' || a.dimensions !== b.dimensions) return false;
      break;
    case 'udt':
      if (b.kind !== 'udt' || a.frozen !== b.frozen) return false;
      if (a.keyspace !== b.keyspace || a.name !== b.name) return false;
      if (a.fields.some((field, i) => field.name !== b.fields[i]?.name)) return false;
      break;
    default:
      return assertNever(a);
  }
  const left = innerTypes(a);
  const right = innerTypes(b);
  return (
    left.length === right.length &&
    left.every((inner, i) => {
      const other = right[i];
      return other !== undefined && sameType(inner, other);
    })
  );
}

function someNative(type: CqlType, name: string): boolean {
  if (type.kind === 'native') return type.name === name;
  return innerTypes(type).some((inner) => someNative(inner, name));
}

/** Whether `duration` is the type or anywhere inside it: such a type has no order. */
export function referencesDuration(type: CqlType): boolean {
  return someNative(type, 'duration');
}

/** Whether `counter` is the type or anywhere inside it. */
export function referencesCounter(type: CqlType): boolean {
  return someNative(type, 'counter');
}

/** Names of all UDTs of the type, itself and nested ones, each once. */
export function udtNames(type: CqlType): ReadonlySet<string> {
  const names = new Set<string>();
  const visit = (inner: CqlType): void => {
    if (inner.kind === 'udt') names.add(inner.name);
    innerTypes(inner).forEach(visit);
  };
  visit(type);
  return names;
}

/**
 * The type as it is inside `frozen<>`, inside a collection's `frozen<>`, a tuple or a vector: everything in it frozen.
 * The type itself when it is.
 */
export function freezeType(type: CqlType): CqlType {
  switch (type.kind) {
    case 'native':
    case 'custom':
      return type;
    case 'list':
    case 'set': {
      const element = freezeType(type.element);
      if (type.frozen && element === type.element) return type;
      return { kind: type.kind, element, frozen: true };
    }
    case 'map': {
      const key = freezeType(type.key);
      const value = freezeType(type.value);
      if (type.frozen && key === type.key && value === type.value) return type;
      return { kind: 'map', key, value, frozen: true };
    }
    case 'tuple': {
      const elements = type.elements.map(freezeType);
      if (elements.every((element, i) => element === type.elements[i])) return type;
      return { kind: 'tuple', elements };
    }
    case 'vector': {
      const element = freezeType(type.element);
      return element === type.element ? type : { ...type, element };
    }
    case 'udt': {
      const fields = type.fields.map((field) => {
        const frozen = freezeType(field.type);
        return frozen === field.type ? field : { name: field.name, type: frozen };
      });
      if (type.frozen && fields.every((field, i) => field === type.fields[i])) return type;
      return { ...type, fields, frozen: true };
    }
    default:
      return assertNever(type);
  }
}
