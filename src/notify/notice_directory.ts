import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Outbox, PendingNotice } from '../lifecycle/index.ts';
import type { Clock } from '../util/index.ts';

/** A notice of another process that is so old was left behind: that process is gone. */
const LEFT_BEHIND_MS = 10 * 60_000;
const NAME = /^[0-9a-f-]{36}\.json$/;

/** Notices in files of the state directory, one each. Proxies may share it: each delivers its own, and what is left behind. */
export class NoticeDirectory implements Outbox {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #own = new Set<string>();

  constructor(path: string, clock: Clock) {
    this.#path = path;
    this.#clock = clock;
  }

  /** Keeps a notice; it is durable when the promise resolves. */
  async keep(pending: PendingNotice): Promise<void> {
    this.#own.add(pending.notice.id);
    await this.#write(pending);
  }

  /** See {@link Outbox.pending}. */
  async pending(): Promise<readonly PendingNotice[]> {
    const found: PendingNotice[] = [];
    for (const name of await this.#names()) {
      const path = join(this.#path, name);
      try {
        const isOwn = this.#own.has(name.slice(0, -'.json'.length));
        const ageMs = this.#clock.nowMs() - (await stat(path)).mtimeMs;
        if (!isOwn && ageMs < LEFT_BEHIND_MS) continue;
        found.push(JSON.parse(await readFile(path, 'utf8')) as PendingNotice);
      } catch (error) {
        // Another process has just delivered it.
        if (!isMissing(error)) throw error;
      }
    }
    return found;
  }

  /** See {@link Outbox.settle}. */
  async settle(done: ReadonlyMap<string, readonly string[]>): Promise<void> {
    for (const { notice, channels } of await this.pending()) {
      const gone = done.get(notice.id);
      if (gone === undefined) continue;
      const left = channels.filter((name) => !gone.includes(name));
      if (left.length > 0) {
        await this.#write({ notice, channels: left });
        continue;
      }
      await rm(join(this.#path, `${notice.id}.json`), { force: true });
      this.#own.delete(notice.id);
    }
  }

  async #write(pending: PendingNotice): Promise<void> {
    await mkdir(this.#path, { recursive: true, mode: 0o700 });
    const path = join(this.#path, `${pending.notice.id}.json`);
    await writeFile(`${path}.new`, JSON.stringify(pending), { mode: 0o600, flush: true });
    await rename(`${path}.new`, path);
  }

  async #names(): Promise<readonly string[]> {
    try {
      return (await readdir(this.#path)).filter((name) => NAME.test(name));
    } catch (error) {
      if (isMissing(error)) return [];
      throw error;
    }
  }
}

function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT';
}
