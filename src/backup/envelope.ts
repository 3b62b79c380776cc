import { createHash } from 'node:crypto';
import { z } from 'zod';
import { BackupError } from '../errors/index.ts';
import type { WrappedDek } from '../keys/index.ts';
import type { TableKeys } from '../schema/index.ts';
import type { BackupKey } from './backup_key.ts';

/** The keys of a backup, kept beside its chunks and written anew when keys change. Bytes are hex. */
export interface Envelope {
  readonly format: 1;
  readonly backupId: string;
  /** From 1; the catalog names the one in force. */
  readonly generation: number;
  /** Where the backup is from: what wraps are bound to. */
  readonly origin: {
    readonly clusterId: string;
    readonly tableId: string;
    readonly keyspace: string;
    readonly name: string;
  };
  /** Table keys and DEKs of the table. */
  readonly keys: TableKeys;
  readonly backupDek: {
    /** Under the catalog's key of the cluster of origin. */
    readonly catalogWrapped: string;
    /** Under a table key of `keys`; `null` when the KMS refused while it was made. */
    readonly tableWrapped: WrappedDek | null;
  };
}

const MAC_BYTES = 32;

const shape = z.looseObject({
  format: z.literal(1),
  backupId: z.string(),
  generation: z.number(),
  origin: z.looseObject({ clusterId: z.string(), tableId: z.string() }),
  keys: z.looseObject({ tableKeys: z.array(z.looseObject({})), deks: z.array(z.looseObject({})) }),
  backupDek: z.looseObject({
    catalogWrapped: z.string(),
    tableWrapped: z.looseObject({ wrapped: z.string() }).nullable(),
  }),
});

/** Object of an envelope: body and its MAC under the backup DEK. Spec: backup format 5 */
export function sealEnvelope(key: BackupKey, envelope: Envelope): Buffer {
  const body = Buffer.from(JSON.stringify(envelope), 'utf8');
  return Buffer.concat([key.envelopeMac(body), body]);
}

/** SHA-256 of an object, hex. */
export function objectHash(object: Uint8Array): string {
  return createHash('sha256').update(object).digest('hex');
}

/**
 * Parses an envelope. It is NOT authenticated yet unless its hash is that of the catalog: the backup DEK is in it. After that is
 * opened, {@link checkEnvelope} does it.
 * @throws BackupError BACKUP_FORMAT
 */
export function parseEnvelope(object: Uint8Array): Envelope {
  try {
    const text = Buffer.from(object.subarray(MAC_BYTES)).toString('utf8');
    return shape.parse(JSON.parse(text)) as unknown as Envelope;
  } catch (error) {
    throw new BackupError(
      'BACKUP_FORMAT',
      'a key envelope has a format that this version of cqlock does not know, or is damaged',
      { cause: error },
    );
  }
}

/** Checks the MAC of an envelope. @throws BackupError BACKUP_INTEGRITY */
export function checkEnvelope(key: BackupKey, object: Uint8Array): void {
  key.checkEnvelope(object.subarray(MAC_BYTES), object.subarray(0, MAC_BYTES));
}

/** KMS keys that an envelope needs. */
export function keyArnsOf(keys: TableKeys): readonly string[] {
  return [...new Set([keys.keyArn, ...keys.tableKeys.map((tableKey) => tableKey.keyArn)])];
}
