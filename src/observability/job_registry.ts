import { randomUUID } from 'node:crypto';

const MAX_ENDED = 256;

/** What is shown of a job. */
export interface JobStatus {
  /** UUID text. */
  readonly id: string;
  /** E.g. `rotate`, `backup`, `restore`, `reencrypt`. */
  readonly kind: string;
  readonly keyspace: string | undefined;
  readonly table: string | undefined;
  readonly state: 'running' | 'done' | 'failed';
  readonly done: number;
  /** `undefined` where it is not known. */
  readonly total: number | undefined;
  readonly startedAtMs: number;
  readonly updatedAtMs: number;
  /** Code of the error of a failed job. */
  readonly error: string | undefined;
}

/** How a job tells of itself. After `done` or `failed` nothing changes any more. */
export interface JobReporter {
  readonly id: string;
  /** Work done so far, and all of it where that is known; in units of the job's own. */
  progress(done: number, total?: number): void;
  done(): void;
  /** @param code stable code of the error, never its text */
  failed(code: string): void;
}

/** The long work of this process: what runs, and the latest of what has ended. */
export class JobRegistry {
  readonly #nowMs: () => number;
  readonly #jobs = new Map<string, JobStatus>();

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** Adds a running job. */
  start(kind: string, table?: { readonly keyspace: string; readonly name: string }): JobReporter {
    const now = this.#nowMs();
    const id = randomUUID();
    this.#jobs.set(id, {
      id,
      kind,
      keyspace: table?.keyspace,
      table: table?.name,
      state: 'running',
      done: 0,
      total: undefined,
      startedAtMs: now,
      updatedAtMs: now,
      error: undefined,
    });
    return {
      id,
      progress: (done, total) => {
        this.#update(id, total === undefined ? { done } : { done, total });
      },
      done: () => {
        this.#update(id, { state: 'done' });
      },
      failed: (code) => {
        this.#update(id, { state: 'failed', error: code });
      },
    };
  }

  /** By id. */
  list(): readonly JobStatus[] {
    return [...this.#jobs.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  #update(id: string, change: Partial<JobStatus>): void {
    const job = this.#jobs.get(id);
    if (job?.state !== 'running') return;
    this.#jobs.set(id, { ...job, ...change, updatedAtMs: this.#nowMs() });
    if (change.state !== undefined) this.#forgetOldest();
  }

  #forgetOldest(): void {
    const ended = [...this.#jobs.values()].filter((job) => job.state !== 'running');
    if (ended.length <= MAX_ENDED) return;
    ended.sort((a, b) => a.updatedAtMs - b.updatedAtMs);
    for (const { id } of ended.slice(0, ended.length - MAX_ENDED)) this.#jobs.delete(id);
  }
}
