/** The two sides of the proxy. */
export type MetricsSide = 'client' | 'upstream';

/** How one encrypted table stands. */
export interface TableAccess {
  readonly keyspace: string;
  readonly table: string;
  readonly state: string;
  /** Both `undefined` for tables whose key is not lost. */
  readonly inaccessibleSeconds: number | undefined;
  readonly secondsUntilDrop: number | undefined;
}

/** Counts what happens. Every method is cheap enough for the hot path: no promise, no allocation once a label is known. */
export interface Metrics {
  /**
   * One request of a client is answered.
   * @param kind opcode or statement kind, e.g. `execute_select`; from a small fixed set, never from client text.
   * @param outcome `ok`, or the code of the error.
   * @param proxyMs milliseconds in the proxy, without Cassandra's.
   * @param upstreamMs milliseconds of waiting for Cassandra; 0 if it was not asked.
   */
  recordRequest(kind: string, outcome: string, proxyMs: number, upstreamMs: number): void;
  /** `count` values were encrypted. */
  addCellsEncrypted(count: number): void;
  /** `count` values were decrypted. */
  addCellsDecrypted(count: number): void;
  /** Leases were taken (positive) or given back (negative). */
  addLeases(delta: number): void;
  /** One call to the KMS ended; `result` is `ok` or the code of the error. */
  recordKmsCall(operation: string, result: string, durationMs: number): void;
  /** A use of a KMS key was written to the audit log. */
  addAuditEvent(): void;
  /** A write to the audit log failed. */
  addAuditFailure(): void;
  /** A client connected (1) or is gone (-1). */
  addClientConnections(delta: 1 | -1): void;
  /** Bytes were received (`in`) or sent (`out`) by the proxy. */
  addBytes(side: MetricsSide, direction: 'in' | 'out', count: number): void;
  /** The active cell key of a table: values it has encrypted, about, and its age. */
  setCellKey(keyspace: string, table: string, cells: number, ageMs: number): void;
  /** There is no table of that name any more. */
  forgetCellKey(keyspace: string, table: string): void;
  /** Re-encryption read rows and wrote cells. */
  addReencrypted(rows: number, cells: number): void;
  /** How much of a table's re-encryption is done, 0 to 1; `undefined` when none is under way. */
  setReencryption(keyspace: string, table: string, fraction: number | undefined): void;
  /** How much of the rewrite of a table under a new key DEK is done, 0 to 1; `undefined` when none is under way. */
  setRewrite(keyspace: string, table: string, fraction: number | undefined): void;
  /** A step of rotation failed. */
  addRotationFailure(): void;
  /** Where the state of tables' access is read when metrics are asked for; before it is set, nothing is shown. */
  setTableAccess(read: () => readonly TableAccess[]): void;
  /** A notice was delivered, or not. */
  countNotice(event: string, channel: string, result: string): void;
  /** Whether this process watches the keys of the cluster. */
  setKeyMonitorLeader(isLeader: boolean): void;
  /** The KMS was asked about the keys of a table. */
  countKeyProbe(result: string): void;
  /** When the certificate for a use expires, milliseconds; undefined: there is none. */
  setCertificateExpiry(use: string, notAfterMs: number | undefined): void;
  /** Certificate files changed and could not be used. */
  countCertificateFailure(use: string): void;
  /** A client did not complete TLS; `code` is OpenSSL's. */
  countTlsFailure(code: string): void;
  /** A client logged in, or tried to; timeout: it was cut, as it had not come in. */
  countLogin(result: 'ok' | 'failed' | 'limited' | 'timeout'): void;
  /** Everything in Prometheus' text format. */
  render(): Promise<string>;
  /** Content type of {@link Metrics.render}. */
  readonly contentType: string;
}
