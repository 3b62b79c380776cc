import { existsSync, readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FileAuditHeads, planPrune, prune, verifyAudit } from '../../../src/audit/index.ts';
import type { AuditHead, AuditStart, ChainReport } from '../../../src/audit/index.ts';
import { AUDIT_KEY, CLUSTER, event, newTrail } from './support.ts';
import type { TrailEnvironment } from './support.ts';

const DAY_MS = 86_400_000;

/** Heads in the trail's own store, start points here. */
class Kept {
  readonly starts = new Map<string, AuditStart>();
  readonly #environment: TrailEnvironment;

  constructor(environment: TrailEnvironment) {
    this.#environment = environment;
  }

  async listStarts(): Promise<readonly AuditStart[]> {
    return [...this.starts.values()];
  }

  async putStart(_clusterId: Uint8Array, start: AuditStart): Promise<void> {
    this.starts.set(start.processId, start);
  }

  async forget(_clusterId: Uint8Array, processId: string): Promise<void> {
    this.#environment.heads.heads.delete(processId);
    this.starts.delete(processId);
  }

  async all(): Promise<{ heads: readonly AuditHead[]; starts: readonly AuditStart[] }> {
    return { heads: await this.#environment.heads.list(), starts: await this.listStarts() };
  }
}

/** Three days: start and two uses; two uses; one use, and a stop if it is ended. */
async function threeDays(isEnded = true) {
  const environment = newTrail();
  const { trail, clock, begin } = environment;
  await begin();
  for (const table of ['a', 'b']) await trail.record(event({ table }));
  clock.advance(DAY_MS);
  for (const table of ['c', 'd']) await trail.record(event({ table }));
  clock.advance(DAY_MS);
  await trail.record(event({ table: 'e' }));
  if (isEnded) await trail.close();
  return { ...environment, kept: new Kept(environment) };
}

type Environment = Awaited<ReturnType<typeof threeDays>>;

async function verify({ directory, kept }: Environment): Promise<ChainReport[]> {
  return await verifyAudit(directory, AUDIT_KEY, CLUSTER, await kept.all());
}

async function plan({ directory, kept }: Environment, beforeDay: string) {
  const options = { directory, auditKey: AUDIT_KEY, clusterId: CLUSTER, beforeDay };
  return await planPrune({ ...options, kept: await kept.all() });
}

const nothing = () => Promise.resolve();

describe('pruning an audit log', () => {
  it('deletes files of old days; the rest verifies from an authenticated start point', async () => {
    const environment = await threeDays();
    const chains = await plan(environment, '2026-02-01');
    expect(chains).toMatchObject([{ lines: 3, isWhole: false, start: { seq: 3 } }]);
    expect(readdirSync(environment.directory)).toHaveLength(3);
    await prune(chains, CLUSTER, environment.kept, nothing);
    expect(readdirSync(environment.directory)).toHaveLength(2);
    const [report] = await verify(environment);
    expect(report).toMatchObject({ firstSeq: 3, lines: 4, isClosed: true, problem: undefined });
    await prune(await plan(environment, '2026-02-02'), CLUSTER, environment.kept, nothing);
    const [later] = await verify(environment);
    expect(later).toMatchObject({ firstSeq: 5, lines: 2, problem: undefined });
  });

  it('without a start point, or with one that was made up or is another’s, is a break', async () => {
    const environment = await threeDays();
    await prune(await plan(environment, '2026-02-01'), CLUSTER, environment.kept, nothing);
    const [start] = await environment.kept.listStarts();
    if (start === undefined) throw new TypeError('no start point');
    const { starts } = environment.kept;
    const problemWith = async (changed: AuditStart | undefined): Promise<string | undefined> => {
      starts.clear();
      if (changed !== undefined) starts.set(start.processId, changed);
      return (await verify(environment))[0]?.problem?.reason;
    };
    expect(await problemWith(start)).toBeUndefined();
    expect(await problemWith(undefined)).toMatch(/lines were removed/);
    expect(await problemWith({ ...start, seq: 2 })).toMatch(/start point .* was altered/);
    expect(await problemWith({ ...start, seq: 1e12 })).toMatch(/start point .* was altered/);
    const mac = Buffer.from(start.startMac);
    mac[0] = (mac[0] ?? 0) ^ 1;
    expect(await problemWith({ ...start, startMac: mac })).toMatch(/start point .* was altered/);
    expect(await problemWith({ ...start, lastMac: Buffer.alloc(32) })).toMatch(/was altered/);
  });

  it('verifies wherever it ends half-way', async () => {
    const environment = await threeDays();
    const chains = await plan(environment, '2026-02-02');
    const { kept, directory } = environment;
    // Before the note, between two files, and after all files of an ended process.
    await expect(
      prune(chains, CLUSTER, kept, () => Promise.reject(new TypeError('killed'))),
    ).rejects.toThrow('killed');
    expect(readdirSync(directory)).toHaveLength(3);
    expect((await verify(environment))[0]).toMatchObject({ lines: 7, problem: undefined });
    await prune(await plan(environment, '2026-02-01'), CLUSTER, kept, nothing);
    expect((await verify(environment))[0]?.problem).toBeUndefined();
    kept.forget = nothing;
    await prune(await plan(environment, '2027-01-01'), CLUSTER, kept, nothing);
    expect(readdirSync(directory)).toEqual([]);
    expect((await verify(environment))[0]).toMatchObject({ lines: 0, problem: undefined });
    environment.heads.heads.clear();
    expect((await verify(environment))[0]?.problem).toBeUndefined();
  });

  it('forgets a process that has ended; one that may run stays, and can go on', async () => {
    const gone = await threeDays();
    await prune(await plan(gone, '2027-01-01'), CLUSTER, gone.kept, nothing);
    expect(await verify(gone)).toEqual([]);
    const runs = await threeDays(false);
    await prune(await plan(runs, '2027-01-01'), CLUSTER, runs.kept, nothing);
    expect(await verify(runs)).toMatchObject([{ firstSeq: 6, lines: 0, problem: undefined }]);
    runs.clock.advance(DAY_MS);
    await runs.trail.record(event({ table: 'f' }));
    await runs.trail.close();
    expect(await verify(runs)).toMatchObject([{ firstSeq: 6, lines: 2, problem: undefined }]);
  });

  it('goes by the times of the lines, not by the names of files', async () => {
    const environment = await threeDays();
    const { directory } = environment;
    for (const [index, name] of readdirSync(directory).sort().entries()) {
      renameSync(join(directory, name), join(directory, `1999-01-0${index + 1}${name.slice(10)}`));
    }
    expect((await verify(environment))[0]?.problem).toBeUndefined();
    expect(await plan(environment, '2025-01-01')).toEqual([]);
  });

  it('is refused for a log that is broken', async () => {
    const environment = await threeDays();
    environment.heads.heads.clear();
    await expect(plan(environment, '2026-02-01')).rejects.toMatchObject({
      code: 'METADATA_AUDIT_LOG',
    });
  });

  it('is in the log itself', async () => {
    const environment = newTrail();
    await environment.begin();
    await environment.trail.recordPruned('00000000-0000-0000-0000-000000000001', 12, 12);
    await environment.trail.close();
    const heads = { heads: await environment.heads.list() };
    const [report] = await verifyAudit(environment.directory, AUDIT_KEY, CLUSTER, heads);
    expect(report).toMatchObject({ lines: 3, problem: undefined });
  });
});

describe('heads in files', () => {
  it('are there again, a start point beside them, and gone when the process is forgotten', async () => {
    const environment = newTrail();
    const heads = new FileAuditHeads(join(environment.directory, '..', 'heads'));
    expect(await heads.list()).toEqual([]);
    const { trail, directory } = environment;
    await trail.begin({ auditKey: Buffer.from(AUDIT_KEY), clusterId: CLUSTER, heads });
    await trail.record(event());
    await trail.close();
    const kept = { heads: await heads.list() };
    const [report] = await verifyAudit(directory, AUDIT_KEY, CLUSTER, kept);
    expect(report).toMatchObject({ lines: 3, anchoredSeq: 2, problem: undefined });
    const plan = await planPrune({
      ...{ directory, auditKey: AUDIT_KEY, clusterId: CLUSTER, kept, beforeDay: '2027-01-01' },
    });
    const [chain] = plan;
    if (chain === undefined) throw new TypeError('nothing to prune');
    await heads.putStart(CLUSTER, chain.start);
    expect(await heads.listStarts()).toEqual([chain.start]);
    await prune(plan, CLUSTER, heads, nothing);
    expect([await heads.list(), await heads.listStarts()]).toEqual([[], []]);
    expect(existsSync(chain.files[0]?.path ?? '')).toBe(false);
  });
});
