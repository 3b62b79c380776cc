import { describe, expect, it } from 'vitest';
import { ProtocolError } from '../../../src/errors/index.ts';
import {
  EnvelopeAssembler,
  UnsupportedVersionError,
  encodeEnvelope,
  writeEnvelopeHeader,
} from '../../../src/wire/index.ts';
import { bytes, hex, plain } from './byte_builder.ts';

function assembler(direction: 'request' | 'response' = 'request', maxBodyBytes = 64) {
  return new EnvelopeAssembler({
    maxBodyBytes,
    direction,
    acceptVersion: (version) => version === 3 || version === 4,
  });
}

function thrownBy(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  return undefined;
}

const three = bytes(
  '04 02 0001 07 00000003 aabbcc',
  '03 00 ffff 05 00000000',
  '04 08 7fff 0a 00000005 0102030405',
);
const threePlain = [
  { version: 4, isResponse: false, flags: 2, streamId: 1, opcode: 7, body: '0xaabbcc' },
  { version: 3, isResponse: false, flags: 0, streamId: -1, opcode: 5, body: '0x' },
  { version: 4, isResponse: false, flags: 8, streamId: 32767, opcode: 10, body: '0x0102030405' },
];

describe('EnvelopeAssembler', () => {
  it('reads several envelopes of one chunk without copying their bodies', () => {
    const chunk = Buffer.from(three);
    const envelopes = assembler().push(chunk);
    expect(plain(envelopes)).toEqual(threePlain);
    expect(envelopes[0]?.body.buffer).toBe(chunk.buffer);
    expect(envelopes[0]?.body.byteOffset).toBe(chunk.byteOffset + 9);
  });

  it('reads them however the stream is split in two', () => {
    for (let at = 0; at <= three.length; at++) {
      const a = assembler();
      const envelopes = [
        ...a.push(Buffer.from(three.subarray(0, at))),
        ...a.push(Buffer.from(three.subarray(at))),
      ];
      expect(plain(envelopes), `split at ${at}`).toEqual(threePlain);
      expect(a.pendingBytes).toBe(0);
    }
  });

  it('reads them however the stream is split in three', () => {
    for (let first = 0; first <= three.length; first++) {
      for (let second = first; second <= three.length; second++) {
        const a = assembler();
        const envelopes = [
          ...a.push(three.subarray(0, first)),
          ...a.push(three.subarray(first, second)),
          ...a.push(three.subarray(second)),
        ];
        expect(plain(envelopes), `split at ${first} and ${second}`).toEqual(threePlain);
      }
    }
  });

  it('reads them byte by byte, and gives each as soon as it is complete', () => {
    const a = assembler();
    const completeAt: number[] = [];
    const envelopes = [...three].flatMap((byte, index) => {
      const complete = a.push(Buffer.from([byte]));
      completeAt.push(...complete.map(() => index + 1));
      return complete;
    });
    expect(plain(envelopes)).toEqual(threePlain);
    expect(completeAt).toEqual([12, 21, 35]);
  });

  it('keeps bodies that came in pieces apart from each other', () => {
    const a = assembler();
    a.push(bytes('04 00 0001 07 00000002 aa'));
    const [first] = a.push(bytes('bb 04 00 0002 07 00000002 cc'));
    const [second] = a.push(bytes('dd'));
    expect(hex(first?.body ?? Buffer.alloc(0))).toBe('aabb');
    expect(hex(second?.body ?? Buffer.alloc(0))).toBe('ccdd');
  });

  it('takes a large body in small pieces in time that grows with its length only', () => {
    const length = 8 * 1024 * 1024;
    const a = assembler('request', length);
    const header = Buffer.alloc(9);
    writeEnvelopeHeader(
      header,
      0,
      { version: 4, isResponse: false, flags: 0, streamId: 0, opcode: 7 },
      length,
    );
    a.push(header);
    const piece = Buffer.alloc(512, 7);
    let last = a.push(piece);
    for (let sent = piece.length; sent < length; sent += piece.length) last = a.push(piece);
    expect(last).toHaveLength(1);
    expect(last[0]?.body).toHaveLength(length);
    expect(last[0]?.body.every((byte) => byte === 7)).toBe(true);
  }, 10_000);

  it('does not take memory for a length that was only announced', () => {
    const limit = 256 * 1024 * 1024;
    const all = Array.from({ length: 64 }, () => assembler('request', limit));
    const before = process.memoryUsage().arrayBuffers;
    for (const a of all) a.push(bytes('04 00 0001 07 0fffffff aa'));
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 * 1024 * 1024);
  });

  it.each([
    ['over the limit', '04 00 0001 07 00000041'],
    ['negative', '04 00 0001 07 ffffffff'],
    ['the least of all', '04 00 0001 07 80000000'],
  ])('refuses a length that is %s as soon as the header is there', (_name, header) => {
    expect(thrownBy(() => assembler().push(bytes(header)))).toMatchObject({
      code: 'PROTOCOL_MESSAGE_SIZE',
    });
    const split = assembler();
    expect(split.push(bytes(header).subarray(0, 8))).toEqual([]);
    expect(thrownBy(() => split.push(bytes(header).subarray(8)))).toMatchObject({
      code: 'PROTOCOL_MESSAGE_SIZE',
    });
    expect(split.pendingBytes).toBe(0);
  });

  it('accepts a body of exactly the limit', () => {
    const body = 'ee'.repeat(64);
    expect(assembler().push(bytes(`04 00 0001 07 00000040 ${body}`))).toHaveLength(1);
  });

  it.each([
    ['01', 1],
    ['02', 2],
    ['05', 5],
    ['41', 0x41],
    ['42', 0x42],
    ['85', 5],
    ['00', 0],
  ])('refuses the version of the first byte %s without waiting for more', (first, version) => {
    const error = thrownBy(() => assembler().push(bytes(first)));
    expect(error).toBeInstanceOf(UnsupportedVersionError);
    expect(error).toBeInstanceOf(ProtocolError);
    expect((error as UnsupportedVersionError).version).toBe(version);
    expect((error as Error).message).toBe(
      `Invalid or unsupported protocol version (${version}); supported versions are (3/v3, 4/v4)`,
    );
  });

  it('refuses the wrong direction from the first byte', () => {
    const wrong = { code: 'PROTOCOL_DIRECTION' };
    expect(thrownBy(() => assembler('request').push(bytes('84')))).toMatchObject(wrong);
    expect(thrownBy(() => assembler('response').push(bytes('04')))).toMatchObject(wrong);
    expect(assembler('response').push(bytes('84 00 0000 02 00000000'))[0]?.isResponse).toBe(true);
  });

  it('returns what was complete before an error, then throws the error', () => {
    const a = assembler();
    const envelopes = a.push(bytes('04 00 0001 05 00000000', '05'));
    expect(envelopes).toHaveLength(1);
    expect(a.error).toBeInstanceOf(UnsupportedVersionError);
    expect(thrownBy(() => a.push(Buffer.alloc(0)))).toBe(a.error);
    expect(thrownBy(() => a.push(bytes('04 00 0001 05 00000000')))).toBe(a.error);
  });

  it('begins anew after reset', () => {
    const a = assembler();
    expect(thrownBy(() => a.push(bytes('05 00 0000')))).toBe(a.error);
    a.reset();
    expect(a.error).toBeUndefined();
    expect(a.push(bytes('04 00 0001 05 00000000'))).toHaveLength(1);
    a.push(bytes('04 00'));
    a.reset();
    expect(a.pendingBytes).toBe(0);
    expect(a.push(bytes('04 00 0001 05 00000000'))).toHaveLength(1);
  });
});

describe('encodeEnvelope', () => {
  it('sets the bit for the direction and writes every field', () => {
    const header = { version: 4, isResponse: true, flags: 0x0a, streamId: -2, opcode: 8 };
    expect(hex(encodeEnvelope(header, bytes('cafe')))).toBe('840afffe0800000002cafe');
  });

  it('copies long bodies, too', () => {
    const header = { version: 3, isResponse: false, flags: 0, streamId: 258, opcode: 7 };
    const body = Buffer.from(Array.from({ length: 300 }, (_, i) => i & 0xff));
    expect(hex(encodeEnvelope(header, body))).toBe(`03000102070000012c${hex(body)}`);
  });

  it.each([-32_769, 32_768])('refuses the stream id %d', (streamId) => {
    const header = { version: 4, isResponse: true, flags: 0, streamId, opcode: 8 };
    expect(() => encodeEnvelope(header, Buffer.alloc(0))).toThrow(/stream id/);
  });

  it('refuses a header outside of its buffer', () => {
    const header = { version: 4, isResponse: true, flags: 0, streamId: 0, opcode: 8 };
    expect(() => writeEnvelopeHeader(Buffer.alloc(9), 1, header, 0)).toThrow(/no room/);
  });
});
