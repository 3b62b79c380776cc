import fc from 'fast-check';
import { createRequire } from 'node:module';
import { describe, expect, it } from 'vitest';
import type { BoundValue, ColumnSpec, QueryOptions } from '../../src/wire/index.ts';
import * as wire from '../../src/wire/index.ts';
import type { CqlType, NativeTypeName } from '../../src/values/index.ts';
import { native } from '../../src/values/index.ts';

/*
 * The second source: what the driver of the same language writes and reads. Its inner classes have no types.
 */
interface DriverRequest {
  write(encoder: unknown, streamId: number): Buffer;
}
interface DriverReader {
  offset: number;
  readMetadata(kind: number): {
    columns: { ksname: string; tablename: string; name: string; type: { code: number } }[];
    partitionKeys?: number[];
    pageState?: Buffer;
  };
  readInt(): number;
  readBytes(): Buffer | null;
  readShortBytes(): Buffer;
  readType(): { code: number; info: unknown };
}
type Constructor<T> = new (...args: readonly unknown[]) => T;

const require = createRequire(import.meta.url);
interface Requests {
  readonly ExecuteRequest: Constructor<DriverRequest>;
  readonly QueryRequest: Constructor<DriverRequest>;
  readonly BatchRequest: Constructor<DriverRequest>;
}
const { ExecuteRequest, QueryRequest, BatchRequest } =
  require('cassandra-driver/lib/requests') as Requests;
const { FrameReader } = require('cassandra-driver/lib/readers') as {
  FrameReader: Constructor<DriverReader>;
};
const { types } = require('cassandra-driver') as {
  types: { Long: { fromString(text: string): unknown } };
};

/** Values are bytes already. */
const encoderFor = (protocolVersion: number) => ({
  protocolVersion,
  encode: (value: unknown) => value,
});

const bytesArb = fc.uint8Array({ maxLength: 40 }).map((array) => Buffer.from(array));
const valueArb = fc.oneof({ weight: 4, arbitrary: bytesArb }, fc.constant<BoundValue>(null));
const consistencyArb = fc.integer({ min: 1, max: 10 });
const optionsArb: fc.Arbitrary<QueryOptions> = fc.record({
  consistency: consistencyArb,
  values: fc.array(valueArb, { maxLength: 6 }),
  names: fc.constant(undefined),
  skipMetadata: fc.constant(false),
  pageSize: fc.option(fc.integer({ min: 1, max: 100_000 }), { nil: undefined }),
  pagingState: fc.option(
    fc.uint8Array({ minLength: 1, maxLength: 30 }).map((array) => Buffer.from(array)),
    { nil: undefined },
  ),
  serialConsistency: fc.option(fc.constantFrom(8, 9), { nil: undefined }),
  defaultTimestamp: fc.option(fc.bigInt({ min: -(2n ** 63n) + 1n, max: 2n ** 63n - 1n }), {
    nil: undefined,
  }),
});

/** The driver's own options, with what the codec knows of them. */
function driverOptions(options: QueryOptions) {
  const { defaultTimestamp } = options;
  return {
    getOrGenerateTimestamp: () =>
      defaultTimestamp === undefined ? null : types.Long.fromString(defaultTimestamp.toString()),
    getConsistency: () => options.consistency,
    isQueryTracing: () => false,
    getCustomPayload: () => undefined,
    getFetchSize: () => options.pageSize ?? 0,
    getPageState: () => options.pagingState,
    getSerialConsistency: () => options.serialConsistency,
    getHints: () => undefined,
    getKeyspace: () => undefined,
    isBatchCounter: () => false,
    isBatchLogged: () => false,
  };
}

describe.each([3, 4])('the driver in protocol v%d', (version) => {
  const encoder = encoderFor(version);
  const body = (request: DriverRequest) => request.write(encoder, 1).subarray(9);

  it('writes the same EXECUTE, and it is read back', () => {
    fc.assert(
      fc.property(bytesArb, optionsArb, (id, options) => {
        const meta = { columns: [] };
        const written = body(
          new ExecuteRequest('', id, options.values, driverOptions(options), meta),
        );
        expect(wire.encodeExecute(id, options, version)).toEqual(written);
        expect(wire.decodeExecute(written, version)).toEqual({ id, options });
      }),
    );
  });

  it('writes the same QUERY, also with names, and it is read back', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme' }),
        optionsArb,
        fc.boolean(),
        (query, base, named) => {
          const withNames = named && base.values.length > 0;
          const names = withNames ? base.values.map((_, i) => `n${i}`) : undefined;
          const options = { ...base, names };
          const params = withNames
            ? base.values.map((value, i) => ({ name: `n${i}`, value }))
            : base.values;
          const written = body(new QueryRequest(query, params, driverOptions(options), withNames));
          expect(wire.encodeQuery(query, options, version)).toEqual(written);
          expect(wire.decodeQuery(written, version)).toEqual({ query, options });
        },
      ),
    );
  });

  it('writes the same BATCH, and it is read back', () => {
    const child = fc.oneof(
      fc.record({
        kind: fc.constant('query' as const),
        query: fc.string(),
        values: fc.array(valueArb, { maxLength: 3 }),
      }),
      fc.record({
        kind: fc.constant('prepared' as const),
        id: bytesArb,
        values: fc.array(valueArb, { maxLength: 3 }),
      }),
    );
    fc.assert(
      fc.property(
        fc.array(child, { minLength: 1, maxLength: 5 }),
        optionsArb,
        (children, options) => {
          const queries = children.map((c) => ({
            query: c.kind === 'query' ? c.query : undefined,
            queryId: c.kind === 'prepared' ? c.id : undefined,
            params: c.values,
            meta: { columns: c.values.map(() => ({ type: null })) },
          }));
          const withHints = { ...driverOptions(options), getHints: () => [] };
          const written = body(new BatchRequest(queries, withHints));
          const batch: wire.BatchMessage = {
            type: wire.BatchType.UNLOGGED,
            children,
            consistency: options.consistency,
            serialConsistency: options.serialConsistency,
            defaultTimestamp: options.defaultTimestamp,
          };
          expect(wire.encodeBatch(batch, version)).toEqual(written);
          expect(wire.decodeBatch(written, version)).toEqual(batch);
        },
      ),
    );
  });

  const natives: readonly NativeTypeName[] = [
    ...([
      'ascii',
      'bigint',
      'blob',
      'boolean',
      'decimal',
      'double',
      'inet',
      'int',
      'text',
    ] as const),
    ...(['timestamp', 'timeuuid', 'uuid', 'varint'] as const),
  ];
  const columnsArb: fc.Arbitrary<ColumnSpec[]> = fc.array(
    fc.record({
      keyspace: fc.constantFrom('k', 'l'),
      table: fc.constantFrom('t', 'u'),
      name: fc.string({ maxLength: 5 }),
      type: fc.constantFrom(...natives).map((name): CqlType => native(name)),
    }),
    { minLength: 1, maxLength: 4 },
  );

  it('reads the rows that are written, and they are read back', () => {
    fc.assert(
      fc.property(
        columnsArb,
        fc.option(bytesArb, { nil: undefined }),
        fc.array(fc.option(bytesArb, { nil: null }), { maxLength: 12 }),
        (columns, pagingState, cells) => {
          const whole = cells.slice(0, cells.length - (cells.length % columns.length));
          const writer = new wire.RowsWriter({ columns, pagingState }, version, 1);
          for (const cell of whole) writer.writeCell(cell);
          const written = writer.finish();

          const reader = new FrameReader({ version, bodyLength: written.length }, written, 4);
          const meta = reader.readMetadata(wire.ResultKind.ROWS);
          expect(meta.columns.map((c) => c.name)).toEqual(columns.map((c) => c.name));
          expect(meta.pageState).toEqual(pagingState);
          expect(reader.readInt()).toBe(whole.length / columns.length);
          expect(whole.map(() => reader.readBytes())).toEqual(whole);

          const result = wire.decodeResult(written, version);
          if (result.kind !== 'rows') throw new TypeError(result.kind);
          expect(result.metadata.columns).toEqual(columns);
          expect(whole.map(() => result.rows.readBytes())).toEqual(whole);
        },
      ),
    );
  });

  it('reads the prepared statement that is written, and it is read back', () => {
    fc.assert(
      fc.property(bytesArb, columnsArb, fc.option(columnsArb, { nil: [] }), (id, columns, rows) => {
        const isOneTable = new Set(columns.map((c) => `${c.keyspace}.${c.table}`)).size === 1;
        const partitionKeyIndices = version >= 4 && isOneTable ? [columns.length - 1] : [];
        const prepared: wire.PreparedResult = {
          id,
          variables: { columns, partitionKeyIndices },
          resultMetadata: { columns: rows },
        };
        const written = wire.encodePrepared(prepared, version);

        const reader = new FrameReader({ version, bodyLength: written.length }, written, 4);
        expect(reader.readShortBytes()).toEqual(id);
        const meta = reader.readMetadata(wire.ResultKind.PREPARED);
        expect(meta.columns.map((c) => c.name)).toEqual(columns.map((c) => c.name));
        if (version >= 4) expect(meta.partitionKeys).toEqual(partitionKeyIndices);

        expect(wire.decodeResult(written, version)).toEqual({ kind: 'prepared', prepared });
      }),
    );
  });

  it('reads the types that are written', () => {
    const { type } = fc.letrec<{ type: CqlType }>((tie) => ({
      type: fc.oneof(
        { maxDepth: 3 },
        fc.constantFrom(...natives).map((name): CqlType => native(name)),
        tie('type').map((element): CqlType => ({ kind: 'list', element, frozen: false })),
        tie('type').map((element): CqlType => ({ kind: 'set', element, frozen: false })),
        fc
          .tuple(tie('type'), tie('type'))
          .map(([key, value]): CqlType => ({ kind: 'map', key, value, frozen: false })),
        fc
          .array(tie('type'), { maxLength: 3 })
          .map((elements): CqlType => ({ kind: 'tuple', elements })),
      ),
    }));
    fc.assert(
      fc.property(type, (cqlType) => {
        const writer = new wire.Writer();
        wire.writeTypeOption(writer, cqlType, version);
        const written = writer.toBuffer();
        const reader = new FrameReader({ version, bodyLength: written.length }, written, 0);
        reader.readType();
        expect(reader.offset).toBe(written.length);
        expect(wire.readTypeOption(new wire.Reader(written))).toEqual(cqlType);
      }),
    );
  });
});
