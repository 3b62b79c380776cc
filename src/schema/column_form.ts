import { printType } from '../values/index.ts';
import type { CqlType } from '../values/index.ts';
import type { ColumnScheme } from './entries.ts';

/** How a static or regular column is stored. */
export interface ColumnForm {
  readonly scheme: ColumnScheme;
  /** Type of the column in Cassandra, as system_schema shows it. */
  readonly storedType: string;
  /** Whether its cells, or the values of its map, are padded before encryption. */
  readonly padded: boolean;
}

/** Types whose length tells much of the value: their cells are padded. */
const PADDED_TYPES: ReadonlySet<string> = new Set(['varint', 'decimal', 'duration']);

/** Whether cells of a type are padded. Fields of user types, too: a field never changes its type. Spec: format 4 */
export function isPaddedType(type: CqlType): boolean {
  return type.kind === 'native' && PADDED_TYPES.has(type.name);
}

/** The form of a new static or regular column: one of several cells has one in Cassandra for each element or field. */
export function columnForm(type: CqlType): ColumnForm {
  switch (type.kind) {
    case 'list':
    case 'set':
      if (type.frozen) break;
      return { scheme: type.kind, storedType: `${type.kind}<blob>`, padded: false };
    case 'map':
      if (type.frozen) break;
      return { scheme: 'map', storedType: 'map<blob, blob>', padded: isPaddedType(type.value) };
    case 'udt':
      if (type.frozen) break;
      return { scheme: 'fields', storedType: printType(type), padded: false };
    default:
      break;
  }
  return { scheme: 'cell', storedType: 'blob', padded: isPaddedType(type) };
}
