/** The last line of a process' chain at one moment, kept outside the directory of the log. */
export interface AuditHead {
  /** UUID text. */
  readonly processId: string;
  /** Number of the line. */
  readonly seq: number;
  /** MAC of the line, 32 bytes. */
  readonly lineMac: Uint8Array;
  /** MAC of the head, 32 bytes. */
  readonly headMac: Uint8Array;
  readonly atMs: number;
}

/** Where heads are kept: in Cassandra, so that who can cut the log off cannot put an older head beside it. */
export interface AuditHeadStore {
  /** Makes the table where it is missing. */
  prepare(): Promise<void>;
  /** Replaces the head of a process. */
  put(clusterId: Uint8Array, head: AuditHead): Promise<void>;
  list(clusterId: Uint8Array): Promise<readonly AuditHead[]>;
}

/** Where the chain of a process begins after `audit prune`. */
export interface AuditStart {
  /** UUID text. */
  readonly processId: string;
  /** Number of the first line that is kept. */
  readonly seq: number;
  /** MAC of the line before it, 32 bytes. */
  readonly lastMac: Uint8Array;
  /** MAC of the start point, 32 bytes. */
  readonly startMac: Uint8Array;
}

/** Where start points are kept: with the heads. */
export interface AuditStartStore {
  listStarts(clusterId: Uint8Array): Promise<readonly AuditStart[]>;
  /** Replaces the start point of a process; durable when the promise resolves. */
  putStart(clusterId: Uint8Array, start: AuditStart): Promise<void>;
  /** Removes head and start point of a process of which no line is kept. */
  forget(clusterId: Uint8Array, processId: string): Promise<void>;
}

/** 16 bytes of a UUID. */
export function uuidBytes(uuid: string): Buffer {
  return Buffer.from(uuid.replaceAll('-', ''), 'hex');
}
