/** A use of a KMS key, as `system_encryption.audit` shows it. */
export interface AuditRow {
  readonly atMs: number;
  /** Number of the line in the process' log. */
  readonly seq: number;
  /** UUID text. */
  readonly processId: string;
  readonly event: {
    readonly operation: string;
    readonly key: string | null;
    readonly target_key: string | null;
    readonly provider: string;
    readonly context: Readonly<Record<string, string>>;
    readonly keyspace: string | null;
    readonly table: string | null;
    readonly origin: string;
    readonly principal: string;
    readonly result: string;
    readonly error: string | null;
    readonly duration_ms: number;
  };
}

/** The last use of a key by this process. */
export interface KeyUseRow {
  readonly provider: string;
  readonly atMs: number;
  readonly result: string;
  readonly error: string | null;
}

/** Long work of this process, as `system_encryption.jobs` shows it. */
export interface JobRow {
  /** UUID text. */
  readonly id: string;
  readonly kind: string;
  readonly keyspace: string | undefined;
  readonly table: string | undefined;
  readonly state: string;
  readonly done: number;
  /** `undefined` where it is not known. */
  readonly total: number | undefined;
  readonly startedAtMs: number;
  readonly updatedAtMs: number;
  readonly error: string | undefined;
}

/** What the tables of `system_encryption` show beside the catalog. All of it is of this process. */
export interface EncryptionStatus {
  /** Newest first. */
  audit(): Iterable<AuditRow>;
  /** By ARN. */
  keyUse(): ReadonlyMap<string, KeyUseRow>;
  jobs(): Iterable<JobRow>;
}
