import { describe, expect, it } from 'vitest';
import { KeyAccessError } from '../../../src/errors/index.ts';
import { KeyNotices } from '../../../src/lifecycle/index.ts';
import type { PendingNotice } from '../../../src/lifecycle/index.ts';
import { silentLogger } from '../../../src/observability/index.ts';
import type { TableRecord } from '../../../src/schema/index.ts';
import { fakeClock } from '../../support/fake_clock.ts';

const ERROR = new KeyAccessError('KEY_NOT_FOUND', 'the KMS has no key arn:1');

function environment(channels: readonly string[] = ['webhook:1']) {
  const kept: PendingNotice[] = [];
  const lost: unknown[] = [];
  let fails = false;
  const notices = new KeyNotices({
    channels,
    keep: (pending) => {
      if (fails) return Promise.reject(new TypeError('disk is full'));
      kept.push(pending);
      return Promise.resolve();
    },
    onKept: () => undefined,
    clock: fakeClock(),
    logger: { ...silentLogger, error: (fields) => lost.push(fields['keyArn']) },
  });
  return { notices, kept, lost, fail: () => (fails = true) };
}

function record(state: TableRecord['state'], serviceOwned: boolean): TableRecord {
  const keys = { keyArn: 'arn:1', serviceOwned, tableKeys: [{ keyArn: 'arn:1' }] };
  return { state, keyspace: 'ks', name: 't', tableId: '0a', keys } as unknown as TableRecord;
}

async function settle(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

describe('notices that no record holds', () => {
  it('tell of a refused key by statement, table and code', async () => {
    const env = environment();
    env.notices.keyRefused({ keyspace: 'ks', table: 't', keyArn: 'arn:1', error: ERROR });
    env.notices.keyRefused({ keyspace: 'ks', table: undefined, keyArn: 'arn:1', error: ERROR });
    await settle();
    expect(env.kept).toMatchObject([
      {
        channels: ['webhook:1'],
        notice: { event: 'key_refused', table: 't', reason: 'KEY_NOT_FOUND' },
      },
      { notice: { event: 'key_refused', keyspace: 'ks', table: null } },
    ]);
    expect(JSON.stringify(env.kept)).not.toContain('the KMS has');
  });

  it('that cannot be kept are in the log, and the statement does not notice', async () => {
    const env = environment();
    env.fail();
    env.notices.keyRefused({ keyspace: 'ks', table: 't', keyArn: 'arn:1', error: ERROR });
    await settle();
    expect(env.lost).toEqual(['arn:1']);
  });

  it('tell of released grants once a table, however often it is called', async () => {
    const env = environment();
    await env.notices.grantsReleased(record('DROPPED', false));
    await env.notices.grantsReleased(record('DROPPED', false));
    expect(new Set(env.kept.map(({ notice }) => notice.id)).size).toBe(1);
    expect(env.kept[0]?.notice).toMatchObject({ event: 'grant_released', keyArn: 'arn:1' });
    expect(env.kept[0]?.notice.id).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  });

  it('say nothing of service-owned keys, of tables that never came to be, and without channels', async () => {
    const env = environment();
    await env.notices.grantsReleased(record('DROPPED', true));
    await env.notices.grantsReleased(record('ABANDONED', false));
    expect(env.kept).toEqual([]);
    const silent = environment([]);
    await silent.notices.grantsReleased(record('DROPPED', false));
    expect(silent.kept).toEqual([]);
  });
});
