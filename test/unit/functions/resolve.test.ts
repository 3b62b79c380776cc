import { describe, expect, it } from 'vitest';
import {
  arithmetic,
  cast,
  resolveFunction,
  toJson,
  typedArgument,
} from '../../../src/functions/index.ts';
import { native } from '../../../src/values/index.ts';
import type { NativeTypeName } from '../../../src/values/index.ts';

const column = (type: NativeTypeName, name: string): ReturnType<typeof typedArgument> =>
  typedArgument(native(type), name);

function call(
  name: string,
  ...args: ReturnType<typeof typedArgument>[]
): ReturnType<typeof resolveFunction> {
  return resolveFunction({ keyspace: undefined, name, args, receiver: undefined });
}

describe('functions of selectors', () => {
  it('are named as Cassandra names the column', () => {
    expect(call('abs', column('int', 'i'))?.columnName(['i'])).toBe('system.abs(i)');
    expect(call('max', column('text', 't'))?.columnName(['t'])).toBe('system.max(t)');
    const sum = arithmetic('+', column('int', 'i'), column('bigint', 'b'), undefined);
    expect(sum.columnName(['i', 'b'])).toBe('i + b');
    expect(sum.result).toEqual(native('bigint'));
    expect(cast(column('int', 'i'), native('text')).columnName(['i'])).toBe('cast(i as text)');
  });

  it('a cast to the same type is the value itself', () => {
    const value = Uint8Array.of(0, 0, 0, 1);
    const context = { nowMs: () => 0, randomBytes: () => value, nextTimeuuid: () => value };
    expect(cast(column('int', 'i'), native('int')).call([value], context)).toBe(value);
  });

  it('are refused in the words of Cassandra', () => {
    expect(() => call('abs', column('text', 't'))).toThrow(
      /^Invalid call to function abs, none of its type signatures match \(known type signatures: system\.abs : \(tinyint\) -> tinyint, /,
    );
    expect(() => call('uuid', column('int', 'i'))).toThrow(
      'Invalid number of arguments in call to function system.uuid: 0 required but 1 provided',
    );
    expect(() => call('map_keys', column('int', 'i'))).toThrow(
      'Function system.map_keys requires a map argument, but found argument i of type int',
    );
    expect(() => call('from_json', column('text', 't'))).toThrow(
      'from_json() cannot be used in the selection clause of a SELECT statement',
    );
    expect(() => arithmetic('+', column('int', 'i'), column('text', 't'), undefined)).toThrow(
      "the '+' operation is not supported between i and t",
    );
    expect(() => cast(column('blob', 'x'), native('int'))).toThrow(/^Invalid call to function/);
    expect(call('nothing', column('int', 'i'))).toBeUndefined();
  });

  it('min keeps a copy of the value, not the page that it is in', () => {
    const found = call('min', column('text', 't'));
    if (found?.kind !== 'aggregate') throw new TypeError('min is an aggregate');
    const page = Uint8Array.from(Buffer.from('xxabc'));
    const state = found.start();
    state.add([page.subarray(2)]);
    page.fill(0);
    expect(Buffer.from(state.result() ?? []).toString()).toBe('abc');
  });

  it('JSON of null', () => {
    expect(toJson(native('int'), null)).toBe('null');
  });
});
