import { randomBytes } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import { BackupError } from '../errors/index.ts';
import type { BackupTarget } from './target.ts';

const TEMPORARY = '.tmp-';

/** Backups in a directory: objects are written beside their place, synced and renamed. */
export class DirectoryTarget implements BackupTarget {
  readonly description: string;
  readonly #root: string;

  /** @param root absolute; made when it is needed */
  constructor(root: string) {
    this.#root = root;
    this.description = root;
  }

  /** See {@link BackupTarget.put}. */
  async put(name: string, bytes: Uint8Array): Promise<void> {
    const path = this.#path(name);
    const directory = dirname(path);
    const temporary = join(directory, `${TEMPORARY}${randomBytes(8).toString('hex')}`);
    await this.#doing(`write ${path}`, async () => {
      await mkdir(directory, { recursive: true, mode: 0o700 });
      try {
        const file = await open(temporary, 'wx', 0o600);
        try {
          await file.writeFile(bytes);
          await file.sync();
        } finally {
          await file.close();
        }
        await rename(temporary, path);
      } catch (error) {
        await rm(temporary, { force: true });
        throw error;
      }
      await syncDirectory(directory);
    });
  }

  /** See {@link BackupTarget.get}. */
  async get(name: string): Promise<Buffer | undefined> {
    const path = this.#path(name);
    return await this.#doing(`read ${path}`, () => orAbsent(readFile(path)));
  }

  /** See {@link BackupTarget.list}. */
  async list(prefix: string): Promise<readonly string[]> {
    return await this.#doing(`list ${this.#root}`, async () => {
      const files = await orAbsent(
        readdir(this.#root, { recursive: true, withFileTypes: true, encoding: 'utf8' }),
      );
      return (files ?? [])
        .filter((file) => file.isFile() && !file.name.startsWith(TEMPORARY))
        .map((file) => join(file.parentPath, file.name).slice(this.#root.length + 1))
        .map((name) => name.split(sep).join('/'))
        .filter((name) => name.startsWith(prefix))
        .sort();
    });
  }

  /** See {@link BackupTarget.delete}. */
  async delete(name: string): Promise<void> {
    const path = this.#path(name);
    await this.#doing(`delete ${path}`, async () => {
      await rm(path, { force: true });
      const directory = dirname(path);
      if ((await orAbsent(readdir(directory)))?.length === 0) {
        await rm(directory, { recursive: true, force: true });
      } else if ((await orAbsent(readdir(directory))) !== undefined) {
        await syncDirectory(directory);
      }
    });
  }

  #path(name: string): string {
    return join(this.#root, ...name.split('/'));
  }

  async #doing<T>(what: string, run: () => Promise<T>): Promise<T> {
    try {
      return await run();
    } catch (error) {
      const reason = error instanceof Error ? error.message : 'unknown error';
      throw new BackupError('BACKUP_TARGET', `cannot ${what}: ${reason}`, { cause: error });
    }
  }
}

/** Makes a rename or removal durable. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

async function orAbsent<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
