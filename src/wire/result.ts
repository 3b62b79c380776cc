import { ProtocolError } from '../errors/index.ts';
import { ResultKind } from './constants.ts';
import type { PreparedResult } from './prepared.ts';
import { readPrepared } from './prepared.ts';
import { Reader } from './reader.ts';
import type { RowsMetadata } from './rows.ts';
import { readRowCount, readRowsMetadata } from './rows.ts';
import type { SchemaChange } from './schema_change.ts';
import { readSchemaChange, writeSchemaChange } from './schema_change.ts';
import { Writer } from './writer.ts';

/** A RESULT without content. */
export interface VoidResult {
  readonly kind: 'void';
}

/** A RESULT of rows. */
export interface RowsResult {
  readonly kind: 'rows';
  readonly metadata: RowsMetadata;
  readonly rowCount: number;
  /** Stands before the first of `rowCount * metadata.columnCount` cells, each one [bytes]. */
  readonly rows: Reader;
}

/** The keyspace of the connection changed. */
export interface SetKeyspaceResult {
  readonly kind: 'set_keyspace';
  readonly keyspace: string;
}

/** A statement was prepared. */
export interface PreparedStatementResult {
  readonly kind: 'prepared';
  readonly prepared: PreparedResult;
}

/** The schema was changed. */
export interface SchemaChangeResult {
  readonly kind: 'schema_change';
  readonly schemaChange: SchemaChange;
}

/** RESULT. Spec: native_protocol_v4 4.2.5. */
export type ResultMessage =
  VoidResult | RowsResult | SetKeyspaceResult | PreparedStatementResult | SchemaChangeResult;

/**
 * Reads the body of a RESULT. Of rows only the metadata; the cells are left to a reader.
 *
 * @throws ProtocolError
 */
export function decodeResult(body: Buffer, version: number): ResultMessage {
  const reader = new Reader(body);
  const kind = reader.readInt();
  switch (kind) {
    case ResultKind.VOID:
      return { kind: 'void' };
    case ResultKind.ROWS: {
      const metadata = readRowsMetadata(reader);
      const rowCount = readRowCount(reader, metadata.columnCount);
      return { kind: 'rows', metadata, rowCount, rows: reader };
    }
    case ResultKind.SET_KEYSPACE:
      return { kind: 'set_keyspace', keyspace: reader.readString() };
    case ResultKind.PREPARED:
      return { kind: 'prepared', prepared: readPrepared(reader, version) };
    case ResultKind.SCHEMA_CHANGE:
      return { kind: 'schema_change', schemaChange: readSchemaChange(reader) };
    default:
      throw new ProtocolError('PROTOCOL_VALUE', `a result of kind ${kind}`);
  }
}

/** Makes the body of a RESULT without content. */
export function encodeVoidResult(): Buffer {
  const writer = new Writer(4);
  writer.writeInt(ResultKind.VOID);
  return writer.toBuffer();
}

/** Makes the body of a RESULT that sets the keyspace. */
export function encodeSetKeyspaceResult(keyspace: string): Buffer {
  const writer = new Writer();
  writer.writeInt(ResultKind.SET_KEYSPACE);
  writer.writeString(keyspace);
  return writer.toBuffer();
}

/** Makes the body of a RESULT about a change of the schema. */
export function encodeSchemaChangeResult(change: SchemaChange, version: number): Buffer {
  const writer = new Writer();
  writer.writeInt(ResultKind.SCHEMA_CHANGE);
  writeSchemaChange(writer, change, version);
  return writer.toBuffer();
}
