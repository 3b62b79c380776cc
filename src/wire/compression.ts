import { compressSync as lz4Compress, uncompressSync as lz4Uncompress } from 'lz4-napi';
import { compressSync as snappyCompress, uncompressSync as snappyUncompress } from 'snappy';
import { ProtocolError } from '../errors/index.ts';
import { putInt } from './writer.ts';

/** Names of compressions in STARTUP and SUPPORTED. Spec: native_protocol_v4 5. */
export type CompressionAlgorithm = 'lz4' | 'snappy';

/** Compressions that work here, in the order in which SUPPORTED lists them. */
export const COMPRESSION_ALGORITHMS: readonly CompressionAlgorithm[] = ['snappy', 'lz4'];

/** No byte of an LZ4 block stands for more bytes of content; a longer announced length is a lie. */
const LZ4_MAX_RATIO = 255;

/** The same for Snappy: its best copy makes 64 bytes out of 3. */
const SNAPPY_MAX_RATIO = 22;

/**
 * Compresses a body. Synchronous; the result is a new buffer.
 *
 * For `lz4` the block follows the length of the content as a big-endian [int], for `snappy` it is the raw format.
 *
 * Spec: native_protocol_v4 5.
 */
export function compressBody(algorithm: CompressionAlgorithm, body: Buffer): Buffer {
  if (algorithm === 'snappy') return snappyCompress(body);
  // The library puts the length before the block in little-endian order.
  const block = lz4Compress(body);
  putInt(block, 0, body.length);
  return block;
}

/**
 * Restores a compressed body. Synchronous; the result is a new buffer, the argument stays as it is.
 *
 * @param maxBytes longest result; judged from the announced length before anything is allocated
 * @throws ProtocolError if the result would be longer, or the bytes are not what the algorithm writes
 */
export function decompressBody(
  algorithm: CompressionAlgorithm,
  body: Buffer,
  maxBytes: number,
): Buffer {
  const announced = algorithm === 'lz4' ? lz4Length(body) : snappyLength(body);
  if (announced > maxBytes) {
    throw new ProtocolError(
      'PROTOCOL_MESSAGE_SIZE',
      `a compressed body announces ${announced} bytes; the limit is ${maxBytes}`,
    );
  }
  const content = algorithm === 'lz4' ? lz4Content(body, announced) : snappyContent(body);
  if (content.length !== announced) {
    throw malformed(`a compressed body has ${content.length} bytes and announces ${announced}`);
  }
  return content;
}

function lz4Length(body: Buffer): number {
  if (body.length < 4) throw malformed('a compressed body has no length');
  const announced = body.readInt32BE(0);
  if (announced < 0 || announced > (body.length - 4) * LZ4_MAX_RATIO) {
    throw malformed(`a compressed body of ${body.length} bytes announces ${announced}`);
  }
  return announced;
}

function lz4Content(body: Buffer, announced: number): Buffer {
  if (announced === 0) return Buffer.alloc(0);
  const block = Buffer.allocUnsafe(body.length);
  block.set(body);
  block.writeUInt32LE(announced, 0);
  try {
    return lz4Uncompress(block);
  } catch (cause) {
    throw malformed('a compressed body is not LZ4', cause);
  }
}

/** The raw format begins with the length of the content: base 128, low bits first. */
function snappyLength(body: Buffer): number {
  let length = 0;
  for (let i = 0; i < 5 && i < body.length; i++) {
    const byte = body[i] as number;
    length += (byte & 0x7f) * 2 ** (7 * i);
    if (byte >= 0x80) continue;
    if (length <= (body.length - i) * SNAPPY_MAX_RATIO) return length;
    throw malformed(`a compressed body of ${body.length} bytes announces ${length}`);
  }
  throw malformed('a compressed body has no length');
}

function snappyContent(body: Buffer): Buffer {
  let content: string | Buffer;
  try {
    content = snappyUncompress(body, { asBuffer: true });
  } catch (cause) {
    throw malformed('a compressed body is not Snappy', cause);
  }
  if (typeof content === 'string') throw malformed('a compressed body is not Snappy');
  return content;
}

function malformed(message: string, cause?: unknown): ProtocolError {
  return new ProtocolError('PROTOCOL_COMPRESSION', message, { cause });
}
