/**
 * Markers: random values that are found again wherever their bytes lie, raw or as hex, base64, UTF-16 or digits. Markers of one
 * kind begin with the same bytes (the anchor of the run), so that a search looks for a few anchors and not for every marker.
 */
import { randomBytes } from 'node:crypto';

/** Kinds of values that carry a marker. */
export type MarkerKind =
  'text' | 'blob' | 'bigint' | 'varint' | 'uuid' | 'double' | 'decimal' | 'inet';

/** One marker. */
export interface Marker {
  /** Statement form and column. */
  readonly label: string;
  readonly kind: MarkerKind;
  /** The random bytes themselves. */
  readonly core: Buffer;
  /** The value as the protocol has it. */
  readonly bytes: Buffer;
  readonly literal: string;
  /** Cassandra itself keeps it on disk when it gets it in plain (false: it may, as for a failed statement). */
  readonly stored: boolean;
}

/** One way in which a marker may lie somewhere. */
export interface Needle {
  readonly marker: Marker;
  readonly form: string;
  readonly bytes: Buffer;
}

/** Needles that begin with the same bytes. */
export interface NeedleGroup {
  readonly anchor: Buffer;
  readonly needles: readonly Needle[];
}

/** Makes markers of one run. */
export class MarkerMaker {
  readonly markers: Marker[] = [];
  private readonly textAnchor = `zq${randomBytes(4).toString('hex').replace(/[0-9]/g, 'k')}`;
  private readonly binaryAnchor = Buffer.concat([Buffer.from([0x41]), randomBytes(3)]);

  /** A fresh marker. */
  make(label: string, kind: MarkerKind, stored: boolean): Marker {
    const marker = { label, kind, stored, ...this.value(kind) };
    this.markers.push(marker);
    return marker;
  }

  private value(kind: MarkerKind): { core: Buffer; bytes: Buffer; literal: string } {
    const core = (length: number): Buffer =>
      Buffer.concat([this.binaryAnchor, randomBytes(length - 4)]);
    switch (kind) {
      case 'text': {
        const text = `${this.textAnchor}${randomBytes(8).toString('hex')}`;
        return { core: Buffer.from(text), bytes: Buffer.from(text), literal: `'${text}'` };
      }
      case 'blob': {
        const bytes = core(14);
        return { core: bytes, bytes, literal: `0x${bytes.toString('hex')}` };
      }
      case 'bigint': {
        const bytes = core(8);
        return { core: bytes, bytes, literal: bytes.readBigInt64BE(0).toString() };
      }
      case 'varint': {
        const bytes = core(12);
        return { core: bytes, bytes, literal: BigInt(`0x${bytes.toString('hex')}`).toString() };
      }
      case 'decimal': {
        const unscaled = core(10);
        const scale = Buffer.from([0, 0, 0, 3]);
        return {
          core: unscaled,
          bytes: Buffer.concat([scale, unscaled]),
          literal: `${BigInt(`0x${unscaled.toString('hex')}`)}E-3`,
        };
      }
      case 'uuid': {
        const bytes = core(16);
        bytes[6] = ((bytes[6] as number) & 0x0f) | 0x40;
        bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80;
        return { core: bytes, bytes, literal: uuidText(bytes) };
      }
      case 'double': {
        const bytes = core(8);
        const text = String(bytes.readDoubleBE(0));
        return { core: bytes, bytes, literal: /[.e]/.test(text) ? text : `${text}.0` };
      }
      case 'inet': {
        const bytes = core(16);
        return {
          core: bytes,
          bytes,
          literal: `'${(bytes.toString('hex').match(/.{4}/g) ?? []).join(':')}'`,
        };
      }
    }
  }
}

function uuidText(bytes: Buffer): string {
  const h = bytes.toString('hex');
  return `${h.slice(0, 8)}-${h.slice(8, 12)}-${h.slice(12, 16)}-${h.slice(16, 20)}-${h.slice(20)}`;
}

/** The base64 digits that are sure when the bytes begin `shift` bytes into a group of three. */
function base64At(bytes: Buffer, shift: number): string {
  const text = Buffer.concat([Buffer.alloc(shift), bytes])
    .toString('base64')
    .replace(/=+$/, '');
  const whole = Math.floor(((shift + bytes.length) * 8) / 6);
  return text.slice(Math.ceil((shift * 8) / 6), whole);
}

/** Everything to look for, by form. */
export function needlesOf(markers: readonly Marker[]): NeedleGroup[] {
  const forms: Record<string, (m: Marker) => Buffer | null> = {
    raw: (m) => m.core,
    'hex, lower case': (m) => Buffer.from(m.core.toString('hex')),
    'hex, upper case': (m) => Buffer.from(m.core.toString('hex').toUpperCase()),
    'UTF-16LE': (m) => Buffer.from(m.core.toString('latin1'), 'utf16le'),
    'UTF-16BE': (m) => Buffer.from(m.core.toString('latin1'), 'utf16le').swap16(),
    // From the second byte on: the zero byte before it belongs to what stands there.
    base64: (m) => Buffer.from(base64At(m.core, 0)),
    'base64, shifted 1': (m) => Buffer.from(base64At(m.core, 1)),
    'base64, shifted 2': (m) => Buffer.from(base64At(m.core, 2)),
    digits: (m) =>
      m.kind === 'bigint' || m.kind === 'varint'
        ? Buffer.from(m.literal)
        : m.kind === 'decimal'
          ? Buffer.from(m.literal.slice(0, -3))
          : null,
    'floating point text': (m) => (m.kind === 'double' ? Buffer.from(m.literal) : null),
    'uuid text': (m) => (m.kind === 'uuid' ? Buffer.from(m.literal) : null),
    'inet text': (m) => (m.kind === 'inet' ? Buffer.from(m.literal.slice(1, -1)) : null),
  };
  const groups: NeedleGroup[] = [];
  for (const [form, make] of Object.entries(forms)) {
    const byKind = new Map<string, Needle[]>();
    for (const marker of markers) {
      const bytes = make(marker);
      if (bytes === null) continue;
      // Digits of numbers of different lengths share nothing.
      const kind =
        form === 'digits'
          ? `${marker.kind}${bytes.length}`
          : marker.kind === 'text'
            ? 'text'
            : 'binary';
      const list = byKind.get(kind) ?? [];
      list.push({ marker, form, bytes });
      byKind.set(kind, list);
    }
    for (const needles of byKind.values())
      groups.push({ anchor: commonPrefix(needles.map((n) => n.bytes)), needles });
  }
  return groups;
}

function commonPrefix(all: readonly Buffer[]): Buffer {
  const first = all[0] as Buffer;
  let length = first.length;
  for (const other of all) {
    let same = 0;
    while (same < length && same < other.length && first[same] === other[same]) same++;
    length = same;
  }
  if (length < 3)
    throw new RangeError('markers of one kind must begin alike, or the search is too slow');
  return first.subarray(0, length);
}
