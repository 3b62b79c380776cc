/** Every metric of the proxy's own, name and help. Names are part of the interface: dashboards and alerts use them. */
export const METRIC_NAMES = {
  requests: {
    name: 'cqlock_requests_total',
    help: 'Requests of clients by kind and outcome (ok, or the code of the error)',
  },
  proxySeconds: {
    name: 'cqlock_request_proxy_seconds',
    help: 'Time of a request spent in the proxy, without waiting for Cassandra',
  },
  upstreamSeconds: {
    name: 'cqlock_request_upstream_seconds',
    help: 'Time of a request spent waiting for Cassandra',
  },
  cellsEncrypted: { name: 'cqlock_cells_encrypted_total', help: 'Values encrypted' },
  cellsDecrypted: { name: 'cqlock_cells_decrypted_total', help: 'Values decrypted' },
  leases: { name: 'cqlock_leases', help: 'Leases on keys of tables held by client connections' },
  kmsCalls: {
    name: 'cqlock_kms_calls_total',
    help: 'Calls to the KMS by operation (as in the audit log) and result (ok, or the code of the error)',
  },
  kmsSeconds: { name: 'cqlock_kms_call_seconds', help: 'Duration of calls to the KMS' },
  auditEvents: {
    name: 'cqlock_audit_events_total',
    help: 'Uses of KMS keys written to the audit log',
  },
  auditFailures: {
    name: 'cqlock_audit_failures_total',
    help: 'Failed writes to the audit log',
  },
  connections: { name: 'cqlock_client_connections', help: 'Open connections of clients' },
  connectionsOpened: {
    name: 'cqlock_client_connections_opened_total',
    help: 'Connections of clients accepted since the start',
  },
  cellKeyCells: {
    name: 'cqlock_cell_key_cells',
    help: 'Values encrypted under the active cell key of a table, about; alarm well below 2^47',
  },
  cellKeyAge: {
    name: 'cqlock_cell_key_age_seconds',
    help: 'Age of the active cell key of a table',
  },
  reencryptedRows: {
    name: 'cqlock_reencryption_rows_total',
    help: 'Rows read by re-encryption in this process',
  },
  reencryptedCells: {
    name: 'cqlock_reencryption_cells_total',
    help: 'Cells written under the active cell key by re-encryption in this process',
  },
  reencryptionProgress: {
    name: 'cqlock_reencryption_progress',
    help: 'Part of the re-encryption of a table that is done, 0 to 1; only while one is under way',
  },
  rewriteProgress: {
    name: 'cqlock_rewrite_progress',
    help: 'Part of the rewrite of a table under a new key DEK that is done, 0 to 1; only while one is under way',
  },
  rotationFailures: {
    name: 'cqlock_rotation_failures_total',
    help: 'Steps of rotation or re-encryption that failed and are tried again',
  },
  bytes: {
    name: 'cqlock_bytes_total',
    help: 'Bytes by side (client, upstream) and direction, seen from the proxy',
  },
  tablesByAccess: {
    name: 'cqlock_tables_by_access',
    help: 'Encrypted tables by the state of their access (ACTIVE, INACCESSIBLE_ENCRYPTION_CREDENTIALS, …)',
  },
  inaccessibleSeconds: {
    name: 'cqlock_table_inaccessible_seconds',
    help: 'Time since the key of a table was first refused; only tables whose key is lost',
  },
  secondsUntilDrop: {
    name: 'cqlock_table_seconds_until_drop',
    help: 'Time until a table whose key is lost is backed up and dropped; negative when that is due',
  },
  notices: {
    name: 'cqlock_notices_total',
    help: 'Notices to owners of tables by event, channel and result (delivered, failed, given_up)',
  },
  keyMonitorLeader: {
    name: 'cqlock_key_monitor_leader',
    help: 'Whether this process watches the customer managed keys of the cluster (1) or not (0)',
  },
  keyProbes: {
    name: 'cqlock_key_probes_total',
    help: 'Probes of customer managed keys by result (usable, refused, unavailable, misconfigured, integrity)',
  },
  certificateExpiry: {
    name: 'cqlock_certificate_expiry_timestamp_seconds',
    help: 'When the certificate in use expires, as Unix time, by use (client, cassandra, kms_listener, kmip)',
  },
  certificateFailures: {
    name: 'cqlock_certificate_reload_failures_total',
    help: 'Changes of certificate files that could not be used, by use; the old certificates stay in force',
  },
  tlsFailures: {
    name: 'cqlock_tls_failures_total',
    help: 'Handshakes of clients that failed, by code of OpenSSL',
  },
  logins: {
    name: 'cqlock_logins_total',
    help: 'Logins of clients by result (ok, failed, limited, timeout)',
  },
} as const satisfies Record<string, { name: `cqlock_${string}`; help: string }>;
