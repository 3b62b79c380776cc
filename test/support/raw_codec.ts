/**
 * The notations of the CQL native protocol, v3 and v4, as the test programs need them. Written apart from the product's own
 * codec on purpose: it judges the product, so it must not share its mistakes.
 * Spec: native_protocol_v4.spec sections 2, 3, 4, 9.
 */

/** Opcodes of the protocol. */
export const OP = {
  error: 0x00,
  startup: 0x01,
  ready: 0x02,
  authenticate: 0x03,
  options: 0x05,
  supported: 0x06,
  query: 0x07,
  result: 0x08,
  prepare: 0x09,
  execute: 0x0a,
  register: 0x0b,
  event: 0x0c,
  batch: 0x0d,
  authChallenge: 0x0e,
  authResponse: 0x0f,
  authSuccess: 0x10,
} as const;

/** A bind value: bytes, null, or 'unset' (v4). */
export type RawValue = Uint8Array | null | 'unset';

/** A type as the protocol's [option] says it. */
export interface RawType {
  readonly id: number;
  /** Class name, for id 0 (custom). */
  readonly custom?: string;
  /** Parameters of list, set, map, tuple; field types of a UDT. */
  readonly of?: readonly RawType[];
  readonly udt?: {
    readonly keyspace: string;
    readonly name: string;
    readonly fields: readonly string[];
  };
}

/** One column of a metadata. */
export interface RawColumn {
  readonly keyspace: string;
  readonly table: string;
  readonly name: string;
  readonly type: RawType;
}

/** What a message began with besides its body: tracing id and warnings. */
export interface RawExtras {
  readonly tracingId: Buffer | null;
  readonly warnings: readonly string[];
  readonly payload: ReadonlyMap<string, Buffer | null>;
}

/** An answer of the server, read to the last byte. */
export type RawResult = RawExtras &
  (
    | { readonly kind: 'void' }
    | {
        readonly kind: 'rows';
        /** Null when the server left the metadata out. */
        readonly columns: readonly RawColumn[] | null;
        readonly columnCount: number;
        readonly pagingState: Buffer | null;
        readonly rows: readonly (readonly (Buffer | null)[])[];
      }
    | { readonly kind: 'set_keyspace'; readonly keyspace: string }
    | {
        readonly kind: 'prepared';
        readonly id: Buffer;
        readonly bind: readonly RawColumn[];
        readonly pkIndexes: readonly number[];
        readonly columns: readonly RawColumn[] | null;
      }
    | {
        readonly kind: 'schema_change';
        readonly change: string;
        readonly target: string;
        readonly keyspace: string;
        readonly name: string;
      }
    | {
        readonly kind: 'error';
        readonly code: number;
        readonly message: string;
        /** What follows the message in the body, as it came. */
        readonly details: Buffer;
      }
    | { readonly kind: 'other'; readonly opcode: number; readonly body: Buffer }
  );

/** Writes the protocol's notations into one growing buffer. */
export class RawWriter {
  private buf = Buffer.allocUnsafe(256);
  private at = 0;

  private room(bytes: number): void {
    if (this.at + bytes <= this.buf.length) return;
    const next = Buffer.allocUnsafe(Math.max(this.buf.length * 2, this.at + bytes));
    this.buf.copy(next, 0, 0, this.at);
    this.buf = next;
  }
  byte(value: number): this {
    this.room(1);
    this.buf[this.at++] = value & 0xff;
    return this;
  }
  short(value: number): this {
    this.room(2);
    this.at = this.buf.writeUInt16BE(value & 0xffff, this.at);
    return this;
  }
  int(value: number): this {
    this.room(4);
    this.at = this.buf.writeInt32BE(value | 0, this.at);
    return this;
  }
  long(value: bigint): this {
    this.room(8);
    this.at = this.buf.writeBigInt64BE(value, this.at);
    return this;
  }
  raw(bytes: Uint8Array): this {
    this.room(bytes.length);
    this.buf.set(bytes, this.at);
    this.at += bytes.length;
    return this;
  }
  string(text: string): this {
    const bytes = Buffer.from(text, 'utf8');
    return this.short(bytes.length).raw(bytes);
  }
  longString(text: string): this {
    const bytes = Buffer.from(text, 'utf8');
    return this.int(bytes.length).raw(bytes);
  }
  shortBytes(bytes: Uint8Array): this {
    return this.short(bytes.length).raw(bytes);
  }
  value(value: RawValue): this {
    if (value === null) return this.int(-1);
    if (value === 'unset') return this.int(-2);
    return this.int(value.length).raw(value);
  }
  stringMap(map: Readonly<Record<string, string>>): this {
    const entries = Object.entries(map);
    this.short(entries.length);
    for (const [k, v] of entries) this.string(k).string(v);
    return this;
  }
  done(): Buffer {
    return Buffer.from(this.buf.subarray(0, this.at));
  }
}

/** Reads the protocol's notations. @throws RangeError where the body is too short. */
export class RawReader {
  private at = 0;
  private readonly buf: Buffer;
  constructor(buf: Buffer) {
    this.buf = buf;
  }
  get left(): number {
    return this.buf.length - this.at;
  }
  byte(): number {
    const value = this.buf.readUInt8(this.at);
    this.at += 1;
    return value;
  }
  short(): number {
    const value = this.buf.readUInt16BE(this.at);
    this.at += 2;
    return value;
  }
  int(): number {
    const value = this.buf.readInt32BE(this.at);
    this.at += 4;
    return value;
  }
  take(length: number): Buffer {
    if (length < 0 || length > this.left)
      throw new RangeError(`${length} bytes wanted, ${this.left} left`);
    const bytes = this.buf.subarray(this.at, this.at + length);
    this.at += length;
    return bytes;
  }
  rest(): Buffer {
    return this.take(this.left);
  }
  string(): string {
    return this.take(this.short()).toString('utf8');
  }
  shortBytes(): Buffer {
    return this.take(this.short());
  }
  bytes(): Buffer | null {
    const length = this.int();
    return length < 0 ? null : this.take(length);
  }
  stringList(): string[] {
    return Array.from({ length: this.short() }, () => this.string());
  }
  type(): RawType {
    const id = this.short();
    switch (id) {
      case 0x00:
        return { id, custom: this.string() };
      case 0x20:
      case 0x22:
        return { id, of: [this.type()] };
      case 0x21:
        return { id, of: [this.type(), this.type()] };
      case 0x30: {
        const keyspace = this.string();
        const name = this.string();
        const fields: string[] = [];
        const of: RawType[] = [];
        for (let n = this.short(); n > 0; n--) {
          fields.push(this.string());
          of.push(this.type());
        }
        return { id, of, udt: { keyspace, name, fields } };
      }
      case 0x31:
        return { id, of: Array.from({ length: this.short() }, () => this.type()) };
      default:
        return { id };
    }
  }
}

interface ReadMetadata {
  readonly columns: RawColumn[] | null;
  readonly columnCount: number;
  readonly pagingState: Buffer | null;
  readonly pkIndexes: number[];
}

function readMetadata(r: RawReader, withPk: boolean): ReadMetadata {
  const flags = r.int();
  const columnCount = r.int();
  const pkIndexes = withPk ? Array.from({ length: r.int() }, () => r.short()) : [];
  const pagingState = (flags & 0x02) !== 0 ? r.bytes() : null;
  if ((flags & 0x04) !== 0) return { columns: null, columnCount, pagingState, pkIndexes };
  const global = (flags & 0x01) !== 0 ? { keyspace: r.string(), table: r.string() } : null;
  const columns = Array.from({ length: columnCount }, () => {
    const where = global ?? { keyspace: r.string(), table: r.string() };
    return { ...where, name: r.string(), type: r.type() };
  });
  return { columns, columnCount, pagingState, pkIndexes };
}

/** Reads one response. @throws RangeError where the body is shorter than it says, or longer than it should be. */
export function readResponse(
  version: number,
  opcode: number,
  flags: number,
  body: Buffer,
): RawResult {
  const r = new RawReader(body);
  const tracingId = (flags & 0x02) !== 0 ? r.take(16) : null;
  const warnings = (flags & 0x08) !== 0 ? r.stringList() : [];
  const payload = new Map<string, Buffer | null>();
  if ((flags & 0x04) !== 0) for (let n = r.short(); n > 0; n--) payload.set(r.string(), r.bytes());
  const extras: RawExtras = { tracingId, warnings, payload };
  if (opcode === OP.error) {
    return {
      ...extras,
      kind: 'error',
      code: r.int(),
      message: r.string(),
      details: Buffer.from(r.rest()),
    };
  }
  if (opcode !== OP.result)
    return { ...extras, kind: 'other', opcode, body: Buffer.from(r.rest()) };
  const result = readResultBody(version, r, extras);
  if (r.left !== 0) throw new RangeError(`${r.left} bytes too many in a RESULT`);
  return result;
}

function readResultBody(version: number, r: RawReader, extras: RawExtras): RawResult {
  const kind = r.int();
  switch (kind) {
    case 1:
      return { ...extras, kind: 'void' };
    case 2: {
      const meta = readMetadata(r, false);
      const rows = Array.from({ length: r.int() }, () =>
        Array.from({ length: meta.columnCount }, () => r.bytes()),
      );
      return { ...extras, kind: 'rows', ...meta, rows };
    }
    case 3:
      return { ...extras, kind: 'set_keyspace', keyspace: r.string() };
    case 4: {
      const id = Buffer.from(r.shortBytes());
      const bind = readMetadata(r, version >= 4);
      const result = readMetadata(r, false);
      return {
        ...extras,
        kind: 'prepared',
        id,
        bind: bind.columns ?? [],
        pkIndexes: bind.pkIndexes,
        columns: result.columns,
      };
    }
    case 5: {
      const change = r.string();
      const target = r.string();
      const keyspace = r.string();
      const name = target === 'KEYSPACE' ? '' : r.string();
      if (target === 'FUNCTION' || target === 'AGGREGATE') r.stringList();
      return { ...extras, kind: 'schema_change', change, target, keyspace, name };
    }
    default:
      throw new RangeError(`RESULT of kind ${kind}`);
  }
}
