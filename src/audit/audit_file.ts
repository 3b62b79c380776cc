import {
  closeSync,
  fdatasync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { InternalError } from '../errors/index.ts';
import { auditFileName } from './audit_lines.ts';

interface OpenFile {
  readonly day: string;
  readonly fd: number;
  /** Bytes of whole lines; what stands behind them is the rest of a write that failed. */
  length: number;
}

/**
 * The files of one process: one a UTC day, mode 0600, appended to. A write that fails leaves no part of its line behind, so the
 * next one can follow. Methods throw what the file system throws.
 */
export class AuditFile {
  readonly #directory: string;
  readonly #processId: string;
  #file: OpenFile | undefined;
  /** The day of the last file: days never go back, so files in their order hold the chain in its order. */
  #day = '';
  /** A file with a part of a line behind its whole ones, which could not be taken back yet. */
  #torn: { readonly day: string; readonly length: number } | undefined;
  #syncing: Promise<void> | undefined;
  #queued: Promise<void> | undefined;

  constructor(directory: string, processId: string) {
    this.#directory = directory;
    this.#processId = processId;
  }

  /** Makes the directory and opens the file of `day` (UTC, YYYY-MM-DD), if they are not there and open. */
  open(day: string): void {
    if (this.#file !== undefined && day <= this.#file.day) return;
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    const wanted = day > this.#day ? day : this.#day;
    const fd = openSync(join(this.#directory, auditFileName(wanted, this.#processId)), 'a', 0o600);
    try {
      const directory = openSync(this.#directory, 'r');
      try {
        fsyncSync(directory);
      } finally {
        closeSync(directory);
      }
      if (this.#torn?.day === wanted) {
        ftruncateSync(fd, this.#torn.length);
        this.#torn = undefined;
      }
      const { size } = fstatSync(fd);
      this.close();
      this.#file = { day: wanted, fd, length: size };
      this.#day = wanted;
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  }

  /** Appends a line to the open file. */
  append(line: Uint8Array): void {
    const file = this.#file;
    if (file === undefined) throw new InternalError('no file of the audit log is open');
    try {
      let written = 0;
      while (written < line.length) written += writeSync(file.fd, line, written);
      file.length += line.length;
    } catch (error) {
      this.#takeBack(file);
      throw error;
    }
  }

  /** Resolves when every line appended until now is on the disk. Calls that come while one runs share the next one. */
  sync(): Promise<void> {
    if (this.#syncing === undefined) {
      this.#syncing = this.#syncNow().finally(() => {
        this.#syncing = undefined;
      });
      return this.#syncing;
    }
    this.#queued ??= this.#syncing
      .catch(() => undefined)
      .then(() => {
        this.#queued = undefined;
        return this.sync();
      });
    return this.#queued;
  }

  /** Closes the file; what was appended and not synced is synced. */
  close(): void {
    const file = this.#file;
    if (file === undefined) return;
    this.#file = undefined;
    try {
      fsyncSync(file.fd);
    } finally {
      closeSync(file.fd);
    }
  }

  async #syncNow(): Promise<void> {
    const file = this.#file;
    // A file that was closed meanwhile was synced then.
    if (file === undefined) return;
    await new Promise<void>((resolve, reject) => {
      fdatasync(file.fd, (error) => {
        if (error === null || this.#file !== file) resolve();
        else reject(error);
      });
    });
  }

  #takeBack(file: OpenFile): void {
    try {
      ftruncateSync(file.fd, file.length);
    } catch {
      // Not even that is possible now: nothing is written to the file before it is.
      this.#torn = { day: file.day, length: file.length };
      this.#file = undefined;
      closeSync(file.fd);
    }
  }
}
