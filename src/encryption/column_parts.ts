import type { ColumnContext, ColumnPart } from '../crypto/index.ts';
import { isPaddedType } from '../schema/index.ts';
import type { ColumnEntry, TableEntry } from '../schema/index.ts';
import { isMultiCell } from '../values/index.ts';
import type { CqlType, UdtType } from '../values/index.ts';
import { columnContext } from './table_columns.ts';

/** What the values inside a column of several cells are, for encryption and for putting them together again. */
export type ColumnParts =
  | { readonly kind: 'list' | 'set'; readonly type: CqlType; readonly element: ColumnContext }
  | {
      readonly kind: 'map';
      readonly keyType: CqlType;
      readonly key: ColumnContext;
      readonly value: ColumnContext;
    }
  | {
      readonly kind: 'fields';
      readonly type: UdtType;
      /** One for each field, by its index. */
      readonly fields: readonly ColumnContext[];
    };

const known = new WeakMap<ColumnEntry, ColumnParts>();

/**
 * The parts of a column that has one cell for each element or field, `undefined` for one that is a single cell; one object
 * for the life of the catalog entry.
 */
export function columnParts(table: TableEntry, column: ColumnEntry): ColumnParts | undefined {
  if (!isMultiCell(column.type)) return undefined;
  let parts = known.get(column);
  if (parts === undefined) {
    parts = makeParts(table, column);
    if (parts !== undefined) known.set(column, parts);
  }
  return parts;
}

function makeParts(table: TableEntry, column: ColumnEntry): ColumnParts | undefined {
  const { type } = column;
  const base = columnContext(table, column);
  const context = (part: ColumnPart, padded: boolean): ColumnContext => ({ ...base, part, padded });
  switch (type.kind) {
    case 'list':
      return { kind: 'list', type: type.element, element: context('list_element', false) };
    case 'set':
      return { kind: 'set', type: type.element, element: context('set_element', false) };
    case 'map':
      return {
        kind: 'map',
        keyType: type.key,
        key: context('map_key', false),
        value: context('map_value', column.padded),
      };
    case 'udt':
      return {
        kind: 'fields',
        type,
        fields: type.fields.map((field, fieldIndex) => ({
          ...context('field', isPaddedType(field.type)),
          fieldIndex,
        })),
      };
    default:
      return undefined;
  }
}
