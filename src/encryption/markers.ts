import type { BindMarker } from '../cql/index.ts';
import type { CqlType } from '../values/index.ts';
import type { ColumnSpec } from '../wire/index.ts';

/** What a term is written to: decides the type of constants and the name of bind markers. */
export interface Receiver {
  readonly keyspace: string;
  readonly table: string;
  /** Name that Cassandra gives the bind variable, e.g. `v`, `in(pk)`, `[limit]`. */
  readonly name: string;
  readonly type: CqlType;
  /** Position in the partition key when a marker here carries a whole component of it. */
  readonly partitionKeyPosition?: number;
}

/** Collects what is known about the bind markers of one statement while it is planned. */
export class MarkerRegistry {
  readonly #specs: (ColumnSpec | undefined)[];
  readonly #partitionPositions = new Map<number, number>();

  constructor(markers: readonly BindMarker[]) {
    this.#specs = new Array<ColumnSpec | undefined>(markers.length).fill(undefined);
  }

  /** Number of bind markers of the statement. */
  get count(): number {
    return this.#specs.length;
  }

  /** Notes that `marker` is written to `receiver`. */
  declare(marker: BindMarker, receiver: Receiver): void {
    this.#specs[marker.index] = {
      keyspace: receiver.keyspace,
      table: receiver.table,
      name: marker.name ?? receiver.name,
      type: receiver.type,
    };
    if (receiver.partitionKeyPosition !== undefined) {
      this.#partitionPositions.set(receiver.partitionKeyPosition, marker.index);
    }
  }

  /** The bind variables in order of the text, or `undefined` while some marker has no receiver. */
  specs(): readonly ColumnSpec[] | undefined {
    const specs: ColumnSpec[] = [];
    for (const spec of this.#specs) {
      if (spec === undefined) return undefined;
      specs.push(spec);
    }
    return specs;
  }

  /** Marker index of each partition key component, or nothing when not all of them are bound. Spec: native_protocol_v4 4.2.5.4 */
  partitionKeyIndices(componentCount: number): readonly number[] {
    const indices: number[] = [];
    for (let position = 0; position < componentCount; position++) {
      const index = this.#partitionPositions.get(position);
      if (index === undefined) return [];
      indices.push(index);
    }
    return indices;
  }
}
