import { ID_BYTES, hmacSha256, u32, u64, zero } from './bytes.ts';
import { requireLength } from './check.ts';
import { hkdf } from './kdf.ts';
import { SivKey } from './siv_key.ts';

/** What is derived from the catalog key of a cluster. */
export interface CatalogKeys {
  /** HMAC key of records, 32 bytes. */
  readonly record: Buffer;
  /** HMAC key of the root, 32 bytes. */
  readonly root: Buffer;
  /** Key of paging states. */
  readonly paging: SivKey;
  /** HMAC key of the audit log, 32 bytes. */
  readonly audit: Buffer;
  /** Key that wraps the DEKs of backups. */
  readonly backup: SivKey;
  /** Zeroes and ends all of them. */
  dispose(): void;
}

/** Derives the keys that authenticate the catalog from its key (32 bytes) and the cluster's id. Spec: format 2 */
export function deriveCatalogKeys(catalogKey: Uint8Array, clusterId: Uint8Array): CatalogKeys {
  requireLength(catalogKey, 32, 'catalog key');
  requireLength(clusterId, ID_BYTES, 'cluster id');
  const record = hkdf(catalogKey, clusterId, 'mk/record', 32);
  const root = hkdf(catalogKey, clusterId, 'mk/root', 32);
  const audit = hkdf(catalogKey, clusterId, 'mk/audit', 32);
  const pagingBytes = hkdf(catalogKey, clusterId, 'mk/paging', 64);
  const paging = SivKey.fromBytes(pagingBytes);
  zero(pagingBytes);
  const backupBytes = hkdf(catalogKey, clusterId, 'mk/backup', 64);
  const backup = SivKey.fromBytes(backupBytes);
  zero(backupBytes);
  return {
    record,
    root,
    paging,
    audit,
    backup,
    dispose: () => {
      zero(record);
      zero(root);
      zero(audit);
      paging.dispose();
      backup.dispose();
    },
  };
}

/** A table's record as it is stored: the bytes that the MAC covers. */
export interface RecordToAuthenticate {
  /** 16 bytes. */
  readonly clusterId: Uint8Array;
  /** 16 bytes. */
  readonly tableId: Uint8Array;
  readonly version: bigint;
  /** The stored bytes, never a serialisation made again. */
  readonly body: Uint8Array;
}

/** HMAC-SHA-256 of a record under `mk/record`, 32 bytes. Spec: format 7 */
export function recordMac(recordKey: Uint8Array, record: RecordToAuthenticate): Buffer {
  requireLength(recordKey, 32, 'record key');
  requireLength(record.clusterId, ID_BYTES, 'cluster id');
  requireLength(record.tableId, ID_BYTES, 'table id');
  return hmacSha256(recordKey, [
    Buffer.from('cqlock/1/record\0', 'ascii'),
    record.clusterId,
    record.tableId,
    u64(record.version),
    u32(record.body.length),
    record.body,
  ]);
}

/** HMAC-SHA-256 of the root's bytes under `mk/root`, 32 bytes. Spec: format 7 */
export function rootMac(rootKey: Uint8Array, clusterId: Uint8Array, root: Uint8Array): Buffer {
  requireLength(rootKey, 32, 'root MAC key');
  requireLength(clusterId, ID_BYTES, 'cluster id');
  return hmacSha256(rootKey, [Buffer.from('cqlock/1/root\0', 'ascii'), clusterId, root]);
}

/** HMAC-SHA-256 of a lease of proxies under `mk/record`, 32 bytes. Spec: format 7 */
export function leaseMac(recordKey: Uint8Array, clusterId: Uint8Array, lease: Uint8Array): Buffer {
  requireLength(recordKey, 32, 'record key');
  requireLength(clusterId, ID_BYTES, 'cluster id');
  return hmacSha256(recordKey, [Buffer.from('cqlock/1/lease\0', 'ascii'), clusterId, lease]);
}
