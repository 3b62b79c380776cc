/**
 * The key hierarchy: KMS key → table key → data encryption keys (DEKs), and the leases that bound how long keys are used.
 *
 * `KeyService` holds the key material of the process; a client connection gets it through its `ConnectionLeases`. Table
 * keys exist in the clear only while DEKs are wrapped or unwrapped. `table_keys.ts` makes and opens what records hold;
 * `catalog_trust.ts` joins key store and KMS to what the catalog must trust.
 *
 * May import: kms (ports), schema, crypto, observability, errors, util. Start reading at key_service.ts.
 */
export { beginCellDek } from './cell_dek.ts';
export type { TableIds } from './cell_dek.ts';
export { StateDirectoryTrust } from './catalog_trust.ts';
export { KeyService } from './key_service.ts';
export type { KeyMetrics, KeyServiceOptions, KeyServicePorts } from './key_service.ts';
export { KeyTransfer, zeroDeks } from './key_transfer.ts';
export type { KeyOwner, OpenDek, WrappedDek } from './key_transfer.ts';
export type { ConnectionLeases } from './lease_set.ts';
export { KmsTableKeys } from './table_keys.ts';
export { CellDekFactory } from './cell_dek_factory.ts';
