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

/** 16 bytes of a UUID. */
export function uuidBytes(uuid: string): Buffer {
  return Buffer.from(uuid.replaceAll('-', ''), 'hex');
}
