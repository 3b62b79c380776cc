import { InternalError } from '../../errors/index.ts';
import type { BindMarker } from '../../cql/index.ts';
import type { ColumnSpec } from '../../wire/index.ts';
import type { CqlType } from '../../values/index.ts';
import { native } from '../../values/index.ts';
import type { VirtualColumn, VirtualTable } from '../virtual_table.ts';

/** Collects what the bind markers of one statement stand for. */
export class Variables {
  readonly #table: VirtualTable;
  readonly #specs: ColumnSpec[] = [];
  /** Marker index to the partition key column that is set by it. */
  readonly #targets: (VirtualColumn | undefined)[] = [];

  constructor(table: VirtualTable) {
    this.#table = table;
  }

  /** A specification in this table. */
  spec(name: string, type: CqlType): ColumnSpec {
    return { keyspace: this.#table.keyspace, table: this.#table.name, name, type };
  }

  /** Records `marker`; a named marker shows its own name. `target` is the column if the marker is compared with it as it is. */
  add(marker: BindMarker, spec: ColumnSpec, target: VirtualColumn | undefined): void {
    this.#specs[marker.index] = marker.name === undefined ? spec : { ...spec, name: marker.name };
    this.#targets[marker.index] = target;
  }

  /** All specifications in order of the markers. @throws InternalError if a marker was passed over. */
  specs(): ColumnSpec[] {
    for (let index = 0; index < this.#specs.length; index += 1) {
      if (this.#specs[index] === undefined) {
        throw new InternalError('a bind marker of a query on a system table was not resolved');
      }
    }
    return [...this.#specs];
  }

  /** Marker indexes of the partition key in key order; empty unless every component has a marker. */
  partitionKeyIndices(): number[] {
    const keys = this.#table.columns.filter((column) => column.kind === 'partition');
    const indices: number[] = new Array<number>(keys.length).fill(-1);
    this.#targets.forEach((target, index) => {
      if (target?.kind === 'partition') indices[target.position] = index;
    });
    return indices.includes(-1) ? [] : indices;
  }
}

/** Type of a token. */
export const TOKEN_TYPE: CqlType = native('bigint');
