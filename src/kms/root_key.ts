import { randomBytes, scryptSync } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  writeSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { ConfigError } from '../errors/index.ts';

/** Length of a root key in bytes. */
export const ROOT_KEY_BYTES = 32;

/** Where the root key comes from. Exactly one of the three is used. */
export type RootKeySource =
  | { readonly kind: 'file'; readonly path: string }
  /** Base64 of exactly 32 bytes, from a setting. */
  | { readonly kind: 'base64'; readonly value: string }
  /** A passphrase, stretched by scrypt with the salt of the key store. */
  | { readonly kind: 'passphrase'; readonly value: string };

/** Opens the key store: gives the 32 bytes for a given salt (the salt matters for passphrases only). */
export interface RootKey {
  readonly kind: 'raw' | 'scrypt';
  /** @param salt 32 bytes, kept in the clear in the key store's header. */
  bytes(salt: Uint8Array): Uint8Array;
}

/** `$XDG_CONFIG_HOME/cqlock/root.key`, or the same below `~/.config`. The caller passes the variable's value. */
export function defaultRootKeyPath(xdgConfigHome: string | undefined): string {
  const base =
    xdgConfigHome === undefined || xdgConfigHome === ''
      ? join(homedir(), '.config')
      : xdgConfigHome;
  return join(base, 'cqlock', 'root.key');
}

/**
 * Makes a root key file (mode 0600, directory 0700) with 32 random bytes. An existing file is never replaced.
 * @throws ConfigError when the file is there or cannot be written.
 */
export function createRootKeyFile(path: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const file = openSync(path, 'wx', 0o600);
    try {
      const key = randomBytes(ROOT_KEY_BYTES);
      writeSync(file, key);
      key.fill(0);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    const directory = openSync(dirname(path), 'r');
    try {
      fsyncSync(directory);
    } finally {
      closeSync(directory);
    }
  } catch (error) {
    throw new ConfigError('CONFIG_ROOT_KEY', `cannot create the root key file ${path}`, {
      cause: error,
    });
  }
}

/**
 * Loads the root key.
 * @throws ConfigError when it is missing, has another length than 32 bytes, or its file can be read by others.
 */
export function loadRootKey(source: RootKeySource): RootKey {
  switch (source.kind) {
    case 'file':
      return rawKey(readRootKeyFile(source.path));
    case 'base64': {
      const bytes = Buffer.from(source.value, 'base64');
      if (bytes.length !== ROOT_KEY_BYTES || bytes.toString('base64') !== source.value.trim()) {
        throw new ConfigError('CONFIG_ROOT_KEY', 'the root key must be base64 of exactly 32 bytes');
      }
      return rawKey(bytes);
    }
    case 'passphrase': {
      if (source.value.length === 0) {
        throw new ConfigError('CONFIG_ROOT_KEY', 'the passphrase of the key store is empty');
      }
      const passphrase = source.value;
      let cached: { salt: string; key: Uint8Array } | undefined;
      return {
        kind: 'scrypt',
        bytes: (salt) => {
          const saltText = Buffer.from(salt).toString('hex');
          if (cached?.salt !== saltText) {
            cached = {
              salt: saltText,
              key: scryptSync(passphrase, salt, ROOT_KEY_BYTES, {
                N: 2 ** 17,
                r: 8,
                p: 1,
                maxmem: 256 * 1024 * 1024,
              }),
            };
          }
          return cached.key;
        },
      };
    }
  }
}

function rawKey(bytes: Uint8Array): RootKey {
  return { kind: 'raw', bytes: () => bytes };
}

function readRootKeyFile(path: string): Uint8Array {
  let mode: number;
  let bytes: Buffer;
  try {
    mode = statSync(path).mode;
    bytes = readFileSync(path);
  } catch (error) {
    throw new ConfigError('CONFIG_ROOT_KEY', `cannot read the root key file ${path}`, {
      cause: error,
    });
  }
  if ((mode & 0o077) !== 0) {
    throw new ConfigError(
      'CONFIG_ROOT_KEY',
      `the root key file ${path} can be accessed by others (mode 0${(mode & 0o777).toString(8)}); set it to 0600`,
    );
  }
  if (bytes.length !== ROOT_KEY_BYTES) {
    throw new ConfigError(
      'CONFIG_ROOT_KEY',
      `the root key file ${path} has ${bytes.length} bytes; it must have exactly 32`,
    );
  }
  return bytes;
}
