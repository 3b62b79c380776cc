import { CiphertextError, MetadataIntegrityError } from '../errors/index.ts';
import { ID_BYTES, u16, u32, zero } from './bytes.ts';
import { requireLength, requireUint } from './check.ts';
import { hkdf } from './kdf.ts';
import { sivOpenMany, sivSealMany } from './siv.ts';
import { SivKey } from './siv_key.ts';

/** Length of a wrapped DEK in bytes. */
export const WRAPPED_DEK_BYTES = 65;

const WRAP_VERSION = 1;

/** Code of what a DEK is for; part of the format. Spec: format 6 */
export const DekStructure = { key: 1, cell: 2, index: 3, backup: 4 } as const;

/** What a DEK is for. */
export type DekStructure = keyof typeof DekStructure;

/** Everything that a wrapped DEK is bound to. */
export interface DekWrapContext {
  /** 16 bytes. */
  readonly clusterId: Uint8Array;
  /** 16 bytes. */
  readonly tableId: Uint8Array;
  readonly structure: DekStructure;
  /** 0..65535. */
  readonly epoch: number;
  /** 16 bytes. */
  readonly dekId: Uint8Array;
  /** Version of the table key that wraps, 0..2^32-1. */
  readonly tableKeyVersion: number;
}

function associatedData(context: DekWrapContext): Buffer {
  requireLength(context.clusterId, ID_BYTES, 'cluster id');
  requireLength(context.tableId, ID_BYTES, 'table id');
  requireLength(context.dekId, ID_BYTES, 'DEK id');
  requireUint(context.epoch, 0xffff, 'epoch');
  requireUint(context.tableKeyVersion, 0xffffffff, 'table key version');
  return Buffer.concat([
    Buffer.from('cqlock/1/dek', 'ascii'),
    context.clusterId,
    context.tableId,
    Buffer.of(DekStructure[context.structure]),
    u16(context.epoch),
    context.dekId,
    u32(context.tableKeyVersion),
  ]);
}

function withWrapKey<T>(tableKey: Uint8Array, tableId: Uint8Array, use: (key: SivKey) => T): T {
  requireLength(tableKey, 32, 'table key');
  const bytes = hkdf(tableKey, tableId, 'tk/wrap', 64);
  const key = SivKey.fromBytes(bytes);
  zero(bytes);
  try {
    return use(key);
  } finally {
    key.dispose();
  }
}

/**
 * Wraps a DEK (32 bytes) under a table key (32 bytes).
 *
 * @returns 65 bytes: version, DEK id, tag, cipher text
 * Spec: format 6
 */
export function wrapDek(tableKey: Uint8Array, context: DekWrapContext, dek: Uint8Array): Buffer {
  requireLength(dek, 32, 'DEK');
  const components = [associatedData(context)];
  const [sealed] = withWrapKey(tableKey, context.tableId, (key) =>
    sivSealMany(key, [{ components, plaintext: dek }]),
  );
  return Buffer.concat([Buffer.of(WRAP_VERSION), context.dekId, sealed as Buffer]);
}

/**
 * Opens a wrapped DEK.
 *
 * @returns the DEK, 32 bytes in a buffer of their own; the caller zeroes them
 * @throws {@link MetadataIntegrityError} METADATA_WRAPPED_DEK when it is malformed, altered or of another context
 * Spec: format 6
 */
export function unwrapDek(
  tableKey: Uint8Array,
  context: DekWrapContext,
  wrapped: Uint8Array,
): Buffer {
  const components = [associatedData(context)];
  if (
    wrapped.length !== WRAPPED_DEK_BYTES ||
    wrapped[0] !== WRAP_VERSION ||
    Buffer.compare(wrapped.subarray(1, 17), context.dekId) !== 0
  ) {
    throw unusable();
  }
  try {
    const [dek] = withWrapKey(tableKey, context.tableId, (key) =>
      sivOpenMany(key, [{ components, sealed: wrapped.subarray(17) }], 'a wrapped key'),
    );
    return dek as Buffer;
  } catch (error) {
    if (error instanceof CiphertextError) throw unusable(error);
    throw error;
  }
}

function unusable(cause?: unknown): MetadataIntegrityError {
  return new MetadataIntegrityError(
    'METADATA_WRAPPED_DEK',
    'A wrapped data encryption key of the table failed authentication (METADATA_WRAPPED_DEK)',
    { cause },
  );
}

/**
 * The commitment of a table key: tells after an unwrap whether the KMS gave the right key.
 *
 * @returns 32 bytes
 * Spec: format 6
 */
export function tableKeyCommit(tableKey: Uint8Array, tableId: Uint8Array): Buffer {
  requireLength(tableKey, 32, 'table key');
  requireLength(tableId, ID_BYTES, 'table id');
  return hkdf(tableKey, tableId, 'tk/commit', 32);
}
