import { expect, it } from 'vitest';
import { resolveFunction, toJson, typedArgument } from '../../../src/functions/index.ts';
import { native } from '../../../src/values/index.ts';

const context = {
  nowMs: () => 0,
  randomBytes: () => Buffer.alloc(0),
  nextTimeuuid: () => Buffer.alloc(16),
};
/** U+D800 alone, which Cassandra stores as a text. */
const SURROGATE = Buffer.from('eda080', 'hex');
const ONE = Buffer.from('00000001', 'hex');

it('a text that has no characters is an error where they are needed, and never read as others', () => {
  expect(() => toJson(native('text'), SURROGATE)).toThrow(/Invalid UTF-8 bytes/);
  expect(() =>
    toJson({ kind: 'map', key: native('text'), value: native('int'), frozen: true }, mapOf()),
  ).toThrow(/Invalid UTF-8 bytes/);
  const mask = resolveFunction({
    keyspace: undefined,
    name: 'mask_inner',
    args: [
      typedArgument(native('text'), 't'),
      typedArgument(native('int'), 'i'),
      typedArgument(native('int'), 'i'),
    ],
    receiver: undefined,
  });
  if (mask?.kind !== 'scalar') throw new TypeError('mask_inner is a function of values');
  expect(() => mask.call([SURROGATE, ONE, ONE], context)).toThrow(/Invalid UTF-8 bytes/);
  expect(toJson(native('text'), Buffer.from('\u{1f600}\ufeff'))).toBe('"\u{1f600}\ufeff"');
});

function mapOf(): Buffer {
  const length = Buffer.from('00000003', 'hex');
  return Buffer.concat([ONE, length, SURROGATE, Buffer.from('00000004', 'hex'), ONE]);
}
