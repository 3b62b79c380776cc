import { createHash, getHashes } from 'node:crypto';
import { InvalidRequestError } from '../errors/index.ts';
import {
  constantToBytes,
  minTimeuuid,
  native,
  serializeList,
  serializeTuple,
  serializeVector,
} from '../values/index.ts';
import type { CqlType, NativeTypeName } from '../values/index.ts';
import { decodedText } from './decoded_text.ts';
import { anyType, fixed, optional, sameAs, scalar } from './factory.ts';
import type { FunctionFactory } from './factory.ts';
import { INTEGER_LENGTHS } from './numbers.ts';

const MASK = new Uint8Array(Buffer.from('****'));

/** What `mask_default` shows instead of a value of the type. Spec: AbstractType.getMaskedValue of each type. */
export function maskedValue(type: CqlType): Uint8Array {
  switch (type.kind) {
    case 'native':
      return maskedNative(type.name);
    case 'list':
    case 'set':
    case 'map':
      return serializeList([]);
    case 'tuple':
      return serializeTuple(type.elements.map(maskedValue));
    case 'udt':
      return serializeTuple(type.fields.map((field) => maskedValue(field.type)));
    case 'vector': {
      const element = maskedValue(type.element);
      return serializeVector(
        type,
        Array.from({ length: type.dimensions }, () => element),
      );
    }
    case 'custom':
      throw new InvalidRequestError(`Values of type '${type.className}' cannot be masked`);
  }
}

function maskedNative(name: NativeTypeName): Uint8Array {
  switch (name) {
    case 'ascii':
    case 'text':
      return MASK;
    case 'blob':
      return new Uint8Array(0);
    case 'boolean':
    case 'varint':
      return Uint8Array.of(0);
    case 'inet':
    case 'float':
      return new Uint8Array(4);
    case 'date':
      return Uint8Array.of(0x80, 0, 0, 0);
    case 'decimal':
      return new Uint8Array(5);
    case 'duration':
      return new Uint8Array(3);
    case 'uuid':
      return new Uint8Array(16);
    case 'timeuuid':
      return minTimeuuid(0n);
    case 'double':
    case 'time':
    case 'timestamp':
      return new Uint8Array(8);
    default:
      return new Uint8Array(INTEGER_LENGTHS[name]);
  }
}

/** Java's names of digests, and those of OpenSSL; other names are refused. */
const DIGESTS: ReadonlyMap<string, string> = new Map([
  ['MD2', 'md2'],
  ['MD5', 'md5'],
  ['SHA', 'sha1'],
  ['SHA1', 'sha1'],
  ['SHA-1', 'sha1'],
  ['SHA-224', 'sha224'],
  ['SHA-256', 'sha256'],
  ['SHA-384', 'sha384'],
  ['SHA-512', 'sha512'],
  ['SHA-512/224', 'sha512-224'],
  ['SHA-512/256', 'sha512-256'],
  ['SHA3-224', 'sha3-224'],
  ['SHA3-256', 'sha3-256'],
  ['SHA3-384', 'sha3-384'],
  ['SHA3-512', 'sha3-512'],
]);

/** What the OpenSSL of this process has. */
const AVAILABLE: ReadonlySet<string> = new Set(getHashes());

function digest(algorithm: string, value: Uint8Array): Uint8Array {
  const name = DIGESTS.get(algorithm.toUpperCase());
  if (name === undefined || !AVAILABLE.has(name)) {
    throw new InvalidRequestError('Hash algorithm not found: <constant>');
  }
  return new Uint8Array(createHash(name).update(value).digest());
}

/** A mask over the characters of a text (UTF-16 units, as Java counts them). */
function partialMask(
  name: string,
  isMasked: (at: number, begin: number, end: number) => boolean,
): FunctionFactory {
  return {
    name,
    parameters: [fixed('text', 'ascii'), fixed('int'), fixed('int'), optional(fixed('text'))],
    make(types) {
      const [type = native('text')] = types;
      const args = [type, native('int'), native('int'), native('text')].slice(0, types.length);
      return scalar(name, args, type, ([bytes, begin, end, padding]) => {
        const character = paddingOf(name, padding);
        if (bytes === null || bytes === undefined) return null;
        const text = decodedText(bytes);
        const first = integer(begin);
        const last = text.length - 1 - integer(end);
        let out = '';
        for (let i = 0; i < text.length; i++) {
          out += isMasked(i, first, last) ? character : text.charAt(i);
        }
        // Half of a surrogate pair becomes a question mark.
        return constantToBytes({ type: 'string', text: out }, native('text'), '');
      });
    },
  };
}

function paddingOf(name: string, padding: Uint8Array | null | undefined): string {
  if (padding === null || padding === undefined) return '*';
  const text = decodedText(padding);
  if (text.length === 1) return text;
  throw new InvalidRequestError(
    `The padding argument for function system.${name} should be single-character, but '<constant>' has ${text.length} characters.`,
  );
}

function integer(bytes: Uint8Array | null | undefined): number {
  if (bytes?.length !== 4) return 0;
  return new DataView(bytes.buffer, bytes.byteOffset, 4).getInt32(0);
}

/** Functions that hide values. Spec: org.apache.cassandra.cql3.functions.masking. */
export const MASKING_FACTORIES: readonly FunctionFactory[] = [
  {
    name: 'mask_null',
    parameters: [anyType(false)],
    make: ([type = native('blob')]) => scalar('mask_null', [type], type, () => null),
  },
  {
    name: 'mask_replace',
    parameters: [anyType(true), sameAs(0, true, anyType(true))],
    make: ([type = native('blob')]) =>
      scalar('mask_replace', [type, type], type, ([, replacement]) => replacement ?? null),
  },
  {
    name: 'mask_default',
    parameters: [anyType(false)],
    make: ([type = native('blob')]) =>
      scalar('mask_default', [type], type, () => maskedValue(type)),
  },
  {
    name: 'mask_hash',
    parameters: [anyType(false), optional(fixed('text'))],
    make(types) {
      const [type = native('blob')] = types;
      const args = [type, native('text')].slice(0, types.length);
      return scalar('mask_hash', args, native('blob'), ([bytes, algorithm]) => {
        if (bytes === null || bytes === undefined) return null;
        const isDefault = algorithm === null || algorithm === undefined;
        return digest(isDefault ? 'SHA-256' : decodedText(algorithm), bytes);
      });
    },
  },
  partialMask('mask_inner', (at, begin, end) => at >= begin && at <= end),
  partialMask('mask_outer', (at, begin, end) => at < begin || at > end),
];
