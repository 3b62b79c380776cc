import { describe, expect, it } from 'vitest';
import { UpstreamError } from '../../../src/errors/index.ts';
import { freshCatalog, usableTable } from '../../../src/proxy/fresh_catalog.ts';
import { StalePlanError } from '../../../src/proxy/stale_plan.ts';
import type { Session } from '../../../src/proxy/session.ts';
import type { TableEntry } from '../../../src/schema/index.ts';

const ID = Buffer.alloc(16, 1);

function tableEntry(version: string): TableEntry {
  return keyedEntry(version, 1);
}

/** A table whose key DEK has an epoch. */
function keyedEntry(version: string, epoch: number, kind = 'encrypted'): TableEntry {
  const deks = [{ structure: 'key', epoch }];
  const record = { tableId: '01', keys: { deks } };
  return { keyspace: 'ks', name: 't', tableId: ID, version, kind, record } as unknown as TableEntry;
}

/** A session whose catalog gets the next table at each reading. */
function sessionOf(tables: readonly TableEntry[]) {
  const state = { reads: 0, ageMs: 0, fails: false };
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
    },
  } as unknown as Session;
  return { session, state };
}

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

describe('a request by an old catalog, a read as well', () => {
  it('is sent without a reading while the catalog is young, and after one otherwise', async () => {
    const first = tableEntry('1');
    const { session, state } = sessionOf([first]);
    state.ageMs = 999;
    expect(usableTable(session, first)).toBeUndefined();
    expect(state.reads).toBe(0);
    state.ageMs = 1000;
    await usableTable(session, first);
    expect(state.reads).toBe(1);
  });

  it('is refused as a write is while the catalog cannot be read', async () => {
    const first = tableEntry('1');
    const { session, state } = sessionOf([first]);
    Object.assign(state, { ageMs: 1000, fails: true });
    await expect(usableTable(session, first)).rejects.toMatchObject({ code: 'UPSTREAM_CONTROL' });
  });

  it('goes on with an older plan while the rows are under the same key', () => {
    const { session } = sessionOf([keyedEntry('2', 1)]);
    expect(usableTable(session, keyedEntry('1', 1))).toBeUndefined();
  });

  it.each([
    ['rewritten', keyedEntry('2', 2)],
    ['being rewritten', keyedEntry('2', 2, 'broken')],
    ['dropped and made anew', { ...keyedEntry('2', 1), record: { tableId: '02' } } as TableEntry],
  ])('is planned again when the table was %s meanwhile', async (_what, current) => {
    const { session } = sessionOf([current]);
    await expect(usableTable(session, keyedEntry('1', 1))).rejects.toBeInstanceOf(StalePlanError);
  });

  it('is planned again when the table is gone', async () => {
    const { session } = sessionOf([]);
    await expect(usableTable(session, keyedEntry('1', 1))).rejects.toBeInstanceOf(StalePlanError);
  });
});
