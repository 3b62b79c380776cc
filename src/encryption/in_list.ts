import type { BindMarker } from '../cql/index.ts';
import {
  emptyMeansNull,
  serializeList,
  splitInList,
  splitList,
  valueCodec,
} from '../values/index.ts';
import type { CqlType } from '../values/index.ts';
import { UNSET } from '../wire/index.ts';
import type { Receiver } from './markers.ts';
import type { TermContext, TermScope } from './terms.ts';

/** The elements of a bound list: validated, null where Cassandra takes them for null; or no list at all. */
export type InList = (context: TermContext) => (Uint8Array | null)[] | null | typeof UNSET;

/**
 * Compiles `IN ?`. What is bound is no value of a list: its elements may be null, and empty ones are where the type has no
 * empty values of its own. Spec: Cassandra 5.0, Terms.ofListMarker
 *
 * @param receiver of one element
 * @throws InvalidRequestError by its values, as Cassandra
 */
export function compileInList(
  marker: BindMarker,
  receiver: Receiver,
  name: string,
  scope: TermScope,
): InList {
  const { keyspace, table, type: element } = receiver;
  const type: CqlType = { kind: 'list', element, frozen: false };
  scope.markers.declare(marker, { keyspace, table, name, type });
  const codec = valueCodec(type);
  const isNull = (item: Uint8Array | null): item is null =>
    item === null || (item.length === 0 && emptyMeansNull(element));
  return (context) => {
    const list = context.binds[marker.index];
    if (list === undefined || list === UNSET) return UNSET;
    if (list === null) return null;
    const items = splitInList(list);
    const present = serializeList(items.flatMap((item) => (isNull(item) ? [] : [item])));
    codec.validate(present);
    const values = splitList(codec.stored(present)).values();
    return items.map((item) => (isNull(item) ? null : (values.next().value ?? null)));
  };
}
