import {
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readAuditLines, verifyAudit } from '../../../src/audit/index.ts';
import type { AuditLine } from '../../../src/audit/index.ts';
import { KeyUnavailableError } from '../../../src/errors/index.ts';
import { AUDIT_KEY, CLUSTER, event, newTrail, settle } from './support.ts';
import type { TrailEnvironment } from './support.ts';

const DAY = 86_400_000;

async function lines({ directory }: TrailEnvironment): Promise<AuditLine[]> {
  const found: AuditLine[] = [];
  for await (const line of readAuditLines(directory)) found.push(line);
  return found;
}

async function problems({ directory, heads }: TrailEnvironment) {
  const reports = await verifyAudit(directory, AUDIT_KEY, CLUSTER, { heads: await heads.list() });
  return reports.map((report) => report.problem);
}

/** Puts a file where the directory was, so that the file of the next day cannot be made. */
function breakDirectory({ directory }: TrailEnvironment): void {
  rmSync(directory, { recursive: true });
  writeFileSync(directory, '');
}

describe('an audit trail', () => {
  it('writes what came before it began, then each event before record resolves', async () => {
    const environment = newTrail();
    const { trail } = environment;
    await trail.record(event({ table: 'early', origin: 'background', principal: 'cqlock' }));
    await environment.begin();
    await trail.record(event({ table: 'late' }));
    expect((await lines(environment)).map((line) => [line.seq, line.kind])).toEqual([
      [0, 'start'],
      [1, 'kms'],
      [2, 'kms'],
    ]);
    expect((await lines(environment))[2]).toMatchObject({
      at: '2026-01-31T12:00:00.000Z',
      process: trail.processId,
      ...event({ table: 'late' }),
    });
    expect(environment.counted).toEqual({ events: 2, failures: 0 });
    await trail.close();
    expect(await problems(environment)).toEqual([undefined]);
  });

  it('lets only its owner read files and directory', async () => {
    const environment = newTrail();
    await environment.begin();
    const [name = ''] = readdirSync(environment.directory);
    expect(name).toBe(`2026-01-31.${environment.trail.processId}.jsonl`);
    expect(statSync(join(environment.directory, name)).mode & 0o777).toBe(0o600);
    expect(statSync(environment.directory).mode & 0o777).toBe(0o700);
  });

  it('keeps the chain in order over midnight, and when the clock goes back', async () => {
    const environment = newTrail();
    await environment.begin();
    environment.clock.advance(DAY);
    await environment.trail.record(event());
    environment.clock.advance(-DAY);
    await environment.trail.record(event());
    await environment.trail.close();
    expect(readdirSync(environment.directory)).toHaveLength(2);
    expect(await problems(environment)).toEqual([undefined]);
  });

  it('keeps the order of events that come at once', async () => {
    const environment = newTrail();
    await environment.begin();
    const tables = Array.from({ length: 500 }, (_, index) => `t${String(index)}`);
    await Promise.all(tables.map((table) => environment.trail.record(event({ table }))));
    const found = (await lines(environment)).flatMap((line) =>
      line.kind === 'kms' ? line.table : [],
    );
    expect(found).toEqual(tables);
    await environment.trail.close();
    expect(await problems(environment)).toEqual([undefined]);
  });

  it('keeps a head each minute, and none while nothing happens', async () => {
    const environment = newTrail();
    await environment.begin();
    const seq = () => environment.heads.heads.get(environment.trail.processId)?.seq;
    expect(seq()).toBe(0);
    await environment.trail.record(event());
    environment.clock.advance(60_000);
    await settle();
    expect(seq()).toBe(1);
    environment.heads.heads.clear();
    environment.clock.advance(60_000);
    await settle();
    expect(seq()).toBeUndefined();
    await environment.trail.record(event());
    environment.clock.advance(60_000);
    await settle();
    expect(seq()).toBe(2);
  });

  it('holds the latest events and the last use of each key, in bounded memory', async () => {
    const environment = newTrail();
    await environment.begin();
    const tables = Array.from({ length: 4100 }, (_, index) => `t${String(index)}`);
    await Promise.all(tables.map((table) => environment.trail.record(event({ table }))));
    await environment.trail.record(
      event({ key: 'k2', result: 'refused', error: 'KEY_DISABLED', table: 'last' }),
    );
    const recent = environment.trail.recent();
    expect(recent).toHaveLength(4096);
    expect([recent[0]?.event.table, recent[0]?.seq]).toEqual(['last', 4101]);
    expect(recent.at(-1)?.event.table).toBe('t5');
    expect(environment.trail.keyUse().get('k2')).toMatchObject({ error: 'KEY_DISABLED' });
    expect(environment.trail.keyUse().size).toBe(2);
  });

  it('tells the log what it could not keep when it never begins', async () => {
    const environment = newTrail();
    await environment.trail.record(event());
    await environment.trail.close();
    expect(environment.logged).toMatchObject([{ fields: { audit: event() } }]);
    await expect(environment.trail.record(event())).rejects.toMatchObject({
      code: 'KEY_AUDIT_LOG',
    });
  });
});

describe('an audit trail that cannot be written', () => {
  it('does not begin', async () => {
    const environment = newTrail();
    writeFileSync(environment.directory, '');
    await expect(environment.begin()).rejects.toMatchObject({ code: 'CONFIG_AUDIT_DIR' });
  });

  it('refuses before the call, and goes on when it can be written again', async () => {
    const environment = newTrail();
    await environment.begin();
    breakDirectory(environment);
    environment.trail.ready();
    environment.clock.advance(DAY);
    expect(() => {
      environment.trail.ready();
    }).toThrow(KeyUnavailableError);
    await expect(environment.trail.record(event())).rejects.toMatchObject({
      code: 'KEY_AUDIT_LOG',
    });
    expect(environment.counted.failures).toBe(2);
    rmSync(environment.directory);
    environment.trail.ready();
    await environment.trail.record(event({ table: 'after' }));
    expect((await lines(environment)).slice(-2)).toMatchObject([
      { kind: 'lost', count: 1 },
      { kind: 'kms', table: 'after' },
    ]);
  });

  it('leaves no part of a line on a full disk, and the chain goes on', async () => {
    const environment = newTrail();
    await environment.begin();
    await environment.trail.record(event({ table: 'before' }));
    environment.clock.advance(DAY);
    const full = join(environment.directory, `2026-02-01.${environment.trail.processId}.jsonl`);
    symlinkSync('/dev/full', full);
    await expect(environment.trail.record(event())).rejects.toMatchObject({
      code: 'KEY_AUDIT_LOG',
    });
    rmSync(full);
    // What a write of half a line leaves.
    writeFileSync(full, '{"seq":2,"at":"20');
    await environment.trail.record(event({ table: 'after' }));
    await environment.trail.close();
    expect((await lines(environment)).map((line) => line.kind)).toEqual([
      'start',
      'kms',
      'lost',
      'kms',
      'stop',
    ]);
    expect(await problems(environment)).toEqual([undefined]);
  });

  it('lets calls go on where it is not required, tells the log, and notes the gap', async () => {
    const environment = newTrail({ required: false });
    await environment.begin();
    breakDirectory(environment);
    environment.clock.advance(DAY);
    environment.trail.ready();
    await environment.trail.record(event());
    await environment.trail.record(event());
    expect(environment.logged.filter(({ fields }) => fields['audit'] !== undefined)).toHaveLength(
      2,
    );
    expect(environment.counted).toEqual({ events: 0, failures: 2 });
    rmSync(environment.directory);
    mkdirSync(environment.directory);
    await environment.trail.record(event());
    const [name = ''] = readdirSync(environment.directory);
    expect(readFileSync(join(environment.directory, name), 'utf8')).toMatch(
      /"kind":"lost","count":2/,
    );
  });
});
