/**
 * Plain content of compressed SSTables: system tables are compressed with LZ4, which cuts up bytes that it has seen before, so
 * that a search of the file alone would miss markers.
 */
import { existsSync, readFileSync } from 'node:fs';

/** The content of a `-Data.db` file that has a CompressionInfo of LZ4 beside it; null for any other file. */
export function uncompressedContent(dataFile: string): Buffer | null {
  if (!dataFile.endsWith('-Data.db')) return null;
  const infoFile = dataFile.replace(/-Data\.db$/, '-CompressionInfo.db');
  if (!existsSync(infoFile)) return null;
  const info = readFileSync(infoFile);
  let at = 0;
  const int = (): number => {
    at += 4;
    return info.readInt32BE(at - 4);
  };
  const text = (): string => {
    const length = info.readUInt16BE(at);
    at += 2 + length;
    return info.toString('utf8', at - length, at);
  };
  const compressor = text();
  if (compressor !== 'LZ4Compressor')
    throw new TypeError(`${infoFile}: compressed by ${compressor}, which is not read here`);
  for (let n = int(); n > 0; n--) {
    text();
    text();
  }
  int(); // chunk length
  const maxCompressed = int();
  at += 8; // length of the content
  const offsets = Array.from({ length: int() }, (_, i) => Number(info.readBigInt64BE(at + 8 * i)));
  const data = readFileSync(dataFile);
  const chunks = offsets.map((offset, i) => {
    // Behind each chunk stand four bytes of checksum.
    const chunk = data.subarray(offset, (offsets[i + 1] ?? data.length) - 4);
    return chunk.length >= maxCompressed
      ? chunk
      : lz4Block(chunk.subarray(4), chunk.readInt32LE(0));
  });
  return Buffer.concat(chunks);
}

/** Decodes one LZ4 block. Spec: lz4_Block_format.md. @throws RangeError when it is not one of `size` bytes. */
export function lz4Block(block: Buffer, size: number): Buffer {
  const out = Buffer.alloc(size);
  let from = 0;
  let to = 0;
  const more = (start: number): number => {
    if (start < 15) return start;
    let length = start;
    let byte: number;
    do {
      byte = block.readUInt8(from++);
      length += byte;
    } while (byte === 255);
    return length;
  };
  while (from < block.length) {
    const token = block.readUInt8(from++);
    const literals = more(token >> 4);
    block.copy(out, to, from, from + literals);
    from += literals;
    to += literals;
    if (from >= block.length) break;
    const distance = block.readUInt16LE(from);
    from += 2;
    const length = more(token & 15) + 4;
    // A match may overlap what it writes.
    for (let i = 0; i < length; i++, to++) out[to] = out[to - distance] as number;
  }
  if (to !== size) throw new RangeError(`an LZ4 block of ${to} bytes where ${size} were announced`);
  return out;
}
