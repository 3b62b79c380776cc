import { describe, expect, it } from 'vitest';
import { CryptoTicks } from '../../../src/encryption/index.ts';
import type { TurnEnds } from '../../../src/util/index.ts';

/** An event loop whose events and turns end when they are told to. */
class Loop implements TurnEnds {
  #event: (() => void)[] = [];
  #turn: (() => void)[] = [];

  readonly afterEvent = (callback: () => void): void => {
    this.#event.push(callback);
  };

  readonly afterTurn = (callback: () => void): void => {
    this.#turn.push(callback);
  };

  async endEvent(): Promise<void> {
    for (const callback of this.#event.splice(0)) callback();
    await Promise.resolve();
  }

  async endTurn(): Promise<void> {
    for (const callback of this.#turn.splice(0)) callback();
    await Promise.resolve();
  }
}

/** Joins by `events` events of a turn with some requests each; how many batches ran them. */
async function turn(
  loop: Loop,
  ticks: CryptoTicks,
  events: number,
  requests: number,
): Promise<number> {
  const batches = new Set<unknown>();
  let answered = 0;
  for (let event = 0; event < events; event++) {
    for (let request = 0; request < requests; request++) {
      void ticks
        .seal(() => undefined)
        .then(({ batch }) => {
          batches.add(batch);
          answered++;
        });
    }
    await loop.endEvent();
  }
  await loop.endTurn();
  await Promise.resolve();
  expect(answered).toBe(events * requests);
  return batches.size;
}

describe('CryptoTicks', () => {
  it('has one batch for the requests of an event, at its end', async () => {
    const loop = new Loop();
    const ticks = new CryptoTicks(loop);
    const done: unknown[] = [];
    for (let request = 0; request < 5; request++) {
      void ticks.seal(() => request).then(({ queued }) => done.push(queued));
    }
    expect(done).toEqual([]);
    await loop.endEvent();
    expect(done).toEqual([0, 1, 2, 3, 4]);
    await loop.endTurn();
    for (let turns = 0; turns < 100; turns++) expect(await turn(loop, ticks, 1, 32)).toBe(1);
  });

  it('has one batch for all events of a turn where there are many, and goes back', async () => {
    const loop = new Loop();
    const ticks = new CryptoTicks(loop);
    const counts = async (events: number): Promise<number[]> => {
      const found: number[] = [];
      for (let turns = 0; turns < 100; turns++) found.push(await turn(loop, ticks, events, 1));
      return found;
    };
    const first = await counts(8);
    // It is noticed after some batches.
    expect(first[0]).toBe(8);
    expect(new Set(first.slice(10))).toEqual(new Set([1]));
    expect((await counts(2)).slice(1)).toEqual(Array.from({ length: 99 }, () => 2));
    expect(new Set((await counts(3)).slice(40))).toEqual(new Set([1]));
  });

  it('fails only the requests whose values fail', async () => {
    const loop = new Loop();
    const ticks = new CryptoTicks(loop);
    for (let turns = 0; turns < 10; turns++) await turn(loop, ticks, 10, 1);
    let calls = 0;
    const bad = ticks.open((batch) => {
      calls++;
      batch.run = () => {
        throw new RangeError('bad');
      };
    });
    const good = ticks.open(() => 'good');
    await loop.endEvent();
    await loop.endTurn();
    await expect(bad).rejects.toThrow('bad');
    expect((await good).queued).toBe('good');
    expect(calls).toBe(2);
  });
});
