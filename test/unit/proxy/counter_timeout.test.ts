import { describe, expect, it } from 'vitest';
import { counterTimeout } from '../../../src/proxy/counter_timeout.ts';

const extra = (hex: string, writeType: string): Buffer =>
  Buffer.concat([
    Buffer.from(hex, 'hex'),
    Buffer.from([0, writeType.length]),
    Buffer.from(writeType),
  ]);

describe('a write timeout of an increment', () => {
  it('says COUNTER and the consistency of the client', () => {
    // SERIAL, one of two, CAS
    const error = { code: 0x1100, message: 'm', extra: extra('00080000000100000002', 'CAS') };
    expect(counterTimeout(error, 4)).toEqual({
      ...error,
      extra: extra('00040000000100000002', 'COUNTER'),
    });
  });

  it('is an error of its own when it is cut', () => {
    const error = { code: 0x1100, message: 'm', extra: Buffer.from([0, 8]) };
    expect(() => counterTimeout(error, 4)).toThrow('malformed write timeout');
  });
});
