import type { BackupTarget } from '../../../src/backup/index.ts';

/** Backups in memory; tests edit its objects. */
export class MemoryTarget implements BackupTarget {
  readonly description = 'memory';
  readonly objects = new Map<string, Buffer>();

  async put(name: string, bytes: Uint8Array): Promise<void> {
    this.objects.set(name, Buffer.from(bytes));
  }

  async get(name: string): Promise<Buffer | undefined> {
    const object = this.objects.get(name);
    return object === undefined ? undefined : Buffer.from(object);
  }

  async list(prefix: string): Promise<readonly string[]> {
    return [...this.objects.keys()].filter((name) => name.startsWith(prefix)).sort();
  }

  async delete(name: string): Promise<void> {
    this.objects.delete(name);
  }
}
