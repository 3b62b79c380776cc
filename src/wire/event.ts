import { ProtocolError } from '../errors/index.ts';
import type { InetEndpoint } from './reader.ts';
import { Reader } from './reader.ts';
import type { SchemaChange } from './schema_change.ts';
import { readSchemaChange, writeSchemaChange } from './schema_change.ts';
import { Writer } from './writer.ts';

/** A node joined, left or moved. */
export interface TopologyChangeEvent {
  readonly type: 'TOPOLOGY_CHANGE';
  /** NEW_NODE, REMOVED_NODE or MOVED_NODE. */
  readonly change: string;
  readonly node: InetEndpoint;
}

/** A node came up or went down. */
export interface StatusChangeEvent {
  readonly type: 'STATUS_CHANGE';
  /** UP or DOWN. */
  readonly change: string;
  readonly node: InetEndpoint;
}

/** The schema changed. */
export interface SchemaChangeEvent {
  readonly type: 'SCHEMA_CHANGE';
  readonly schemaChange: SchemaChange;
}

/** EVENT. Spec: native_protocol_v4 4.2.6. */
export type EventMessage = TopologyChangeEvent | StatusChangeEvent | SchemaChangeEvent;

/**
 * Reads the body of an EVENT.
 *
 * @throws ProtocolError for a type that does not exist
 */
export function decodeEvent(body: Buffer): EventMessage {
  const reader = new Reader(body);
  const type = reader.readString();
  switch (type) {
    case 'TOPOLOGY_CHANGE':
    case 'STATUS_CHANGE': {
      const change = reader.readString();
      return { type, change, node: reader.readInet() };
    }
    case 'SCHEMA_CHANGE':
      return { type, schemaChange: readSchemaChange(reader) };
    default:
      throw new ProtocolError(
        'PROTOCOL_VALUE',
        `an event of type ${JSON.stringify(type.slice(0, 40))}`,
      );
  }
}

/**
 * Makes the body of an EVENT.
 *
 * @throws InvalidRequestError if something does not fit
 */
export function encodeEvent(event: EventMessage, version: number): Buffer {
  const writer = new Writer();
  writer.writeString(event.type);
  if (event.type === 'SCHEMA_CHANGE') {
    writeSchemaChange(writer, event.schemaChange, version);
  } else {
    writer.writeString(event.change);
    writer.writeInet(event.node);
  }
  return writer.toBuffer();
}
