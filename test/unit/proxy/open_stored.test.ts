import { describe, expect, it } from 'vitest';
import type { TableCipherKeys } from '../../../src/crypto/index.ts';
import { CiphertextError } from '../../../src/errors/index.ts';
import { openStored } from '../../../src/proxy/open_stored.ts';
import type { Session } from '../../../src/proxy/session.ts';
import { encryptedTable } from '../../support/table_entry.ts';

const TABLE = encryptedTable(Buffer.alloc(16), {
  provider: '',
  keyArn: '',
  serviceOwned: true,
  tableKeys: [],
  deks: [],
  minEpoch: 1,
});
const OLD = { epoch: 'old' } as unknown as TableCipherKeys;
const NEW = { epoch: 'new' } as unknown as TableCipherKeys;

/** A session whose leases give old keys, and newer ones where there are any. */
function session(newer: TableCipherKeys | undefined) {
  const asked: TableCipherKeys[] = [];
  const leases = {
    acquire: () => OLD,
    newer: (_: unknown, known: TableCipherKeys) => {
      asked.push(known);
      return Promise.resolve(newer);
    },
  };
  const ticks = {
    open: async (queue: (batch: undefined) => unknown) => ({
      queued: await Promise.resolve(queue(undefined)),
    }),
  };
  return { asked, session: { leases, services: { ticks } } as unknown as Session };
}

/** Opens with new keys only. */
function onlyNew(code: 'CIPHERTEXT_EPOCH' | 'CIPHERTEXT_TAG') {
  return (_: unknown, keys: TableCipherKeys): TableCipherKeys => {
    if (keys !== NEW) throw new CiphertextError(code, 'ks.t');
    return keys;
  };
}

describe('values of an epoch that the keys lack', () => {
  it('are opened with newer keys', async () => {
    const { asked, session: one } = session(NEW);
    expect(await openStored(one, TABLE, onlyNew('CIPHERTEXT_EPOCH'))).toBe(NEW);
    expect(asked).toEqual([OLD]);
  });

  it('are an error where there are no newer keys', async () => {
    const { session: one } = session(undefined);
    const opened = openStored(one, TABLE, onlyNew('CIPHERTEXT_EPOCH'));
    await expect(opened).rejects.toMatchObject({ code: 'CIPHERTEXT_EPOCH' });
  });

  it('are an error where the newer keys lack it too: it is tried once', async () => {
    const { asked, session: one } = session(OLD);
    const opened = openStored(one, TABLE, onlyNew('CIPHERTEXT_EPOCH'));
    await expect(opened).rejects.toMatchObject({ code: 'CIPHERTEXT_EPOCH' });
    expect(asked).toHaveLength(1);
  });
});

describe('other failures', () => {
  it('never ask for other keys', async () => {
    const { asked, session: one } = session(NEW);
    const opened = openStored(one, TABLE, onlyNew('CIPHERTEXT_TAG'));
    await expect(opened).rejects.toMatchObject({ code: 'CIPHERTEXT_TAG' });
    expect(asked).toEqual([]);
  });
});
