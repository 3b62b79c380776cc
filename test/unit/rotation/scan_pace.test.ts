import { describe, expect, it } from 'vitest';
import { cellBytes, ScanPace } from '../../../src/rotation/index.ts';
import { fakeClock } from '../../support/fake_clock.ts';

const MIB = 1024 * 1024;

describe('ScanPace', () => {
  it('makes pages smaller down to a row while they are too large, and larger again up to the first size', () => {
    const pace = new ScanPace(fakeClock(), { fetchSize: 8, rowsPerSecond: 1000 });
    const sizes: number[] = [];
    for (const bytes of [
      9 * MIB,
      9 * MIB,
      9 * MIB,
      9 * MIB,
      4 * MIB,
      MIB,
      MIB,
      MIB,
      MIB,
      MIB,
      MIB,
    ]) {
      pace.sized(bytes);
      sizes.push(pace.fetchSize);
    }
    expect(sizes).toEqual([4, 2, 1, 1, 1, 2, 3, 5, 8, 8, 8]);
  });

  it('waits until the rows of a page are due', async () => {
    const clock = fakeClock();
    const pace = new ScanPace(clock, { rowsPerSecond: 100 });
    const startedMs = clock.monotonicMs();
    clock.advance(400);
    let isDone = false;
    const done = pace.throttle(100, startedMs).then(() => {
      isDone = true;
    });
    clock.advance(599);
    await Promise.resolve();
    expect(isDone).toBe(false);
    clock.advance(1);
    await done;
    await pace.throttle(100, startedMs);
  });

  it('counts the bytes of cells, entries of maps and elements', () => {
    const cell = (bytes: number) => ({ value: Buffer.alloc(bytes), timestamp: 1n, ttl: null });
    const row = {
      partition: [Buffer.alloc(100)],
      clustering: [],
      statics: [cell(1), null],
      regulars: [cell(2), cell(4)],
      regularMaps: [[[Buffer.alloc(8), Buffer.alloc(16)] as const]],
      regularCollections: [[{ ...cell(32), key: Buffer.alloc(64) }], [cell(128)]],
    };
    expect(cellBytes({ rows: [row, row], next: undefined })).toBe(2 * 255);
  });
});
