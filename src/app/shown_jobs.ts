import type { JobRegistry, JobReporter } from '../observability/index.ts';

/** One kind of background work as jobs of this process: one that runs at most for each object. */
export class ShownJobs {
  readonly #jobs: JobRegistry;
  readonly #kind: string;
  readonly #lostCode: string;
  readonly #running = new Map<string, JobReporter>();

  /** @param lostCode code of the error of a job that this process does not go on with */
  constructor(jobs: JobRegistry, kind: string, lostCode: string) {
    this.#jobs = jobs;
    this.#kind = kind;
    this.#lostCode = lostCode;
  }

  /** Shows how far the work is; begins a job where none is shown. */
  progress(keyspace: string, table: string, object: string, done: number, total: number): void {
    const key = JSON.stringify([keyspace, object]);
    const job = this.#running.get(key) ?? this.#jobs.start(this.#kind, { keyspace, name: table });
    this.#running.set(key, job);
    job.progress(done, total);
  }

  /** The work is done. */
  done(keyspace: string, object: string): void {
    this.#take(keyspace, object)?.done();
  }

  /**
   * What is shown as running is not done here any more.
   * @param code of the error that ended it; without one another process does it, or its object is gone
   */
  failed(keyspace: string, object: string, code = this.#lostCode): void {
    this.#take(keyspace, object)?.failed(code);
  }

  #take(keyspace: string, object: string): JobReporter | undefined {
    const key = JSON.stringify([keyspace, object]);
    const job = this.#running.get(key);
    this.#running.delete(key);
    return job;
  }
}
