import { InternalError } from '../errors/index.ts';
import { native, serializeList, serializeSet, splitList, splitMap } from '../values/index.ts';
import type { CqlType, SequenceType } from '../values/index.ts';
import { extremeAggregate, numericAggregate } from './aggregates.ts';
import { anyCollection, anyMap, numericSetOrList, scalar, setOrList } from './factory.ts';
import type { FunctionFactory } from './factory.ts';
import type { AggregateFunction, ScalarFunction } from './function.ts';
import { numericName } from './numbers.ts';

function sequence(types: readonly CqlType[]): SequenceType {
  const [type] = types;
  if (type?.kind === 'list' || type?.kind === 'set') return type;
  throw new InternalError('a collection function was made for another type');
}

/** An aggregate over the elements of one collection. */
function overElements(
  name: string,
  type: SequenceType,
  aggregate: AggregateFunction,
): ScalarFunction {
  return scalar(name, [type], aggregate.result, ([bytes]) => {
    if (bytes === null || bytes === undefined) return null;
    const state = aggregate.start();
    for (const element of splitList(bytes, type.kind)) state.add([element]);
    return state.result();
  });
}

function numericFactory(name: string, which: 'sum' | 'avg'): FunctionFactory {
  return {
    name,
    parameters: [numericSetOrList],
    make(types) {
      const type = sequence(types);
      const numeric = numericName(type.element);
      if (numeric === undefined) throw new InternalError(`${name} was made for another type`);
      return overElements(name, type, numericAggregate(which, numeric));
    },
  };
}

function extremeFactory(name: string, which: 'min' | 'max'): FunctionFactory {
  return {
    name,
    parameters: [setOrList],
    make(types) {
      const type = sequence(types);
      return overElements(name, type, extremeAggregate(which, type.element));
    },
  };
}

/** map_keys and map_values: a part of each entry. */
function mapFactory(name: string, isKeys: boolean): FunctionFactory {
  return {
    name,
    parameters: [anyMap],
    make([type]) {
      if (type?.kind !== 'map') throw new InternalError(`${name} was made for another type`);
      const result: CqlType = isKeys
        ? { kind: 'set', element: type.key, frozen: true }
        : { kind: 'list', element: type.value, frozen: true };
      return scalar(name, [type], result, ([bytes]) => {
        if (bytes === null || bytes === undefined || bytes.length === 0) return null;
        const entries = splitMap(bytes);
        if (!isKeys) return serializeList(entries.map(([, value]) => value));
        return serializeSet(
          type.key,
          entries.map(([key]) => key),
        );
      });
    },
  };
}

/** Functions on collections. Spec: org.apache.cassandra.cql3.functions.CollectionFcts. */
export const COLLECTION_FACTORIES: readonly FunctionFactory[] = [
  mapFactory('map_keys', true),
  mapFactory('map_values', false),
  {
    name: 'collection_count',
    parameters: [anyCollection],
    make([type = native('blob')]) {
      return scalar('collection_count', [type], native('int'), ([bytes]) => {
        if (bytes === null || bytes === undefined || bytes.length < 4) return null;
        return bytes.slice(0, 4);
      });
    },
  },
  extremeFactory('collection_min', 'min'),
  extremeFactory('collection_max', 'max'),
  numericFactory('collection_sum', 'sum'),
  numericFactory('collection_avg', 'avg'),
];
