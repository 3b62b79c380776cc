import { describe, expect, it } from 'vitest';
import { JobRegistry } from '../../../src/observability/index.ts';

describe('the registry of jobs', () => {
  it('shows a job from its start to its end, and changes nothing afterwards', () => {
    let now = 1;
    const jobs = new JobRegistry(() => now);
    const job = jobs.start('rotate', { keyspace: 'ks', name: 't' });
    now = 2;
    job.progress(5, 10);
    expect(jobs.list()).toEqual([
      {
        id: job.id,
        kind: 'rotate',
        keyspace: 'ks',
        table: 't',
        state: 'running',
        done: 5,
        total: 10,
        startedAtMs: 1,
        updatedAtMs: 2,
        error: undefined,
      },
    ]);
    job.progress(6);
    job.failed('UPSTREAM_CONTROL');
    now = 3;
    job.progress(9);
    job.done();
    expect(jobs.list()).toMatchObject([
      { state: 'failed', error: 'UPSTREAM_CONTROL', done: 6, total: 10, updatedAtMs: 2 },
    ]);
  });

  it('forgets the oldest that have ended, and none that runs', () => {
    let now = 0;
    const jobs = new JobRegistry(() => now++);
    const running = jobs.start('backup');
    const ids = Array.from({ length: 300 }, () => {
      const job = jobs.start('rotate');
      job.done();
      return job.id;
    });
    const kept = new Set(jobs.list().map((job) => job.id));
    expect(kept.size).toBe(257);
    expect(kept.has(running.id)).toBe(true);
    expect(ids.filter((id) => !kept.has(id))).toEqual(ids.slice(0, 44));
  });
});
