import { describe, expect, it } from 'vitest';
import { InvalidRequestError, OverloadError, UpstreamError } from '../../../src/errors/index.ts';
import { plannedByPresent } from '../../../src/proxy/present_refusal.ts';
import type { Session } from '../../../src/proxy/session.ts';

/** A session whose schema was read so long ago, and which plans a statement that is valid after so many readings. */
function sessionOf(
  ageMs: number,
  validAfter: number,
  error: Error = new InvalidRequestError('no'),
) {
  const state = { reads: 0, plans: 0, fails: false };
  const catalog = {
    ageMs: () => ageMs,
    refresh: async () => {
      await Promise.resolve();
      if (state.fails) throw new UpstreamError('UPSTREAM_CONTROL', 'cannot read');
      state.reads++;
    },
  };
  const session = { services: { catalog } } as unknown as Session;
  const plan = async (): Promise<string> => {
    await Promise.resolve();
    state.plans++;
    if (state.reads < validAfter) throw error;
    return 'planned';
  };
  return { state, run: () => plannedByPresent(session, plan) };
}

describe('a statement is planned', () => {
  it('without a reading of the schema where it is valid', async () => {
    const { state, run } = sessionOf(60_000, 0);
    expect(await run()).toBe('planned');
    expect(state).toMatchObject({ reads: 0, plans: 1 });
  });

  it('by the present schema before it is refused by one of before', async () => {
    const { state, run } = sessionOf(1_000, 1);
    expect(await run()).toBe('planned');
    expect(state).toMatchObject({ reads: 1, plans: 2 });
  });

  it('once more only, and not where the schema has just been read', async () => {
    const old = sessionOf(1_000, 9);
    await expect(old.run()).rejects.toMatchObject({ message: 'no' });
    expect(old.state).toMatchObject({ reads: 1, plans: 2 });
    const young = sessionOf(999, 1);
    await expect(young.run()).rejects.toMatchObject({ message: 'no' });
    expect(young.state).toMatchObject({ reads: 0, plans: 1 });
  });

  it('once where it is refused for something else than what it says', async () => {
    const { state, run } = sessionOf(60_000, 1, new OverloadError('OVERLOAD_NO_NODE', 'later'));
    await expect(run()).rejects.toMatchObject({ code: 'OVERLOAD_NO_NODE' });
    expect(state.reads).toBe(0);
  });

  it('and refused as it was where the schema cannot be read', async () => {
    const { state, run } = sessionOf(60_000, 1);
    state.fails = true;
    await expect(run()).rejects.toMatchObject({ message: 'no' });
  });
});
