import { recordMac, rootMac } from '../crypto/index.ts';
import type { RecordChange, RootChange } from './ports.ts';
import { recordId, serialiseRecord } from './record.ts';
import type { CatalogRecord } from './record.ts';
import type { RotationRecord } from './rotation_record.ts';
import { encodeRoot } from './root.ts';
import type { PlainTable, Root, RootEntry } from './root.ts';
import { bodyHash } from './verified_records.ts';
import type { CatalogKeys, VerifiedRecords } from './verified_records.ts';

/** What one change of the catalog does. */
export interface ChangeSet {
  /** Records to insert or replace. */
  readonly put?: readonly (CatalogRecord | RotationRecord)[];
  /** Ids (hex) of records to remove. */
  readonly remove?: readonly string[];
  /** The new list of plain tables; `undefined` keeps the old one. */
  readonly plainTables?: readonly PlainTable[];
}

/** Turns a change into one root change and its record changes, with hashes and MACs. */
export function sealChange(
  view: VerifiedRecords,
  change: ChangeSet,
): { readonly root: RootChange; readonly records: readonly RecordChange[] } {
  const entries = new Map(view.root.entries.map((entry) => [entry.recordId, entry]));
  const records: RecordChange[] = [];
  for (const record of change.put ?? []) {
    const id = recordId(record);
    const expectedVersion = entries.get(id)?.version;
    const version = (expectedVersion ?? 0n) + 1n;
    const body = serialiseRecord(record);
    const idBytes = Buffer.from(id, 'hex');
    const mac = recordMac(view.keys.record, {
      clusterId: view.clusterId,
      tableId: idBytes,
      version,
      body,
    });
    records.push({ recordId: idBytes, expectedVersion, next: { version, body, mac } });
    entries.set(id, { recordId: id, version, hash: bodyHash(body) });
  }
  for (const id of change.remove ?? []) {
    const entry = entries.get(id);
    if (entry === undefined) continue;
    records.push({
      recordId: Buffer.from(id, 'hex'),
      expectedVersion: entry.version,
      next: undefined,
    });
    entries.delete(id);
  }
  const root: Root = {
    version: view.root.version + 1n,
    entries: [...entries.values()] satisfies RootEntry[],
    plainTables: change.plainTables ?? view.root.plainTables,
    wraps: view.root.wraps,
  };
  return { root: sealRoot(view.clusterId, view.keys, root, view.root.version), records };
}

/** Encodes and authenticates a root. */
export function sealRoot(
  clusterId: Uint8Array,
  keys: CatalogKeys,
  root: Root,
  expectedVersion: bigint | undefined,
): RootChange {
  const bytes = encodeRoot(root);
  return {
    expectedVersion,
    next: { version: root.version, bytes, mac: rootMac(keys.root, clusterId, bytes) },
  };
}
