import { freezeType, isMultiCell, sameType } from '../values/index.ts';
import type {
  CqlType,
  MapType,
  NativeTypeName,
  SequenceType,
  TupleType,
  UdtType,
} from '../values/index.ts';
import type { Assignment } from './arguments.ts';

/** Native types whose values another type takes as they are. Spec: AbstractType.isValueCompatibleWith of each type. */
const VALUE_COMPATIBLE: Readonly<Partial<Record<NativeTypeName, readonly NativeTypeName[]>>> = {
  bigint: ['timestamp'],
  date: ['int'],
  text: ['ascii'],
  time: ['bigint'],
  timestamp: ['bigint'],
  uuid: ['timeuuid'],
  varint: ['int', 'bigint', 'timestamp'],
};

/** Native types whose values also sort the same. Spec: AbstractType.isCompatibleWith of each type. */
const ORDER_COMPATIBLE: Readonly<Partial<Record<NativeTypeName, readonly NativeTypeName[]>>> = {
  blob: ['ascii', 'text'],
  text: ['ascii'],
};

function isNamed(table: typeof VALUE_COMPATIBLE, receiver: CqlType, given: CqlType): boolean {
  if (receiver.kind !== 'native' || given.kind !== 'native') return false;
  return receiver.name === given.name || (table[receiver.name]?.includes(given.name) ?? false);
}

function isOrderCompatible(receiver: CqlType, given: CqlType): boolean {
  if (receiver.kind === 'native') return isNamed(ORDER_COMPATIBLE, receiver, given);
  return sameType(receiver, given);
}

/** Whether values of `given` are values of `receiver` as they are. */
export function isValueCompatible(receiver: CqlType, given: CqlType): boolean {
  if (sameType(receiver, given)) return true;
  switch (receiver.kind) {
    case 'native':
      return receiver.name === 'blob' || isNamed(VALUE_COMPATIBLE, receiver, given);
    case 'list':
    case 'set':
    case 'map':
      return receiver.kind === given.kind && isCollectionCompatible(receiver, given);
    case 'tuple':
      return given.kind === 'tuple' && isTupleCompatible(receiver, given);
    case 'udt':
      return given.kind === 'udt' && isUdtCompatible(receiver, given);
    case 'vector':
    case 'custom':
      return false;
  }
}

function isCollectionCompatible(receiver: SequenceType | MapType, given: CqlType): boolean {
  if (isMultiCell(receiver) || isMultiCell(given)) return false;
  if (receiver.kind === 'map') {
    if (given.kind !== 'map') return false;
    return (
      isOrderCompatible(receiver.key, given.key) && isValueCompatible(receiver.value, given.value)
    );
  }
  if (given.kind !== 'list' && given.kind !== 'set') return false;
  const isFitting = receiver.kind === 'list' ? isValueCompatible : isOrderCompatible;
  return isFitting(receiver.element, given.element);
}

function isTupleCompatible(receiver: TupleType, given: TupleType): boolean {
  return given.elements.every((element, i) => {
    const wanted = receiver.elements[i];
    return wanted !== undefined && isValueCompatible(wanted, element);
  });
}

function isUdtCompatible(receiver: UdtType, given: UdtType): boolean {
  if (receiver.frozen !== given.frozen || receiver.keyspace !== given.keyspace) return false;
  return given.fields.every((field, i) => {
    const wanted = receiver.fields[i];
    return wanted !== undefined && isOrderCompatible(wanted.type, field.type);
  });
}

/** How a value of `given` fits where `receiver` is wanted. Spec: AbstractType.testAssignment. */
export function assignType(given: CqlType, receiver: CqlType): Assignment {
  const wanted = isMultiCell(given) ? receiver : freezeType(receiver);
  if (sameType(given, wanted)) return 'exact';
  return isValueCompatible(wanted, given) ? 'weak' : 'none';
}

/** Of the types of a literal's items the one that takes them all. */
export function commonType(types: readonly (CqlType | undefined)[]): CqlType | undefined {
  const known = types.filter((type) => type !== undefined);
  return known.find((type) => known.every((other) => assignType(other, type) !== 'none'));
}
