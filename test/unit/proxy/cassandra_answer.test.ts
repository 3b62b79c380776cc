import { describe, expect, it } from 'vitest';
import { UpstreamError } from '../../../src/errors/index.ts';
import {
  decodeError,
  decodeResponsePrefix,
  decodeResult,
  fromCassandra,
} from '../../../src/proxy/cassandra_answer.ts';
import { Opcode } from '../../../src/wire/index.ts';

const envelope = (flags: number, body: Buffer): Parameters<typeof decodeResponsePrefix>[0] => ({
  version: 4,
  isResponse: true,
  flags,
  streamId: 1,
  opcode: Opcode.RESULT,
  body,
});

describe('a malformed answer of Cassandra', () => {
  it.each([
    ['a result that ends too early', () => decodeResult(Buffer.of(0, 0), 4)],
    ['a result of no kind', () => decodeResult(Buffer.of(0, 0, 0, 99), 4)],
    ['an error without a message', () => decodeError(Buffer.of(0, 0, 0, 1))],
    ['a tracing id that is cut', () => decodeResponsePrefix(envelope(0x02, Buffer.alloc(3)))],
  ])('%s is not the fault of the client', (_name, read) => {
    expect(read).toThrow(UpstreamError);
    expect(read).toThrow('malformed');
  });

  it('other errors pass, and so do values', () => {
    expect(() =>
      fromCassandra(() => {
        throw new RangeError('x');
      }),
    ).toThrow(RangeError);
    expect(fromCassandra(() => 5)).toBe(5);
    expect(decodeResult(Buffer.of(0, 0, 0, 1), 4)).toEqual({ kind: 'void' });
  });
});
