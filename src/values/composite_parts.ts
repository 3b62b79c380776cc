import { BitWriter } from './bit_writer.ts';
import type { ElementCodec } from './codec.ts';
import type { CqlType } from './cql_type.ts';

/** Gives the codec of a nested type. */
export type CodecOf = (type: CqlType) => ElementCodec;

/** Gives another form of a value, or the value itself. */
export type Rewrite = (bytes: Uint8Array) => Uint8Array;

/** Applies `rewrite` to each part; the input array itself when no part changes. */
export function rewriteEach(parts: Uint8Array[], rewrite: Rewrite): Uint8Array[] {
  let out = parts;
  for (let i = 0; i < parts.length; i++) {
    const part = parts[i] as Uint8Array;
    const rewritten = rewrite(part);
    if (rewritten !== part) {
      if (out === parts) out = [...parts];
      out[i] = rewritten;
    }
  }
  return out;
}

/** Adds `orderBits`, which every composite codec builds alike, to a codec. */
export function withOrderBits(codec: Omit<ElementCodec, 'orderBits'>): ElementCodec {
  return {
    ...codec,
    orderBits(canonical) {
      const writer = new BitWriter(canonical.length + (canonical.length >> 1) + 8);
      codec.writeBits(writer, canonical);
      return writer.finish();
    },
  };
}
