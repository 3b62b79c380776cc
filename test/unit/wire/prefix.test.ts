import { describe, expect, it } from 'vitest';
import {
  HeaderFlag,
  decodeRequestPrefix,
  decodeResponsePrefix,
  encodeResponsePrefix,
} from '../../../src/wire/index.ts';
import { bytes, hex, plain } from './byte_builder.ts';

const uuid = '000102030405060708090a0b0c0d0e0f';

describe('before a request', () => {
  it('stands nothing without the flag', () => {
    const body = bytes('0000');
    expect(decodeRequestPrefix({ version: 4, flags: HeaderFlag.TRACING, body })).toEqual({
      customPayload: undefined,
      body,
    });
  });

  it('stands the custom payload', () => {
    const body = bytes("0002 0001 'a' 00000001 ff 0001 'b' ffffffff", 'cafe');
    const prefix = decodeRequestPrefix({ version: 4, flags: 4, body });
    expect(plain(prefix)).toEqual({ customPayload: { a: '0xff', b: null }, body: '0xcafe' });
  });

  it('stands no custom payload in v3', () => {
    expect(() => decodeRequestPrefix({ version: 3, flags: 4, body: bytes('0000') })).toThrow(
      'Received frame with CUSTOM_PAYLOAD flag for native protocol version < 4',
    );
  });
});

describe('before a response', () => {
  const whole = bytes(uuid, "0001 0001 'w'", "0001 0001 'p' 00000001 01", 'cafe');

  it('stand tracing id, warnings and custom payload, in this order', () => {
    const prefix = decodeResponsePrefix({ version: 4, flags: 0x0e, body: whole });
    expect(plain(prefix)).toEqual({
      tracingId: `0x${uuid}`,
      warnings: ['w'],
      customPayload: { p: '0x01' },
      body: '0xcafe',
    });
    const encoded = encodeResponsePrefix(prefix, bytes('cafe'), 4);
    expect(encoded.flags).toBe(0x0e);
    expect(hex(encoded.body)).toBe(hex(whole));
  });

  it.each([
    [0x02, uuid, { tracingId: `0x${uuid}` }],
    [0x08, "0001 0001 'w'", { warnings: ['w'] }],
    [0x04, "0001 0001 'p' ffffffff", { customPayload: { p: null } }],
  ])('flags %d announce each on its own', (flags, prefixBytes, value) => {
    const body = bytes(prefixBytes, 'cafe');
    const prefix = decodeResponsePrefix({ version: 4, flags, body });
    expect(plain(prefix)).toEqual({ ...value, body: '0xcafe' });
    const encoded = encodeResponsePrefix(prefix, bytes('cafe'), 4);
    expect(encoded.flags).toBe(flags);
    expect(hex(encoded.body)).toBe(hex(body));
  });

  it('are refused wherever they are cut off', () => {
    for (let length = 0; length < whole.length - 2; length++) {
      const body = whole.subarray(0, length);
      expect(() => decodeResponsePrefix({ version: 4, flags: 0x0e, body })).toThrow(
        expect.objectContaining({ code: 'PROTOCOL_TRUNCATED' }),
      );
    }
  });

  it.each([0x04, 0x08])('flag %d is not possible in v3', (flags) => {
    expect(() => decodeResponsePrefix({ version: 3, flags, body: bytes('0000') })).toThrow(
      expect.objectContaining({ code: 'PROTOCOL_FLAG' }),
    );
  });

  it('are left out in v3, but for the tracing id', () => {
    const fields = { tracingId: bytes(uuid), warnings: ['w'], customPayload: new Map() };
    const encoded = encodeResponsePrefix(fields, bytes('cafe'), 3);
    expect(encoded.flags).toBe(0x02);
    expect(hex(encoded.body)).toBe(`${uuid}cafe`);
  });

  it('are nothing for nothing, and the body is the same', () => {
    const body = bytes('cafe');
    expect(encodeResponsePrefix({ warnings: [] }, body, 4)).toEqual({ flags: 0, body });
    expect(encodeResponsePrefix({}, body, 4).body).toBe(body);
  });
});
