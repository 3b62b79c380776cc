import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import type { AuditHead, AuditHeadStore, AuditStart, AuditStartStore } from './audit_heads.ts';

const NAME = /^(head|start)\.([0-9a-f-]{36})\.json$/;

interface Kept {
  readonly seq: number;
  /** Hex. */
  readonly lineMac: string;
  /** Hex. */
  readonly mac: string;
  readonly atMs: number;
}

/**
 * Heads and start points in a directory beside the key store, for a KMS that is served without a cluster. A file for each process, so
 * that several need no lock. Methods throw what the file system throws.
 */
export class FileAuditHeads implements AuditHeadStore, AuditStartStore {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** See {@link AuditHeadStore.prepare}. */
  prepare(): Promise<void> {
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    return Promise.resolve();
  }

  /** See {@link AuditHeadStore.put}. */
  put(
    _clusterId: Uint8Array,
    { processId, seq, lineMac, headMac, atMs }: AuditHead,
  ): Promise<void> {
    this.#write(`head.${processId}.json`, { seq, lineMac: hex(lineMac), mac: hex(headMac), atMs });
    return Promise.resolve();
  }

  /** See {@link AuditHeadStore.list}. */
  list(): Promise<readonly AuditHead[]> {
    const heads = this.#read('head').map(({ processId, seq, lineMac, mac, atMs }) => ({
      ...{ processId, seq, atMs },
      ...{ lineMac: Buffer.from(lineMac, 'hex'), headMac: Buffer.from(mac, 'hex') },
    }));
    return Promise.resolve(heads);
  }

  /** See {@link AuditStartStore.listStarts}. */
  listStarts(): Promise<readonly AuditStart[]> {
    const starts = this.#read('start').map(({ processId, seq, lineMac, mac }) => ({
      ...{ processId, seq },
      ...{ lastMac: Buffer.from(lineMac, 'hex'), startMac: Buffer.from(mac, 'hex') },
    }));
    return Promise.resolve(starts);
  }

  /** See {@link AuditStartStore.putStart}. */
  putStart(_clusterId: Uint8Array, start: AuditStart): Promise<void> {
    const { processId, seq, lastMac, startMac } = start;
    const kept = { seq, lineMac: hex(lastMac), mac: hex(startMac), atMs: 0 };
    this.#write(`start.${processId}.json`, kept);
    return Promise.resolve();
  }

  /** See {@link AuditStartStore.forget}. */
  forget(_clusterId: Uint8Array, processId: string): Promise<void> {
    for (const kind of ['head', 'start']) {
      rmSync(join(this.#directory, `${kind}.${processId}.json`), { force: true });
    }
    return Promise.resolve();
  }

  /** A file is there whole or not at all. */
  #write(name: string, kept: Kept): void {
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    const path = join(this.#directory, name);
    const file = openSync(`${path}.new`, 'w', 0o600);
    try {
      writeSync(file, JSON.stringify(kept));
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(`${path}.new`, path);
  }

  #read(kind: string): (Kept & { readonly processId: string })[] {
    let names: string[];
    try {
      names = readdirSync(this.#directory);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw error;
    }
    return names.flatMap((name) => {
      const [, found, processId] = NAME.exec(name) ?? [];
      if (found !== kind || processId === undefined) return [];
      return [{ ...parsed(readFileSync(join(this.#directory, name), 'utf8')), processId }];
    });
  }
}

/** What is no record gives one that does not verify. */
function parsed(text: string): Kept {
  const none: Kept = { seq: -1, lineMac: '', mac: '', atMs: 0 };
  try {
    const kept = JSON.parse(text) as Partial<Kept> | null;
    return typeof kept?.seq === 'number' &&
      typeof kept.lineMac === 'string' &&
      typeof kept.mac === 'string' &&
      typeof kept.atMs === 'number'
      ? { seq: kept.seq, lineMac: kept.lineMac, mac: kept.mac, atMs: kept.atMs }
      : none;
  } catch {
    return none;
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
