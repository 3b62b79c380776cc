import { ProtocolError } from '../errors/index.ts';
import type { ColumnSpec } from './column_spec.ts';
import { checkCount, encodeColumns, readColumns } from './column_spec.ts';
import { ResultKind, RowsFlag } from './constants.ts';
import type { Reader } from './reader.ts';
import { readRowsMetadata } from './rows.ts';
import { Writer } from './writer.ts';

/** Bind variables of a prepared statement. */
export interface PreparedVariables {
  readonly columns: readonly ColumnSpec[];
  /** For each component of the partition key the variable that gives it; empty if not all do, and always in v3. */
  readonly partitionKeyIndices: readonly number[];
}

/** Answer to PREPARE. Spec: native_protocol_v4 4.2.5.4. */
export interface PreparedResult {
  /** A view when decoded. */
  readonly id: Buffer;
  readonly variables: PreparedVariables;
  /** No columns if the statement gives no rows. */
  readonly resultMetadata: { readonly columns: readonly ColumnSpec[] };
}

/**
 * Reads what follows the kind in a RESULT of kind PREPARED.
 *
 * @throws ProtocolError
 */
export function readPrepared(reader: Reader, version: number): PreparedResult {
  const id = reader.readShortBytes();
  const flags = reader.readInt();
  if ((flags & ~RowsFlag.GLOBAL_TABLE_SPEC) !== 0) {
    throw new ProtocolError('PROTOCOL_FLAG', `unknown flags ${flags} of the bind variables`);
  }
  const count = reader.readInt();
  const partitionKeyIndices = version >= 4 ? readIndices(reader, count) : [];
  const columns = readColumns(reader, count, flags);
  const metadata = readRowsMetadata(reader);
  if (metadata.columns === undefined && metadata.columnCount !== 0) {
    throw new ProtocolError('PROTOCOL_VALUE', 'a prepared statement has columns without metadata');
  }
  return {
    id,
    variables: { columns, partitionKeyIndices },
    resultMetadata: { columns: metadata.columns ?? [] },
  };
}

/**
 * Makes the body of a RESULT of kind PREPARED.
 *
 * As Cassandra does: no partition key if the variables are of several tables, and NO_METADATA for a statement without
 * rows.
 *
 * @throws InvalidRequestError if something does not fit
 */
export function encodePrepared(prepared: PreparedResult, version: number): Buffer {
  const writer = new Writer();
  const variables = encodeColumns(prepared.variables.columns, version);
  const result = encodeColumns(prepared.resultMetadata.columns, version);
  writer.writeInt(ResultKind.PREPARED);
  writer.writeShortBytes(prepared.id);
  writer.writeInt(variables.flags);
  writer.writeInt(variables.count);
  if (version >= 4) {
    const indices = variables.flags === 0 ? [] : prepared.variables.partitionKeyIndices;
    writer.writeInt(indices.length);
    for (const index of indices) writer.writeUnsignedShort(index);
  }
  writer.writeFixed(variables.bytes);
  writer.writeInt(result.count === 0 ? RowsFlag.NO_METADATA : result.flags);
  writer.writeInt(result.count);
  writer.writeFixed(result.bytes);
  return writer.toBuffer();
}

function readIndices(reader: Reader, variableCount: number): number[] {
  const count = reader.readInt();
  checkCount(count, 2, reader);
  const indices: number[] = [];
  for (let i = 0; i < count; i++) {
    const index = reader.readUnsignedShort();
    if (index >= variableCount) {
      throw new ProtocolError(
        'PROTOCOL_VALUE',
        `variable ${index} of ${variableCount} is not there`,
      );
    }
    indices.push(index);
  }
  return indices;
}
