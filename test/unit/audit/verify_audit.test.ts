import { createHmac } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { verifyAudit } from '../../../src/audit/index.ts';
import type { ChainReport } from '../../../src/audit/index.ts';
import { AUDIT_KEY, CLUSTER, event, newTrail } from './support.ts';
import type { TrailEnvironment } from './support.ts';

/** A chain of seven lines over two days: start, three uses, two uses, stop. */
async function ended(environment = newTrail()): Promise<TrailEnvironment> {
  const { trail, clock, begin } = environment;
  await begin();
  for (const table of ['a', 'b', 'c']) await trail.record(event({ table }));
  clock.advance(86_400_000);
  for (const table of ['d', 'e']) await trail.record(event({ table }));
  await trail.close();
  return environment;
}

async function verify(environment: TrailEnvironment, key = AUDIT_KEY): Promise<ChainReport> {
  const { directory, heads } = environment;
  const [report] = await verifyAudit(directory, key, CLUSTER, { heads: await heads.list() });
  if (report === undefined) throw new Error('no chain was found');
  return report;
}

/** Changes the lines of one of the files, counted from the first day. */
function edit(environment: TrailEnvironment, file: number, change: (lines: string[]) => string[]) {
  const path = join(environment.directory, readdirSync(environment.directory).sort()[file] ?? '');
  const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1);
  writeFileSync(
    path,
    change(lines)
      .map((line) => `${line}\n`)
      .join(''),
  );
}

describe('a whole log', () => {
  it('verifies over days', async () => {
    const report = await verify(await ended());
    expect(report.problem).toBeUndefined();
    expect(report).toMatchObject({ lines: 7, isClosed: true, anchoredSeq: 6 });
    expect(report.files).toHaveLength(2);
    expect(report.from).toBe('2026-01-31T12:00:00.000Z');
    expect(report.to).toBe('2026-02-01T12:00:00.000Z');
  });

  it('of two processes in one directory verifies', async () => {
    const first = await ended();
    const second = await ended(newTrail({ directory: first.directory, heads: first.heads }));
    const reports = await verifyAudit(second.directory, AUDIT_KEY, CLUSTER, {
      heads: await first.heads.list(),
    });
    expect(reports.map((report) => [report.lines, report.problem])).toEqual([
      [7, undefined],
      [7, undefined],
    ]);
  });

  it('of a process that was killed verifies up to its torn last line', async () => {
    const environment = newTrail();
    await environment.begin();
    await environment.trail.record(event());
    edit(environment, 0, (lines) => lines);
    const [name = ''] = readdirSync(environment.directory);
    const path = join(environment.directory, name);
    writeFileSync(path, `${readFileSync(path, 'utf8')}{"seq":2,"at":"20`);
    expect(await verify(environment)).toMatchObject({
      lines: 2,
      isClosed: false,
      problem: undefined,
    });
  });

  it('has the bytes that the format says', async () => {
    const environment = await ended();
    const hmac = (key: Buffer, ...parts: (string | Buffer)[]): Buffer => {
      const mac = createHmac('sha256', key);
      for (const part of parts) mac.update(part);
      return mac.digest();
    };
    const names = readdirSync(environment.directory).sort();
    const text = names
      .map((name) => readFileSync(join(environment.directory, name), 'utf8'))
      .join('');
    const processId = Buffer.from(environment.trail.processId.replaceAll('-', ''), 'hex');
    let key = hmac(AUDIT_KEY, 'cqlock/1/audit/start\0', processId);
    let previous: Buffer = Buffer.alloc(32);
    const lines = text.split('\n').slice(0, -1);
    expect(lines).toHaveLength(7);
    for (const line of lines) {
      const { mac, ...fields } = JSON.parse(line) as { mac: string };
      previous = hmac(key, 'cqlock/1/audit/line\0', previous, JSON.stringify(fields));
      expect(mac).toBe(previous.toString('hex'));
      key = hmac(key, 'cqlock/1/audit/next\0');
    }
    const seq = Buffer.from('0000000000000006', 'hex');
    const head = environment.heads.heads.get(environment.trail.processId);
    expect(Buffer.from(head?.headMac ?? []).toString('hex')).toBe(
      hmac(key, 'cqlock/1/audit/head\0', CLUSTER, processId, seq, previous).toString('hex'),
    );
  });
});

describe('what is found, with file and line', () => {
  const cases: {
    name: string;
    file: number;
    change: (lines: string[]) => string[];
    at: [file: number, line: number];
    reason: RegExp;
  }[] = [
    {
      name: 'a removed line',
      file: 0,
      change: (lines) => lines.toSpliced(2, 1),
      at: [0, 3],
      reason: /number 3, number 2 must stand here/,
    },
    {
      name: 'the first line removed',
      file: 0,
      change: (lines) => lines.slice(1),
      at: [0, 1],
      reason: /number 1, number 0 must stand here/,
    },
    {
      name: 'two lines in the other order',
      file: 0,
      change: ([start = '', a = '', b = '', c = '']) => [start, b, a, c],
      at: [0, 2],
      reason: /number 2, number 1 must stand here/,
    },
    {
      name: 'a line twice',
      file: 0,
      change: (lines) => lines.toSpliced(2, 0, lines[1] ?? ''),
      at: [0, 3],
      reason: /number 1, number 2 must stand here/,
    },
    {
      name: 'an edited principal',
      file: 0,
      change: (lines) =>
        lines.map((line, index) => (index === 2 ? line.replace('alice', 'mallory') : line)),
      at: [0, 3],
      reason: /altered/,
    },
    {
      name: 'one digit of a MAC changed',
      file: 0,
      change: (lines) =>
        lines.map((line, index) =>
          index === 1 ? line.replace(/.(?="\}$)/, (digit) => (digit === '0' ? '1' : '0')) : line,
        ),
      at: [0, 2],
      reason: /altered/,
    },
    {
      name: 'white space added in a line',
      file: 0,
      change: (lines) => lines.map((line, index) => (index === 1 ? line.replace(',', ', ') : line)),
      at: [0, 2],
      reason: /altered/,
    },
    {
      name: 'something else between the lines',
      file: 1,
      change: (lines) => lines.toSpliced(1, 0, 'hello'),
      at: [1, 2],
      reason: /no line of the audit log/,
    },
    {
      name: 'a line removed at the end of a day',
      file: 0,
      change: (lines) => lines.slice(0, -1),
      at: [1, 1],
      reason: /number 4, number 3 must stand here/,
    },
    {
      name: 'the end cut off',
      file: 1,
      change: (lines) => lines.slice(0, 1),
      at: [1, 1],
      reason: /cut off: line number 6 was there on 2026-02-01/,
    },
    {
      name: 'a line after the end',
      file: 1,
      change: (lines) => [...lines, lines[0] ?? ''],
      at: [1, 4],
      reason: /follow the last line/,
    },
  ];

  it.each(cases)('$name', async ({ file, change, at, reason }) => {
    const environment = await ended();
    const names = readdirSync(environment.directory).sort();
    edit(environment, file, change);
    const { problem } = await verify(environment);
    expect(problem?.reason).toMatch(reason);
    expect([problem?.file, problem?.line]).toEqual([names[at[0]], at[1]]);
  });

  it('a whole chain made again without the key', async () => {
    const real = await ended();
    const forged = newTrail({ heads: real.heads });
    await forged.trail.begin({
      auditKey: Buffer.alloc(32, 0x99),
      clusterId: CLUSTER,
      heads: forged.heads,
    });
    await forged.trail.record(event());
    await forged.trail.close();
    const { problem } = await verify({ ...forged, heads: forged.heads }, AUDIT_KEY);
    expect(problem).toMatchObject({ line: 1, reason: expect.stringMatching(/without the key/) });
  });

  it('a chain given out as that of another process', async () => {
    const environment = await ended();
    for (const name of readdirSync(environment.directory)) {
      const path = join(environment.directory, name);
      const other = name.replace(/\.[0-9a-f]{8}/, '.00000000');
      writeFileSync(join(environment.directory, other), readFileSync(path));
      rmSync(path);
    }
    const reports = await verifyAudit(environment.directory, AUDIT_KEY, CLUSTER, { heads: [] });
    expect(reports[0]?.problem).toMatchObject({
      line: 1,
      reason: expect.stringMatching(/altered/),
    });
  });

  it('all files of a process removed', async () => {
    const environment = await ended();
    for (const name of readdirSync(environment.directory)) {
      rmSync(join(environment.directory, name));
    }
    expect((await verify(environment)).problem).toEqual({
      file: undefined,
      line: 0,
      reason: 'all lines are missing: there were at least 7',
    });
  });

  it('the last day removed', async () => {
    const environment = await ended();
    const [first, second = ''] = readdirSync(environment.directory).sort();
    rmSync(join(environment.directory, second));
    expect((await verify(environment)).problem).toMatchObject({
      file: first,
      line: 4,
      reason: expect.stringMatching(/cut off/),
    });
  });

  it('a head that was removed, or altered', async () => {
    const environment = await ended();
    const { processId } = environment.trail;
    const head = environment.heads.heads.get(processId);
    if (head === undefined) throw new Error('there is no head');
    environment.heads.heads.set(processId, { ...head, headMac: Buffer.alloc(32) });
    expect((await verify(environment)).problem?.reason).toMatch(/head .* altered/);
    environment.heads.heads.delete(processId);
    expect((await verify(environment)).problem?.reason).toMatch(/head .* missing/);
  });

  it('a head made for an earlier line from what the memory holds later', async () => {
    const environment = await ended();
    const { processId } = environment.trail;
    const head = environment.heads.heads.get(processId);
    if (head === undefined) throw new Error('there is no head');
    // The MAC of line 4 is in the file; the key of its head is gone.
    const [, second = ''] = readdirSync(environment.directory).sort();
    const [line = ''] = readFileSync(join(environment.directory, second), 'utf8').split('\n');
    const { mac } = JSON.parse(line) as { mac: string };
    edit(environment, 1, (lines) => lines.slice(0, 1));
    environment.heads.heads.set(processId, { ...head, seq: 4, lineMac: Buffer.from(mac, 'hex') });
    expect((await verify(environment)).problem?.reason).toMatch(/head .* altered/);
  });
});
