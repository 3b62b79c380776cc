import { ProtocolError } from '../errors/index.ts';

/** A version of the native protocol that this codec reads and writes. */
export type ProtocolVersion = 3 | 4;

/** Opcodes of messages. Spec: native_protocol_v4 2.4. */
export const Opcode = {
  ERROR: 0x00,
  STARTUP: 0x01,
  READY: 0x02,
  AUTHENTICATE: 0x03,
  OPTIONS: 0x05,
  SUPPORTED: 0x06,
  QUERY: 0x07,
  RESULT: 0x08,
  PREPARE: 0x09,
  EXECUTE: 0x0a,
  REGISTER: 0x0b,
  EVENT: 0x0c,
  BATCH: 0x0d,
  AUTH_CHALLENGE: 0x0e,
  AUTH_RESPONSE: 0x0f,
  AUTH_SUCCESS: 0x10,
} as const;

/** One of the opcodes. */
export type Opcode = (typeof Opcode)[keyof typeof Opcode];

/** Consistency levels. Spec: native_protocol_v4 3, [consistency]. */
export const Consistency = {
  ANY: 0x0000,
  ONE: 0x0001,
  TWO: 0x0002,
  THREE: 0x0003,
  QUORUM: 0x0004,
  ALL: 0x0005,
  LOCAL_QUORUM: 0x0006,
  EACH_QUORUM: 0x0007,
  SERIAL: 0x0008,
  LOCAL_SERIAL: 0x0009,
  LOCAL_ONE: 0x000a,
} as const;

/** One of the consistency levels. */
export type Consistency = (typeof Consistency)[keyof typeof Consistency];

/** Flags of the envelope header. Spec: native_protocol_v4 2.2. */
export const HeaderFlag = {
  COMPRESSION: 0x01,
  TRACING: 0x02,
  CUSTOM_PAYLOAD: 0x04,
  WARNING: 0x08,
  USE_BETA: 0x10,
} as const;

/** Flags of <query_parameters>, one byte in v3 and v4. Spec: native_protocol_v4 4.1.4. */
export const QueryFlag = {
  VALUES: 0x01,
  SKIP_METADATA: 0x02,
  PAGE_SIZE: 0x04,
  PAGING_STATE: 0x08,
  SERIAL_CONSISTENCY: 0x10,
  DEFAULT_TIMESTAMP: 0x20,
  NAMES: 0x40,
} as const;

/** Flags of <metadata> in a RESULT. Spec: native_protocol_v4 4.2.5.2. */
export const RowsFlag = {
  GLOBAL_TABLE_SPEC: 0x0001,
  HAS_MORE_PAGES: 0x0002,
  NO_METADATA: 0x0004,
} as const;

/** Kinds of RESULT. Spec: native_protocol_v4 4.2.5. */
export const ResultKind = {
  VOID: 0x0001,
  ROWS: 0x0002,
  SET_KEYSPACE: 0x0003,
  PREPARED: 0x0004,
  SCHEMA_CHANGE: 0x0005,
} as const;

const CONSISTENCY_NAMES: readonly string[] = Object.keys(Consistency);

const OPCODE_NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(Opcode).map(([name, code]) => [code, name]),
);

/** Name of a consistency level, as Cassandra prints it; `undefined` for a code that does not exist. */
export function consistencyName(code: number): string | undefined {
  return CONSISTENCY_NAMES[code];
}

/** Name of an opcode; `undefined` for one that does not exist in v3 and v4. */
export function opcodeName(opcode: number): string | undefined {
  return OPCODE_NAMES.get(opcode);
}

/**
 * Whether a number off the wire is a consistency level.
 *
 * Spec: native_protocol_v4 3, [consistency].
 */
export function isConsistency(code: number): code is Consistency {
  return code >= 0 && code < CONSISTENCY_NAMES.length;
}

/**
 * Narrows a version number to one that this codec speaks.
 *
 * @throws ProtocolError for any other version
 */
export function requireVersion(version: number): ProtocolVersion {
  if (version === 4 || version === 3) return version;
  throw new ProtocolError('PROTOCOL_VERSION', `protocol version ${version} is not spoken here`);
}
