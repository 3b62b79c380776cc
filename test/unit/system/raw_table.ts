import { native } from '../../../src/values/index.ts';
import type { CqlType, NativeTypeName } from '../../../src/values/index.ts';
import type { RawColumn, RawTable } from '../../../src/schema/index.ts';
import { text } from './cql_bytes.ts';

type Cell = Uint8Array | null | string;

export const TEXT = native('text');
export const textList = (kind: 'list' | 'set', frozen: boolean): CqlType => ({
  kind,
  element: TEXT,
  frozen,
});
export const textMap = (frozen: boolean): CqlType => ({
  kind: 'map',
  key: TEXT,
  value: TEXT,
  frozen,
});

/** `name type` in the manner of a table definition: `p:` for the partition key, `c:` for clustering, else regular. */
export function rawTable(
  keyspace: string,
  name: string,
  columns: Readonly<Record<string, NativeTypeName | CqlType>>,
  rows: readonly (readonly Cell[])[],
): RawTable {
  const positions = { partition: 0, clustering: 0, regular: 0 };
  const made = Object.entries(columns).map(([label, type]): RawColumn => {
    const kind = label.startsWith('p:')
      ? 'partition'
      : label.startsWith('c:')
        ? 'clustering'
        : 'regular';
    return {
      name: label.replace(/^[pc]:/, ''),
      type: typeof type === 'string' ? native(type) : type,
      kind,
      position: kind === 'regular' ? 0 : positions[kind]++,
      order: kind === 'clustering' ? 'asc' : undefined,
    };
  });
  return {
    keyspace,
    name,
    columns: made,
    rows: rows.map((row) => row.map((cell) => (typeof cell === 'string' ? text(cell) : cell))),
  };
}
