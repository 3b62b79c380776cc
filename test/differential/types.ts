/** The types of the generator, and random ones. */
import type { Prng } from './prng.ts';

/** Names of the scalar types that may be a key. */
export const KEY_SCALARS = [
  'ascii',
  'bigint',
  'blob',
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
] as const;

/** A type of the generator. */
export type GenType =
  | { readonly kind: 'scalar'; readonly name: string }
  | { readonly kind: 'list' | 'set'; readonly of: GenType; readonly multi?: boolean }
  | {
      readonly kind: 'map';
      readonly key: GenType;
      readonly of: GenType;
      readonly multi?: boolean;
    }
  | { readonly kind: 'tuple'; readonly of: readonly GenType[] }
  | {
      readonly kind: 'udt';
      readonly name: string;
      readonly fields: readonly { readonly name: string; readonly type: GenType }[];
      readonly multi?: boolean;
    }
  | { readonly kind: 'vector'; readonly of: GenType; readonly size: number };

/** A value; `literal` is null where no literal says exactly these bytes. Null bytes are CQL's null. */
export interface GenValue {
  readonly bytes: Buffer | null;
  readonly literal: string | null;
}

/** CQL null. */
export const NULL_VALUE: GenValue = { bytes: null, literal: 'null' };

/** A scalar type. */
export function scalar(name: string): GenType {
  return { kind: 'scalar', name };
}

/** The type as CQL text; collections, tuples and UDTs frozen unless they are `multi`, of several cells. `ks` goes before the names of UDTs. */
export function typeText(type: GenType, ks: string): string {
  if ('multi' in type && type.multi) {
    return /^frozen<(.*)>$/.exec(typeText({ ...type, multi: false }, ks))?.[1] ?? '';
  }
  switch (type.kind) {
    case 'scalar':
      return type.name;
    case 'list':
    case 'set':
      return `frozen<${type.kind}<${typeText(type.of, ks)}>>`;
    case 'map':
      return `frozen<map<${typeText(type.key, ks)}, ${typeText(type.of, ks)}>>`;
    case 'tuple':
      return `frozen<tuple<${type.of.map((t) => typeText(t, ks)).join(', ')}>>`;
    case 'udt':
      return `frozen<${ks}.${type.name}>`;
    case 'vector':
      return `vector<${typeText(type.of, ks)}, ${type.size}>`;
  }
}

/** Whether a column of the type has a cell for each element or field. */
export function isMulti(
  type: GenType,
): type is Extract<GenType, { readonly kind: 'list' | 'set' | 'map' | 'udt' }> {
  return 'multi' in type && type.multi;
}

/** Scalars whose values have one form each: inside of a key they are read back as they were written. */
const EXACT_SCALARS = ['ascii', 'bigint', 'blob', 'int', 'smallint', 'text', 'timestamp', 'uuid'];

/** A random type for a key that is no scalar. */
export function randomWideKeyType(rng: Prng): GenType {
  const of = (): GenType => scalar(rng.pick(EXACT_SCALARS));
  switch (rng.int(4)) {
    case 0:
      return { kind: 'list', of: of() };
    case 1:
      return { kind: 'set', of: of() };
    case 2:
      return { kind: 'map', key: of(), of: of() };
    default:
      return { kind: 'tuple', of: Array.from({ length: rng.between(1, 3) }, of) };
  }
}

/** A random type for a regular or static column: now and then one of several cells. */
export function randomColumnType(rng: Prng, udts: readonly GenType[]): GenType {
  const type = randomCellType(rng, udts);
  const inner = type.kind === 'map' ? type.key : type.kind === 'set' ? type.of : undefined;
  // What is equal has one form in sets and keys of maps: docs/compatibility.md, scale of clustering decimals.
  if (inner?.kind === 'scalar' && ['decimal', 'double', 'float'].includes(inner.name)) return type;
  const canBe = ['list', 'set', 'map', 'udt'].includes(type.kind);
  return canBe && rng.chance(0.6) ? ({ ...type, multi: true } as GenType) : type;
}

/** A random type for one cell. */
export function randomCellType(rng: Prng, udts: readonly GenType[], depth = 0): GenType {
  if (depth > 1 || rng.chance(0.62)) {
    const scalars = depth === 0 ? [...KEY_SCALARS, 'duration'] : KEY_SCALARS;
    return scalar(rng.pick(scalars));
  }
  switch (rng.int(udts.length > 0 ? 6 : 5)) {
    case 0:
      return { kind: 'list', of: randomCellType(rng, [], depth + 1) };
    case 1:
      return { kind: 'set', of: scalar(rng.pick(KEY_SCALARS)) };
    case 2:
      return {
        kind: 'map',
        key: scalar(rng.pick(KEY_SCALARS)),
        of: randomCellType(rng, [], depth + 1),
      };
    case 3:
      return {
        kind: 'tuple',
        of: Array.from({ length: rng.between(1, 3) }, () => randomCellType(rng, [], depth + 1)),
      };
    case 4:
      return {
        kind: 'vector',
        of: scalar(rng.pick(['float', 'int', 'bigint', 'text'])),
        size: rng.between(1, 4),
      };
    default:
      return rng.pick(udts);
  }
}
