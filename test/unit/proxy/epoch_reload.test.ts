import { describe, expect, it } from 'vitest';
import type { TableCipherKeys } from '../../../src/crypto/index.ts';
import { CryptoTicks } from '../../../src/encryption/index.ts';
import { CiphertextError, UpstreamError } from '../../../src/errors/index.ts';
import { freshCatalog, openKnownEpochs } from '../../../src/proxy/epoch_reload.ts';
import { StalePlanError } from '../../../src/proxy/run_stored.ts';
import type { Session } from '../../../src/proxy/session.ts';
import type { TableEntry } from '../../../src/schema/index.ts';

const ID = Buffer.alloc(16, 1);

function tableEntry(version: string, tableId: Uint8Array = ID): TableEntry {
  return { keyspace: 'ks', name: 't', tableId, version } as unknown as TableEntry;
}

/** A session whose catalog gets the next table at each reading; keys are named by the version of the table. */
function sessionOf(tables: readonly TableEntry[]) {
  const state = { reads: 0, ageMs: 0, nowMs: 1_000_000, fails: false };
  const catalog = {
    ageMs: () => state.ageMs,
    snapshot: () => ({ table: () => tables[Math.min(state.reads, tables.length - 1)] }),
    refresh: async () => {
      await Promise.resolve();
      if (state.fails) throw new UpstreamError('UPSTREAM_CONTROL', 'cannot read');
      state.reads++;
      return catalog.snapshot();
    },
  };
  const session = {
    services: {
      catalog,
      catalogMaxAgeMs: 1000,
      nowMs: () => state.nowMs,
      ticks: new CryptoTicks((callback) => {
        setImmediate(callback);
      }),
    },
    leases: { acquire: (table: TableEntry) => table.version as unknown as TableCipherKeys },
  } as unknown as Session;
  return { session, state };
}

/** Queues what only the keys of a version can open. */
function openableBy(version: string) {
  return (_batch: unknown, keys: TableCipherKeys): string => {
    if ((keys as unknown as string) === version) return 'opened';
    throw new CiphertextError('CIPHERTEXT_EPOCH', 'ks.t.v');
  };
}

describe('a cell of an unknown epoch', () => {
  it('is opened by the keys of the table as it is after another reading', async () => {
    const first = tableEntry('1');
    const { session, state } = sessionOf([first, tableEntry('2')]);
    expect(await openKnownEpochs(session, first, openableBy('2'))).toBe('opened');
    expect(state.reads).toBe(1);
    expect(await openKnownEpochs(session, first, openableBy('1'))).toBe('opened');
    expect(state.reads).toBe(1);
  });

  it('reads the catalog once a table and second, then is the error', async () => {
    const first = tableEntry('1');
    const { session, state } = sessionOf([first, tableEntry('2')]);
    const attempt = () => openKnownEpochs(session, first, openableBy('never'));
    const answers = await Promise.allSettled(Array.from({ length: 20 }, attempt));
    for (const answer of answers) {
      expect(answer).toMatchObject({ status: 'rejected', reason: { code: 'CIPHERTEXT_EPOCH' } });
    }
    expect(state.reads).toBe(1);
    state.nowMs += 999;
    await expect(attempt()).rejects.toMatchObject({ code: 'CIPHERTEXT_EPOCH' });
    expect(state.reads).toBe(1);
    state.nowMs += 1;
    await expect(attempt()).rejects.toMatchObject({ code: 'CIPHERTEXT_EPOCH' });
    expect(state.reads).toBe(2);
  });

  it('of a table that was made anew is the error', async () => {
    const first = tableEntry('1');
    const { session } = sessionOf([first, tableEntry('2', Buffer.alloc(16, 2))]);
    await expect(openKnownEpochs(session, first, openableBy('2'))).rejects.toMatchObject({
      code: 'CIPHERTEXT_EPOCH',
    });
  });

  it('reads nothing again for other failures', async () => {
    const first = tableEntry('1');
    const { session, state } = sessionOf([first]);
    const queue = (): never => {
      throw new CiphertextError('CIPHERTEXT_TAG', 'ks.t.v');
    };
    await expect(openKnownEpochs(session, first, queue)).rejects.toMatchObject({
      code: 'CIPHERTEXT_TAG',
    });
    expect(state.reads).toBe(0);
  });
});

describe('a write by an old catalog', () => {
  it('waits for a reading, and is planned again where its table has changed', async () => {
    const first = tableEntry('1');
    const { session, state } = sessionOf([first, first, tableEntry('2')]);
    state.ageMs = 999;
    expect(freshCatalog(session, [first])).toBeUndefined();
    expect(state.reads).toBe(0);
    state.ageMs = 1000;
    await freshCatalog(session, [first]);
    expect(state.reads).toBe(1);
    await expect(freshCatalog(session, [first])).rejects.toBeInstanceOf(StalePlanError);
  });

  it('is refused while the catalog cannot be read', async () => {
    const first = tableEntry('1');
    const { session, state } = sessionOf([first]);
    Object.assign(state, { ageMs: 1000, fails: true });
    await expect(freshCatalog(session, [first])).rejects.toMatchObject({
      code: 'UPSTREAM_CONTROL',
    });
  });
});
