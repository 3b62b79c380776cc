import { MetadataIntegrityError } from '../errors/index.ts';

/** What the root knows of one record. */
export interface RootEntry {
  /** Hex of the 16 bytes of the row's `table_id`. */
  readonly recordId: string;
  readonly version: bigint;
  /** SHA-256 of the body, hex. */
  readonly hash: string;
}

/** A table that was there before the proxy. */
export interface PlainTable {
  readonly keyspace: string;
  readonly name: string;
  /** Cassandra's table id, 16 bytes, hex. */
  readonly id: string;
}

/** The catalog key as a KMS wrapped it. */
export interface CatalogKeyWrap {
  readonly provider: string;
  readonly keyArn: string;
  readonly blob: Uint8Array;
}

/** The root: versions and hashes of all records, the plain tables, the wraps of the catalog key. */
export interface Root {
  readonly version: bigint;
  readonly entries: readonly RootEntry[];
  readonly plainTables: readonly PlainTable[];
  readonly wraps: readonly CatalogKeyWrap[];
}

/**
 * Bytes of a root: version u64 ‖ count u32 ‖ (record id 16 ‖ version u64 ‖ hash 32)* by id ‖ count u32 ‖
 * (LP(keyspace) ‖ LP(table) ‖ id 16)* ‖ count u32 ‖ (LP(provider) ‖ LP(key ARN) ‖ LP(blob))*.
 * Spec: format root
 */
export function encodeRoot(root: Root): Uint8Array {
  const parts: Uint8Array[] = [u64(root.version), u32(root.entries.length)];
  const entries = [...root.entries].sort((a, b) => (a.recordId < b.recordId ? -1 : 1));
  for (const entry of entries) {
    parts.push(hex(entry.recordId), u64(entry.version), hex(entry.hash));
  }
  parts.push(u32(root.plainTables.length));
  for (const table of root.plainTables) {
    parts.push(lp(Buffer.from(table.keyspace)), lp(Buffer.from(table.name)), hex(table.id));
  }
  parts.push(u32(root.wraps.length));
  for (const wrap of root.wraps) {
    parts.push(lp(Buffer.from(wrap.provider)), lp(Buffer.from(wrap.keyArn)), lp(wrap.blob));
  }
  return Buffer.concat(parts);
}

/**
 * Parses a root. The bytes are not yet authenticated when the wraps are read, so every length is checked.
 * @throws MetadataIntegrityError when the bytes are no root.
 */
export function decodeRoot(bytes: Uint8Array): Root {
  const reader = new RootReader(bytes);
  const version = reader.u64();
  const entries: RootEntry[] = [];
  for (let left = reader.u32(); left > 0; left -= 1) {
    entries.push({ recordId: reader.hex(16), version: reader.u64(), hash: reader.hex(32) });
  }
  const plainTables: PlainTable[] = [];
  for (let left = reader.u32(); left > 0; left -= 1) {
    plainTables.push({ keyspace: reader.text(), name: reader.text(), id: reader.hex(16) });
  }
  const wraps: CatalogKeyWrap[] = [];
  for (let left = reader.u32(); left > 0; left -= 1) {
    wraps.push({ provider: reader.text(), keyArn: reader.text(), blob: reader.lp() });
  }
  reader.end();
  return { version, entries, plainTables, wraps };
}

class RootReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  u32(): number {
    return this.#take(4).readUInt32BE();
  }

  u64(): bigint {
    return this.#take(8).readBigUInt64BE();
  }

  hex(length: number): string {
    return this.#take(length).toString('hex');
  }

  lp(): Uint8Array {
    return this.#take(this.#take(2).readUInt16BE());
  }

  text(): string {
    return Buffer.from(this.lp()).toString('utf8');
  }

  end(): void {
    if (this.#at !== this.#bytes.length) throw malformed();
  }

  #take(length: number): Buffer {
    if (this.#bytes.length - this.#at < length) throw malformed();
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }
}

function malformed(): MetadataIntegrityError {
  return new MetadataIntegrityError('METADATA_ROOT', 'the root of the catalog is malformed');
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function u64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(value);
  return bytes;
}

function hex(text: string): Buffer {
  return Buffer.from(text, 'hex');
}

function lp(bytes: Uint8Array): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(bytes.length);
  return Buffer.concat([length, bytes]);
}
