import { ProtocolError } from '../errors/index.ts';
import type { Reader } from './reader.ts';
import type { Writer } from './writer.ts';

/** What happened to a part of the schema. */
export type SchemaChangeKind = 'CREATED' | 'UPDATED' | 'DROPPED';

/** The part of the schema it happened to. */
export type SchemaChangeTarget = 'KEYSPACE' | 'TABLE' | 'TYPE' | 'FUNCTION' | 'AGGREGATE';

/** A change of the schema, as RESULT or EVENT. Spec: native_protocol_v4 4.2.5.5. */
export interface SchemaChange {
  readonly change: SchemaChangeKind;
  readonly target: SchemaChangeTarget;
  readonly keyspace: string;
  /** Name of the table, type, function or aggregate; not for a keyspace. */
  readonly name?: string;
  /** CQL types of the arguments; only for functions and aggregates. */
  readonly args?: readonly string[];
}

const CHANGES: ReadonlySet<string> = new Set<SchemaChangeKind>(['CREATED', 'UPDATED', 'DROPPED']);

/**
 * Reads <change_type><target><options>.
 *
 * @throws ProtocolError for a change or target that does not exist
 */
export function readSchemaChange(reader: Reader): SchemaChange {
  const change = reader.readString();
  if (!isChange(change)) {
    throw new ProtocolError('PROTOCOL_VALUE', `a schema change of kind ${quote(change)}`);
  }
  const target = reader.readString();
  const keyspace = reader.readString();
  switch (target) {
    case 'KEYSPACE':
      return { change, target, keyspace };
    case 'TABLE':
    case 'TYPE':
      return { change, target, keyspace, name: reader.readString() };
    case 'FUNCTION':
    case 'AGGREGATE': {
      const name = reader.readString();
      return { change, target, keyspace, name, args: reader.readStringList() };
    }
    default:
      throw new ProtocolError('PROTOCOL_VALUE', `a schema change of target ${quote(target)}`);
  }
}

/**
 * Writes <change_type><target><options>. v3 knows no functions and aggregates: there the keyspace was updated, as
 * Cassandra says it.
 *
 * @throws InvalidRequestError if something does not fit
 */
export function writeSchemaChange(writer: Writer, change: SchemaChange, version: number): void {
  const isFunction = change.target === 'FUNCTION' || change.target === 'AGGREGATE';
  if (isFunction && version < 4) {
    writer.writeString('UPDATED');
    writer.writeString('KEYSPACE');
    writer.writeString(change.keyspace);
    return;
  }
  writer.writeString(change.change);
  writer.writeString(change.target);
  writer.writeString(change.keyspace);
  if (change.target === 'KEYSPACE') return;
  writer.writeString(change.name ?? '');
  if (isFunction) writer.writeStringList(change.args ?? []);
}

function isChange(text: string): text is SchemaChangeKind {
  return CHANGES.has(text);
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 40));
}
