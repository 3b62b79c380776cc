import type { TableCipherKeys } from '../crypto/index.ts';
import { blindIndexes, blindValue, mirrorValue, storedBlind } from '../encryption/index.ts';
import type { BlindIndex } from '../encryption/index.ts';
import type { ColumnEntry, TableEntry } from '../schema/index.ts';

/** A hidden column that rows of before may lack: of an index that is write-only, or of a view that is being built. */
export interface BuiltColumn {
  readonly kind: 'index' | 'view';
  /** Of the index or the view. */
  readonly name: string;
  /** The column beside whose cells it is. */
  readonly column: ColumnEntry;
  /** The index, of kind `index`. */
  readonly blind?: BlindIndex;
  readonly hidden: { readonly name: string; readonly kind: 'static' | 'regular' };
  /** Whether it is written as text. */
  readonly isText: boolean;
  /**
   * What stands beside a value.
   * @param partition stored partition key of its row
   */
  value(keys: TableCipherKeys, partition: readonly Uint8Array[], plain: Uint8Array): Uint8Array;
}

/** The hidden columns of a table that are to be built, or, with `all`, those that are complete too. */
export function builtColumns(table: TableEntry, all = false): BuiltColumn[] {
  const indexes = [...table.statics, ...table.regulars].flatMap((column) =>
    blindIndexes(table, column).flatMap((index): BuiltColumn[] =>
      index.isActive && !all
        ? []
        : [
            {
              kind: 'index',
              name: index.name,
              column,
              blind: index,
              hidden: index.hidden,
              isText: index.hidden.type === 'ascii',
              value: (keys, _partition, plain) =>
                storedBlind(index, blindValue(index, plain, keys)),
            },
          ],
    ),
  );
  const views = table.views.flatMap((view): BuiltColumn[] => {
    const { name, further, state } = view;
    const column = table.regulars.find(
      ({ id }) => Buffer.from(id).toString('hex') === further?.columnId,
    );
    if (further === undefined || column === undefined || (state === 'active' && !all)) return [];
    const hidden = { name: further.name, kind: 'regular' as const };
    const value: BuiltColumn['value'] = (keys, partition, plain) =>
      mirrorValue(table, view, column, keys, partition, plain);
    return [{ kind: 'view', name, column, hidden, isText: false, value }];
  });
  return [...indexes, ...views];
}
