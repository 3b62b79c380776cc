import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ProtocolError } from '../../../src/errors/index.ts';
import type { BatchMessage, QueryOptions } from '../../../src/wire/index.ts';
import * as wire from '../../../src/wire/index.ts';
import { bytes, hex, plain } from './byte_builder.ts';

interface Vector {
  readonly name: string;
  readonly message: string;
  readonly version: number;
  readonly bytes: readonly string[];
  readonly value?: unknown;
  readonly error?: string;
}

interface Codec {
  decode(body: Buffer, version: number): unknown;
  encode(message: never, version: number): Buffer;
}

const codecs: Record<string, Codec> = {
  startup: { decode: wire.decodeStartup, encode: wire.encodeStartup },
  supported: { decode: wire.decodeSupported, encode: wire.encodeSupported },
  register: { decode: wire.decodeRegister, encode: wire.encodeRegister },
  authenticate: { decode: wire.decodeAuthenticate, encode: wire.encodeAuthenticate },
  auth_response: { decode: wire.decodeAuthResponse, encode: wire.encodeAuthResponse },
  prepare: {
    decode: wire.decodePrepare,
    encode: (m: { query: string }, v) => wire.encodePrepare(m.query, v),
  },
  query: {
    decode: wire.decodeQuery,
    encode: (m: { query: string; options: QueryOptions }, v) =>
      wire.encodeQuery(m.query, m.options, v),
  },
  execute: {
    decode: wire.decodeExecute,
    encode: (m: { id: Buffer; options: QueryOptions }, v) => wire.encodeExecute(m.id, m.options, v),
  },
  batch: { decode: wire.decodeBatch, encode: (m: BatchMessage, v) => wire.encodeBatch(m, v) },
  event: { decode: wire.decodeEvent, encode: wire.encodeEvent },
  result: { decode: wire.decodeResult, encode: encodeResult },
};

function encodeResult(message: wire.ResultMessage, version: number): Buffer {
  switch (message.kind) {
    case 'void':
      return wire.encodeVoidResult();
    case 'set_keyspace':
      return wire.encodeSetKeyspaceResult(message.keyspace);
    case 'schema_change':
      return wire.encodeSchemaChangeResult(message.schemaChange, version);
    case 'prepared':
      return wire.encodePrepared(message.prepared, version);
    case 'rows':
      throw new TypeError('rows have their own test');
  }
}

function load(file: string): Vector[] {
  const url = new URL(`../../vectors/wire/${file}`, import.meta.url);
  return (JSON.parse(readFileSync(url, 'utf8')) as { vectors: Vector[] }).vectors;
}

function codec(vector: Vector): Codec {
  const found = codecs[vector.message];
  if (found === undefined) throw new TypeError(`no codec for ${vector.message}`);
  return found;
}

function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof ProtocolError) return error.code;
    throw error;
  }
  return 'no error';
}

describe('messages of the specification', () => {
  const vectors = load('messages.json');

  it.each(vectors)('$name (v$version) is decoded', (vector) => {
    const message = codec(vector).decode(bytes(...vector.bytes), vector.version);
    expect(plain(message)).toEqual(vector.value);
  });

  it.each(vectors)('$name (v$version) is encoded to the same bytes', (vector) => {
    const body = bytes(...vector.bytes);
    const message = codec(vector).decode(body, vector.version) as never;
    expect(hex(codec(vector).encode(message, vector.version))).toBe(hex(body));
  });

  it.each(vectors)('$name (v$version) is refused wherever it is cut off', (vector) => {
    const body = bytes(...vector.bytes);
    for (let length = 0; length < body.length; length++) {
      const cut = Buffer.from(body.subarray(0, length));
      expect(
        codeOf(() => codec(vector).decode(cut, vector.version)),
        `cut to ${length}`,
      ).toMatch(/^PROTOCOL_(TRUNCATED|LENGTH)$/);
    }
  });

  it.each(vectors)('$name (v$version) does not read past its own end', (vector) => {
    const body = bytes(...vector.bytes);
    const message = codec(vector).decode(Buffer.concat([body, bytes('ff')]), vector.version);
    expect(plain(message)).toEqual(vector.value);
  });
});

describe('messages that break a rule', () => {
  it.each(load('invalid_messages.json'))('$name is refused with $error', (vector) => {
    expect(codeOf(() => codec(vector).decode(bytes(...vector.bytes), vector.version))).toBe(
      vector.error,
    );
  });
});

describe('differences of v3', () => {
  it('takes every negative length for null, as Cassandra does', () => {
    const body = bytes("00000001 'q' 0001 01 0002 fffffffe ffffff00");
    expect(wire.decodeQuery(body, 3).options.values).toEqual([null, null]);
  });

  it('has no unset values to send', () => {
    const options = wire.decodeQuery(bytes("00000001 'q' 0001 01 0001 fffffffe"), 4).options;
    expect(() => wire.encodeExecute(bytes('01'), options, 3)).toThrow(/unset/);
    const batch: BatchMessage = {
      type: 0,
      children: [{ kind: 'query', query: 'q', values: [wire.UNSET] }],
      consistency: 1,
      serialConsistency: undefined,
      defaultTimestamp: undefined,
    };
    expect(() => wire.encodeBatch(batch, 3)).toThrow(/unset/);
  });

  it('tells of a changed function as of an updated keyspace', () => {
    const body = wire.encodeEvent(
      {
        type: 'SCHEMA_CHANGE',
        schemaChange: {
          change: 'CREATED',
          target: 'FUNCTION',
          keyspace: 'ks',
          name: 'f',
          args: [],
        },
      },
      3,
    );
    expect(hex(body)).toBe(
      hex(bytes("000d 'SCHEMA_CHANGE' 0007 'UPDATED' 0008 'KEYSPACE' 0002 'ks'")),
    );
  });
});

describe('fields that do not matter', () => {
  it('steps over the page size of a batch, not over its paging state', () => {
    const body = bytes('00 0000 0001 1e 00000064 00000002 aabb 0009');
    expect(plain(wire.decodeBatch(body, 4))).toEqual({
      type: 0,
      children: [],
      consistency: 1,
      serialConsistency: 9,
      pagingState: '0xaabb',
    });
  });

  it('takes the flag for names without values for nothing', () => {
    const { options } = wire.decodeQuery(bytes("00000001 'q' 0001 40"), 4);
    expect(options.values).toEqual([]);
    expect(options.names).toBeUndefined();
  });

  it('takes a paging state of null for none', () => {
    const { options } = wire.decodeQuery(bytes("00000001 'q' 0001 08 ffffffff"), 4);
    expect(options.pagingState).toBeUndefined();
  });
});

describe('what does not fit is refused', () => {
  const none: QueryOptions = {
    consistency: 1,
    values: [],
    names: undefined,
    skipMetadata: false,
    pageSize: undefined,
    pagingState: undefined,
    serialConsistency: undefined,
    defaultTimestamp: undefined,
  };

  it('more than 65,535 values', () => {
    const values = new Array<null>(65_536).fill(null);
    expect(() => wire.encodeExecute(bytes('01'), { ...none, values }, 4)).toThrow(/65536/);
  });

  it('an id above 65,535 bytes', () => {
    expect(() => wire.encodeExecute(Buffer.alloc(65_536), none, 4)).toThrow(/65536/);
  });

  it('a timestamp above 64 bits', () => {
    const options = { ...none, defaultTimestamp: 2n ** 63n };
    expect(() => wire.encodeQuery('q', options, 4)).toThrow(/64 bits/);
  });

  it('names that do not match the values', () => {
    const options = { ...none, names: ['a'] };
    expect(() => wire.encodeQuery('q', options, 4)).toThrow(/names/);
  });
});

describe('ERROR', () => {
  it('keeps what follows the message', () => {
    const body = bytes("00002500 0004 'gone' 0002 cafe");
    const error = wire.decodeError(body);
    expect(plain(error)).toEqual({ code: 0x2500, message: 'gone', extra: '0x0002cafe' });
    expect(hex(wire.encodeError(error))).toBe(hex(body));
  });

  it('is sent with a message that is cut when it is too long for its field', () => {
    const body = wire.encodeError({ code: 0, message: '€'.repeat(65_536), extra: bytes('01') });
    const { message, extra } = wire.decodeError(body);
    expect(message).toBe('€'.repeat(21_845));
    expect(hex(extra)).toBe('01');
  });

  it('says which versions are spoken in the words that drivers look for', () => {
    expect(hex(wire.unsupportedVersionBody(66))).toBe(
      hex(
        bytes(
          '0000000a 0051',
          "'Invalid or unsupported protocol version (66); supported versions are (3/v3, 4/v4)'",
        ),
      ),
    );
  });
});

describe('READY and tokens', () => {
  it('READY is empty', () => {
    expect(wire.encodeReady()).toHaveLength(0);
  });

  it.each([
    ['AUTH_CHALLENGE', wire.encodeAuthChallenge, wire.decodeAuthChallenge],
    ['AUTH_SUCCESS', wire.encodeAuthSuccess, wire.decodeAuthSuccess],
  ])('%s carries [bytes]', (_name, encode, decode) => {
    expect(hex(encode(bytes('aabb')))).toBe('00000002aabb');
    expect(hex(encode(null))).toBe('ffffffff');
    expect(decode(bytes('00000002aabb'))).toEqual(bytes('aabb'));
    expect(decode(bytes('ffffffff'))).toBeNull();
  });
});
