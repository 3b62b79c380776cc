import { describe, expect, it } from 'vitest';
import {
  InvalidRequestError,
  OverloadError,
  UnpreparedError,
  UpstreamError,
} from '../../../src/errors/index.ts';
import { WrittenPartitions, writeEach } from '../../../src/proxy/partial_write.ts';
import { CassandraError } from '../../../src/proxy/reply.ts';
import { StalePlanError } from '../../../src/proxy/stale_plan.ts';
import { Consistency } from '../../../src/wire/index.ts';

const PREFIX = { tracingId: undefined, warnings: [], customPayload: undefined };
const unavailable = new CassandraError({ code: 0x1000, message: 'no', extra: Buffer.alloc(0) });
const overload = new OverloadError('OVERLOAD_CONTENTION', 'too many');

function written(...partitions: string[]): WrittenPartitions {
  const all = new WrittenPartitions();
  for (const partition of partitions) all.add(partition, PREFIX);
  return all;
}

function counted(...partitions: string[]): WrittenPartitions {
  const all = written(...partitions);
  all.holdCounters();
  return all;
}

describe('a failure of a request', () => {
  it('is itself when nothing was written', () => {
    for (const error of [overload, unavailable, new UnpreparedError(Buffer.of(1), 'gone')]) {
      expect(counted().failure(error, Consistency.ONE)).toBe(error);
      expect(written().failure(error, Consistency.ONE)).toBe(error);
    }
  });

  it('is a write timeout of counters when some were incremented and drivers would repeat it', () => {
    for (const error of [overload, unavailable, new UnpreparedError(Buffer.of(1), 'gone')]) {
      const failure = counted('a').failure(error, Consistency.LOCAL_QUORUM);
      expect(failure).toMatchObject({ code: 'UPSTREAM_PARTIAL_WRITE', cqlCode: 0x1100 });
      expect((failure as Error).message).toContain(error.message);
      const { extra } = failure as { extra: Buffer };
      expect(extra.toString('hex')).toBe(
        `000600000000000000010007${Buffer.from('COUNTER').toString('hex')}`,
      );
    }
  });

  it('is a write timeout when the connection broke during an increment', () => {
    const lost = new UpstreamError('UPSTREAM_CONNECTION_LOST', 'lost');
    expect(counted().failure(lost, Consistency.ONE)).toMatchObject({ cqlCode: 0x1100 });
    expect(written().failure(lost, Consistency.ONE)).toBe(lost);
  });

  it('of other writes is Cassandra’s own, and a write timeout where it is the proxy’s', () => {
    expect(written('a').failure(unavailable, Consistency.ONE)).toBe(unavailable);
    expect(written('a').failure(overload, Consistency.ONE)).toMatchObject({
      code: 'UPSTREAM_PARTIAL_WRITE',
    });
  });

  it('stays what no driver repeats', () => {
    const invalid = new InvalidRequestError('table t does not exist');
    expect(counted('a').failure(invalid, Consistency.ONE)).toBe(invalid);
    const timeout = new CassandraError({ code: 0x1100, message: 'm', extra: Buffer.alloc(0) });
    expect(counted('a').failure(timeout, Consistency.ONE)).toBe(timeout);
  });
});

describe('writing partitions', () => {
  it('awaits what is under way before it fails, and begins no more', async () => {
    const events: string[] = [];
    const run = writeEach(['slow', 'stale', 'never'], 2, async (item) => {
      events.push(`begin ${item}`);
      if (item === 'stale') throw new StalePlanError();
      await new Promise((resolve) => setImmediate(resolve));
      events.push(`end ${item}`);
    });
    await expect(run).rejects.toBeInstanceOf(StalePlanError);
    expect(events).toEqual(['begin slow', 'begin stale', 'end slow']);
  });

  it('does not ask for a new plan when a partition failed for good', async () => {
    const run = writeEach(['stale', 'failed'], 2, async (item) => {
      await Promise.resolve();
      throw item === 'stale' ? new StalePlanError() : unavailable;
    });
    await expect(run).rejects.toBe(unavailable);
  });
});
