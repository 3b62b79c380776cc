import { UnsupportedStatementError } from '../../errors/index.ts';
import { native, printType, splitList, splitMap } from '../../values/index.ts';
import type { CqlType, NativeType } from '../../values/index.ts';
import type { Columns } from './columns.ts';
import type { Output } from './selectors.ts';

/**
 * Wraps the outputs of SELECT JSON into the one column `[json]`, in Cassandra's spacing and value forms.
 * @throws UnsupportedStatementError for types that no system table served here has.
 */
export function compileJson(outputs: readonly Output[], columns: Columns): Output {
  const { keyspace, name } = columns.table;
  for (const output of outputs) refuseUnknown(output.spec.type);
  return {
    spec: { keyspace, table: name, name: '[json]', type: native('text') },
    aggregate: outputs.some((output) => output.aggregate),
    column: undefined,
    reads: outputs.flatMap((output) => output.reads),
    evaluate: (group) => {
      const fields = outputs.map((output) => {
        const label = output.spec.name;
        // Cassandra quotes names that CQL would have to quote: with upper case letters.
        const key = JSON.stringify(label === label.toLowerCase() ? label : `"${label}"`);
        return `${key}: ${toJson(output.spec.type, output.evaluate(group))}`;
      });
      return Buffer.from(`{${fields.join(', ')}}`, 'utf8');
    },
  };
}

const SERVED: ReadonlySet<string> = new Set([
  'ascii',
  'bigint',
  'blob',
  'boolean',
  'counter',
  'double',
  'inet',
  'int',
  'smallint',
  'text',
  'timestamp',
  'timeuuid',
  'tinyint',
  'uuid',
]);

function refuseUnknown(type: CqlType): void {
  if (type.kind === 'native' && SERVED.has(type.name)) return;
  if (type.kind === 'list' || type.kind === 'set') {
    refuseUnknown(type.element);
  } else if (type.kind === 'map') {
    refuseUnknown(type.key);
    refuseUnknown(type.value);
  } else {
    throw new UnsupportedStatementError(
      `SELECT JSON of the type ${printType(type)} is not supported on system tables`,
    );
  }
}

function toJson(type: CqlType, value: Uint8Array | null): string {
  if (value === null) return 'null';
  switch (type.kind) {
    case 'list':
    case 'set':
      return `[${splitList(value)
        .map((item) => toJson(type.element, item))
        .join(', ')}]`;
    case 'map':
      return `{${splitMap(value)
        .map(([k, v]) => {
          const key = toJson(type.key, k);
          return `${key.startsWith('"') ? key : JSON.stringify(key)}: ${toJson(type.value, v)}`;
        })
        .join(', ')}}`;
    case 'native':
      return nativeToJson(type, Buffer.from(value.buffer, value.byteOffset, value.byteLength));
    default:
      return 'null';
  }
}

function nativeToJson(type: NativeType, bytes: Buffer): string {
  if (type.name === 'text' || type.name === 'ascii') return JSON.stringify(bytes.toString('utf8'));
  if (type.name === 'blob') return `"0x${bytes.toString('hex')}"`;
  if (bytes.length === 0) return '""';
  switch (type.name) {
    case 'bigint':
    case 'counter':
      return bytes.readBigInt64BE(0).toString();
    case 'int':
      return String(bytes.readInt32BE(0));
    case 'smallint':
      return String(bytes.readInt16BE(0));
    case 'tinyint':
      return String(bytes.readInt8(0));
    case 'boolean':
      return bytes[0] === 0 ? 'false' : 'true';
    case 'double':
      return javaDouble(bytes.readDoubleBE(0));
    case 'timestamp':
      return `"${new Date(Number(bytes.readBigInt64BE(0))).toISOString().replace('T', ' ')}"`;
    case 'inet':
      return `"${inetText(bytes)}"`;
    default:
      return `"${bytes
        .toString('hex')
        .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')}"`;
  }
}

/** As Java's Double.toString: always a fraction, an exponent outside 0.001 to 10,000,000. */
function javaDouble(value: number): string {
  if (!Number.isFinite(value)) return `"${String(value)}"`;
  const size = Math.abs(value);
  const withFraction = (text: string): string => (text.includes('.') ? text : `${text}.0`);
  if (size === 0 || (size >= 1e-3 && size < 1e7)) {
    return withFraction(Object.is(value, -0) ? '-0' : String(value));
  }
  const [digits = '0', exponent = '0'] = value.toExponential().split('e');
  return `${withFraction(digits)}E${String(Number(exponent))}`;
}

/** As Java's getHostAddress: IPv6 without shortening. */
function inetText(bytes: Buffer): string {
  if (bytes.length === 4) return [...bytes].join('.');
  const groups: string[] = [];
  for (let offset = 0; offset + 1 < bytes.length; offset += 2) {
    groups.push(bytes.readUInt16BE(offset).toString(16));
  }
  return groups.join(':');
}
