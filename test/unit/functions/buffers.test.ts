import { describe, expect, it } from 'vitest';
import { negate, resolveFunction, typedArgument } from '../../../src/functions/index.ts';
import { native } from '../../../src/values/index.ts';

// Arguments are views of a page of rows, and Buffer's slice() gives a view of a view.
const context = {
  nowMs: () => 0,
  randomBytes: () => Buffer.alloc(0),
  nextTimeuuid: () => Buffer.alloc(16),
};

describe('bytes of arguments', () => {
  it('are left as they are by negation', () => {
    const bytes = Buffer.from('3fc00000', 'hex');
    const negation = negate(typedArgument(native('float'), 'f'), undefined);
    const result = negation.call([bytes], context);
    expect(Buffer.from(result ?? []).toString('hex')).toBe('bfc00000');
    expect(bytes.toString('hex')).toBe('3fc00000');
  });

  it('are copied by max, which keeps them over pages', () => {
    const max = resolveFunction({
      keyspace: undefined,
      name: 'max',
      args: [typedArgument(native('text'), 't')],
      receiver: undefined,
    });
    if (max?.kind !== 'aggregate') throw new TypeError('max is an aggregate');
    const running = max.start();
    const bytes = Buffer.from('b');
    running.add([bytes]);
    bytes.fill(0);
    expect(Buffer.from(running.result() ?? []).toString()).toBe('b');
  });
});
