import { describe, expect, it } from 'vitest';
import { InvalidRequestError } from '../../../src/errors/index.ts';
import { WrittenPartitions } from '../../../src/proxy/partial_write.ts';
import type { Reply } from '../../../src/proxy/reply.ts';
import type { RequestContext, Session } from '../../../src/proxy/session.ts';
import { StalePlanError } from '../../../src/proxy/stale_plan.ts';
import { untilCurrent } from '../../../src/proxy/until_current.ts';

const REPLY = { opcode: 8 } as unknown as Reply;
const CONSISTENCY = 6;

/** A request whose table changes with each reading of the catalog, which takes `readMs`. */
function changing(readMs: number) {
  const state = { nowMs: 0, reads: 0, attempts: 0 };
  const services = {
    nowMs: () => state.nowMs,
    catalog: {
      refresh: async () => {
        await Promise.resolve();
        state.reads++;
        state.nowMs += readMs;
      },
    },
  };
  const session = { services } as unknown as Session;
  const written = new WrittenPartitions();
  const context = {
    written,
    options: { consistency: CONSISTENCY },
  } as unknown as RequestContext;
  const run = (attempt: (count: number) => Reply): Promise<Reply> =>
    untilCurrent(session, context, async () => {
      await Promise.resolve();
      return attempt(++state.attempts);
    });
  return { state, written, run };
}

describe('a statement whose table changes while it is planned', () => {
  it('is planned again for as long as schema changes may follow each other', async () => {
    const { state, run } = changing(200);
    const reply = await run((count) => {
      if (count < 40) throw new StalePlanError();
      return REPLY;
    });
    expect(reply).toBe(REPLY);
    expect(state).toMatchObject({ attempts: 40, reads: 38 });
  });

  it('ends with an error that clients repeat, not with one of a defect', async () => {
    const { state, run } = changing(200);
    const endless = run(() => {
      throw new StalePlanError();
    });
    await expect(endless).rejects.toMatchObject({
      code: 'OVERLOAD_SCHEMA_CHANGE',
      cqlCode: 0x1001,
    });
    expect(state.nowMs).toBe(10_000);
  });

  it('is planned five times also where one reading takes longer than that', async () => {
    const { state, run } = changing(60_000);
    const endless = run(() => {
      throw new StalePlanError();
    });
    await expect(endless).rejects.toMatchObject({ code: 'OVERLOAD_SCHEMA_CHANGE' });
    expect(state.attempts).toBe(5);
  });

  it('is a write timeout where a part of it was written before', async () => {
    const { written, run } = changing(60_000);
    const endless = run(() => {
      written.add('a', undefined);
      throw new StalePlanError();
    });
    await expect(endless).rejects.toMatchObject({ cqlCode: 0x1100 });
  });

  it('ends at once with any other error', async () => {
    const { state, run } = changing(1);
    const refused = run(() => {
      throw new InvalidRequestError('no');
    });
    await expect(refused).rejects.toMatchObject({ message: 'no' });
    expect(state.reads).toBe(0);
  });
});
