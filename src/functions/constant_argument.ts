import type { Constant } from '../cql/ast.ts';
import { isConstantAssignable, native } from '../values/index.ts';
import type { CqlType, NativeTypeName } from '../values/index.ts';
import type { ArgumentType } from './arguments.ts';
import { decimalToDouble } from './decimal.ts';
import { decimalOfText } from './decimal_text.ts';
import { doubleToDecimal } from './numbers.ts';

/** The type that a constant has where several would do. Spec: org.apache.cassandra.cql3.Constants.Type. */
function preferredName(constant: Constant): NativeTypeName {
  switch (constant.type) {
    case 'string':
      return /^[\u0000-\u007f]*$/.test(constant.text) ? 'ascii' : 'text';
    case 'integer':
      return preferredInteger(BigInt(constant.text));
    case 'uuid':
      return constant.text.charAt(14) === '1' ? 'timeuuid' : 'uuid';
    case 'float':
      return isExactDouble(constant.text) ? 'double' : 'decimal';
    case 'boolean':
      return 'boolean';
    case 'hex':
      return 'tinyint';
    case 'duration':
      return 'duration';
  }
}

function preferredInteger(value: bigint): NativeTypeName {
  if (BigInt.asIntN(32, value) === value) return 'int';
  return BigInt.asIntN(64, value) === value ? 'bigint' : 'varint';
}

/** Whether the text of the nearest double is the same number. */
function isExactDouble(text: string): boolean {
  if (/^-?(?:NaN|Infinity)$/i.test(text)) return true;
  const decimal = decimalOfText(text);
  const nearest = decimalToDouble(decimal);
  if (!Number.isFinite(nearest)) return false;
  const back = doubleToDecimal(nearest);
  if (decimal.unscaled === 0n || back.unscaled === 0n) return decimal.unscaled === back.unscaled;
  return canonicalText(decimal) === canonicalText(back);
}

function canonicalText({ unscaled, scale }: { unscaled: bigint; scale: number }): string {
  const digits = unscaled.toString();
  const stripped = digits.replace(/0+$/, '');
  return `${stripped}e${digits.length - stripped.length - scale}`;
}

/** A constant as an argument: of its preferred type exactly, of others weakly. */
export function constantArgument(constant: Constant): ArgumentType {
  const preferred = preferredName(constant);
  return {
    text: '<constant>',
    known: native(preferred),
    isMarker: false,
    arrayLength: undefined,
    assign(type: CqlType) {
      if (type.kind === 'native' && type.name === preferred) return 'exact';
      if (constant.type === 'hex') {
        return type.kind === 'native' && type.name === 'blob' ? 'weak' : 'none';
      }
      return isConstantAssignable(constant.type, type) ? 'weak' : 'none';
    },
  };
}
