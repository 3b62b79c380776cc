/**
 * All cryptography: AES-256-SIV and the order part of the stored format, key derivation, wraps, MACs of the catalog,
 * the seal of key stores, tokens for clients. Normative text: docs/format.md.
 *
 * May import errors and util only. Primitives come from node:crypto; code here XORs, shifts and copies, without branch
 * or index that depends on a secret. Knows bytes, no CQL types: canonical values and order encodings come from outside.
 *
 * Everything is a batch. {@link SealBatch} and {@link OpenBatch} are the way values are written and read; they queue
 * values and run AES once a round over all of them (siv_queue.ts, siv_chunk.ts, cmac.ts, order.ts). Scratch buffers are
 * shared by the process, so no function here gives up control while it works.
 */
export {
  AUDIT_CHAIN_START,
  auditHeadMac,
  auditLineMac,
  auditNextKey,
  auditStartKey,
  auditStartPointMac,
} from './audit_chain.ts';
export { constantTimeEqual, randomId, randomSecret, zero } from './bytes.ts';
export { deriveCatalogKeys, leaseMac, recordMac, rootMac } from './catalog_keys.ts';
export type { CatalogKeys, RecordToAuthenticate } from './catalog_keys.ts';
export { pagingOpen, pagingSeal, preparedStatementId } from './client_tokens.ts';
export { CmacKey } from './cmac.ts';
export type { ColumnContext, ColumnPart, OrderBits } from './column_context.ts';
export { hkdf } from './kdf.ts';
export type { KeyLabel } from './kdf.ts';
export { openKeyStore, sealKeyStore } from './key_store_seal.ts';
export type { OpenedKeyStore } from './key_store_seal.ts';
export { DekStructure, WRAPPED_DEK_BYTES, tableKeyCommit, unwrapDek, wrapDek } from './key_wrap.ts';
export type { DekWrapContext } from './key_wrap.ts';
export { OpenBatch } from './open_batch.ts';
export type { OpenHandle } from './open_batch.ts';
export type { OpenPage, PageElements, PageParts, StoredCells } from './open_page.ts';
export { SealBatch } from './seal_batch.ts';
export type { CellHandle, ClusteringHandle, PartitionHandle, RowHandle } from './seal_batch.ts';
export { sivOpenMany, sivSealMany } from './siv.ts';
export type { SivOpenJob, SivSealJob } from './siv.ts';
export { SivKey } from './siv_key.ts';
export { CellDek, IndexDek, KeyDek, nonceOfHidden } from './table_keys.ts';
export type { OrderKeys, TableCipherKeys } from './table_keys.ts';
