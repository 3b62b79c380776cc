import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ProtocolError } from '../../src/errors/index.ts';
import * as wire from '../../src/wire/index.ts';
import { bytes } from '../unit/wire/byte_builder.ts';

type Decoder = readonly [name: string, decode: (body: Buffer, version: number) => unknown];

const decoders: readonly Decoder[] = [
  ['STARTUP', wire.decodeStartup],
  ['SUPPORTED', wire.decodeSupported],
  ['REGISTER', wire.decodeRegister],
  ['AUTHENTICATE', wire.decodeAuthenticate],
  ['AUTH_RESPONSE', wire.decodeAuthResponse],
  ['PREPARE', wire.decodePrepare],
  ['QUERY', wire.decodeQuery],
  ['EXECUTE', wire.decodeExecute],
  ['BATCH', wire.decodeBatch],
  ['EVENT', wire.decodeEvent],
  ['ERROR', wire.decodeError],
  ['RESULT', readResult],
  ['a type', (body) => wire.readTypeOption(new wire.Reader(body))],
  ['a request prefix', (body, version) => wire.decodeRequestPrefix({ version, flags: 4, body })],
  ['a response prefix', (body, version) => wire.decodeResponsePrefix({ version, flags: 14, body })],
  ['LZ4', (body) => wire.decompressBody('lz4', body, 100_000)],
  ['Snappy', (body) => wire.decompressBody('snappy', body, 100_000)],
];

/** Reads a RESULT to its last cell. */
function readResult(body: Buffer, version: number): unknown {
  const result = wire.decodeResult(body, version);
  if (result.kind !== 'rows') return result;
  const count = result.rowCount * result.metadata.columnCount;
  for (let i = 0; i < count; i++) result.rows.readBytes();
  return result;
}

/** Whatever the bytes are: a value or a ProtocolError. */
function valueOrProtocolError(action: () => unknown): void {
  try {
    action();
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
  }
}

const version = fc.constantFrom(3, 4);

/** Mostly the bytes that decide something: small numbers, signs, ids of types. */
const hostile = fc
  .array(
    fc.oneof(
      fc.constantFrom('00', '0000', '0001', '00000000', '00000001', '00000002', '00000004'),
      fc.constantFrom(
        '7fffffff',
        '80000000',
        'ffffffff',
        'fffffffe',
        'ffff',
        '0020',
        '0021',
        '0030',
      ),
      fc.constantFrom('0031', '0009', "0001 'a'", "0007 'CREATED'", "0005 'TABLE'", 'c3', 'ff'),
      fc.uint8Array({ maxLength: 6 }).map((array) => Buffer.from(array).toString('hex')),
    ),
    { maxLength: 24 },
  )
  .map((parts) => bytes(...parts));

interface Vector {
  readonly name: string;
  readonly bytes: readonly string[];
}

const known = (
  JSON.parse(readFileSync(new URL('../vectors/wire/messages.json', import.meta.url), 'utf8')) as {
    vectors: Vector[];
  }
).vectors.map((vector) => bytes(...vector.bytes));

/** A message of the specification with some bytes overwritten. */
const damaged = fc
  .tuple(
    fc.constantFrom(...known),
    fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 4 }),
  )
  .map(([message, changes]) => {
    const copy = Buffer.from(message);
    for (const [at, byte] of changes) if (copy.length > 0) copy[at % copy.length] = byte;
    return copy;
  });

describe('whatever a peer sends', () => {
  it.each(decoders)('%s ends in a value or a ProtocolError', (_name, decode) => {
    fc.assert(
      fc.property(fc.oneof(hostile, damaged), version, (body, v) => {
        valueOrProtocolError(() => decode(body, v));
      }),
      { numRuns: 300 },
    );
  });

  it('a name of a Java class is a type or opaque', () => {
    const token = fc.constantFrom(
      ...[
        'ListType',
        'MapType',
        'UserType',
        'TupleType',
        'VectorType',
        'FrozenType',
        'Int32Type',
      ].map((name) => `org.apache.cassandra.db.marshal.${name}`),
      ...['(', ')', ',', ' ', ':', '3', '61', 'ks', 'é'],
    );
    fc.assert(
      fc.property(fc.array(token, { maxLength: 20 }), (tokens) => {
        const type = wire.parseJavaClassName(tokens.join(''));
        if (type !== undefined) {
          // What was understood is written so that it is understood as the same.
          const again = wire.parseJavaClassName(wire.javaClassName(type));
          expect(again === undefined ? undefined : wire.javaClassName(again)).toBe(
            wire.javaClassName(type),
          );
        }
      }),
    );
  });
});

describe('a stream of envelopes', () => {
  const message = fc.record({
    version,
    isResponse: fc.constant(false),
    flags: fc.nat(31),
    streamId: fc.integer({ min: -32768, max: 32767 }),
    opcode: fc.nat(255),
    body: fc.uint8Array({ maxLength: 60 }).map((array) => Buffer.from(array)),
  });

  function newAssembler() {
    return new wire.EnvelopeAssembler({
      maxBodyBytes: 100,
      direction: 'request',
      acceptVersion: (v) => v === 3 || v === 4,
    });
  }

  function cutAt(stream: Buffer, cuts: readonly number[]): Buffer[] {
    const places = [...new Set(cuts.map((cut) => cut % (stream.length + 1)))].sort((a, b) => a - b);
    return [0, ...places].map((from, i) => stream.subarray(from, places[i] ?? stream.length));
  }

  it('comes out as it went in, wherever it is split', () => {
    fc.assert(
      fc.property(
        fc.array(message, { maxLength: 6 }),
        fc.array(fc.nat(), { maxLength: 12 }),
        (sent, cuts) => {
          const stream = Buffer.concat(sent.map((m) => wire.encodeEnvelope(m, m.body)));
          const assembler = newAssembler();
          const received = cutAt(stream, cuts).flatMap((chunk) => assembler.push(chunk));
          expect(received).toEqual(sent);
          expect(assembler.pendingBytes).toBe(0);
        },
      ),
    );
  });

  it('gives the same envelopes and the same error, wherever garbage is split', () => {
    const garbage = fc.tuple(fc.array(message, { maxLength: 2 }), fc.uint8Array({ maxLength: 40 }));
    fc.assert(
      fc.property(garbage, fc.array(fc.nat(), { maxLength: 8 }), ([sent, tail], cuts) => {
        const stream = Buffer.concat([...sent.map((m) => wire.encodeEnvelope(m, m.body)), tail]);
        const run = (chunks: readonly Buffer[]) => {
          const assembler = newAssembler();
          const envelopes: wire.Envelope[] = [];
          for (const chunk of chunks) {
            valueOrProtocolError(() => envelopes.push(...assembler.push(chunk)));
          }
          return { envelopes, error: assembler.error?.message, pending: assembler.pendingBytes };
        };
        expect(run(cutAt(stream, cuts))).toEqual(run([stream]));
      }),
    );
  });
});
