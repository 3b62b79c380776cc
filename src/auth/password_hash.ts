import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import type { ScryptOptions } from 'node:crypto';

/** Work of one hash: 32 MiB and some 0.1 s. Spec: RFC 7914. */
const COST = 2 ** 15;
const BLOCK_SIZE = 8;
const PARALLELISM = 1;
const SALT_BYTES = 16;
const HASH_BYTES = 32;
/** Hashes of a file may not ask for more than this. */
const MAX_COST = 2 ** 20;
const FORM =
  /^scrypt\$(\d{1,8})\$(\d{1,2})\$(\d{1,2})\$([A-Za-z0-9+/]{22}==)\$([A-Za-z0-9+/]{43}=)$/;

interface ParsedHash {
  readonly options: ScryptOptions;
  readonly salt: Buffer;
  readonly hash: Buffer;
}

/** Hashes a password: `scrypt$N$r$p$salt$hash`, the last two in base64. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  const options = { N: COST, r: BLOCK_SIZE, p: PARALLELISM, maxmem: memoryFor(COST, BLOCK_SIZE) };
  const hash = await derive(password, salt, options);
  return `scrypt$${String(COST)}$${String(BLOCK_SIZE)}$${String(PARALLELISM)}$${salt.toString('base64')}$${hash.toString('base64')}`;
}

/** Whether a text has the form of {@link hashPassword}, with a work that is bearable. */
export function isPasswordHash(text: string): boolean {
  return parse(text) !== undefined;
}

/** Whether a password is the one that was hashed. Takes as long for every password. */
export async function verifyHash(password: string, text: string): Promise<boolean> {
  const parsed = parse(text);
  if (parsed === undefined) return false;
  return timingSafeEqual(await derive(password, parsed.salt, parsed.options), parsed.hash);
}

function parse(text: string): ParsedHash | undefined {
  const [, n, r, p, salt, hash] = FORM.exec(text) ?? [];
  if (salt === undefined || hash === undefined) return undefined;
  const [N, blockSize, parallelism] = [Number(n), Number(r), Number(p)];
  const isPower = N >= 2 && N <= MAX_COST && Number.isInteger(Math.log2(N));
  if (!isPower || blockSize < 1 || blockSize > 16 || parallelism < 1 || parallelism > 4) {
    return undefined;
  }
  return {
    options: { N, r: blockSize, p: parallelism, maxmem: memoryFor(N, blockSize) },
    salt: Buffer.from(salt, 'base64'),
    hash: Buffer.from(hash, 'base64'),
  };
}

function memoryFor(cost: number, blockSize: number): number {
  return 256 * cost * blockSize;
}

function derive(password: string, salt: Buffer, options: ScryptOptions): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    scrypt(password.normalize('NFC'), salt, HASH_BYTES, options, (error, key) => {
      if (error === null) resolve(key);
      else reject(error);
    });
  });
}
