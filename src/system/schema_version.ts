import { createHash } from 'node:crypto';
import type { Snapshot } from '../schema/index.ts';
import { printType } from '../values/index.ts';

/**
 * The schema version that clients see, 16 bytes: a UUID (version 8) made of Cassandra's own version and of the versions of
 * all records. It changes with every logical change, and two proxies with the same catalog show the same.
 */
export function schemaVersionOf(snapshot: Snapshot): Uint8Array {
  const parts: string[][] = [];
  for (const keyspace of snapshot.keyspaces()) {
    for (const table of keyspace.tables.values()) {
      parts.push(['table', table.keyspace, table.name, table.id, String(table.recordVersion)]);
    }
    for (const type of keyspace.types.values()) {
      const fields = type.fields.flatMap((field) => [field.name, printType(field.type)]);
      parts.push(['type', type.keyspace, type.name, ...fields]);
    }
  }
  // JSON keeps the parts apart; Maps have no order that proxies share.
  const lines = parts.map((part) => JSON.stringify(part)).sort();
  const digest = createHash('sha256')
    .update(JSON.stringify([snapshot.schemaVersion, ...lines]))
    .digest();
  const version = new Uint8Array(digest.subarray(0, 16));
  version[6] = ((version[6] ?? 0) & 0x0f) | 0x80;
  version[8] = ((version[8] ?? 0) & 0x3f) | 0x80;
  return version;
}
