import { describe, expect, it } from 'vitest';
import { SchemaError } from '../../../src/errors/index.ts';
import { findTable } from '../../../src/proxy/compile.ts';
import type { Session } from '../../../src/proxy/session.ts';
import type { TableEntry } from '../../../src/schema/index.ts';

function entry(code?: `SCHEMA_${string}`): TableEntry {
  const error = code === undefined ? undefined : new SchemaError(code, 'not now');
  return { keyspace: 'ks', name: 't', kind: 'encrypted', error } as unknown as TableEntry;
}

/** A session whose catalog has one table now and another one at the next reading. */
function sessionOf(now: TableEntry | undefined, next: TableEntry | undefined) {
  const state = { reads: 0, ageMs: 500 };
  const snapshotOf = (table: TableEntry | undefined) => ({
    table: () => table,
    keyspace: () => ({}),
  });
  const catalog = {
    ageMs: () => state.ageMs,
    snapshot: () => snapshotOf(state.reads === 0 ? now : next),
    refresh: () => {
      state.reads++;
      return Promise.resolve(snapshotOf(next));
    },
  };
  return { session: { services: { catalog } } as unknown as Session, state };
}

describe('a table is looked up', () => {
  it('without a reading where it is known', async () => {
    const known = entry();
    const { session, state } = sessionOf(known, undefined);
    expect((await findTable(session, 'ks', 't'))[0]).toBe(known);
    expect(state.reads).toBe(0);
  });

  it.each(['SCHEMA_RESTORING', 'SCHEMA_REWRITING'] as const)(
    'again where it was closed for a while: %s',
    async (code) => {
      const open = entry();
      const { session, state } = sessionOf(entry(code), open);
      expect((await findTable(session, 'ks', 't'))[0]).toBe(open);
      expect(state.reads).toBe(1);
    },
  );

  it('and is still closed where the next reading says so', async () => {
    const { session } = sessionOf(entry('SCHEMA_RESTORING'), entry('SCHEMA_RESTORING'));
    const [table] = await findTable(session, 'ks', 't');
    expect(table.error?.code).toBe('SCHEMA_RESTORING');
  });

  it('from a snapshot that has just been read, whatever it says', async () => {
    const { session, state } = sessionOf(entry('SCHEMA_RESTORING'), entry());
    state.ageMs = 50;
    const [table] = await findTable(session, 'ks', 't');
    expect(table.error?.code).toBe('SCHEMA_RESTORING');
    expect(state.reads).toBe(0);
  });

  it('and is unknown only after a reading', async () => {
    const { session, state } = sessionOf(undefined, undefined);
    await expect(findTable(session, 'ks', 't')).rejects.toMatchObject({ cqlCode: 0x2200 });
    expect(state.reads).toBe(1);
  });
});
