import { describe, expect, it } from 'vitest';
import { deriveCatalogKeys } from '../../../src/crypto/index.ts';
import {
  openPagingState,
  pagingBinding,
  sealPagingState,
} from '../../../src/proxy/paging_state.ts';
import type { TableEntry } from '../../../src/schema/index.ts';

const KEY = deriveCatalogKeys(Buffer.alloc(32, 1), Buffer.alloc(16, 2)).paging;
const NOW_MS = 1_700_000_000_000;
const POSITION = { partition: 3, remaining: 7, upstream: Buffer.from('place'), isCounted: false };

function table(epochs: readonly number[], id = 1): TableEntry {
  const deks = epochs.map((epoch) => ({ structure: 'key', epoch }));
  return {
    keyspace: 'ks',
    tableId: Buffer.alloc(16, id),
    record: { keys: { deks } },
  } as unknown as TableEntry;
}

describe('a paging state', () => {
  const state = sealPagingState(KEY, pagingBinding(4, table([1]), 'SELECT'), POSITION, NOW_MS);

  it('is opened for the statement and the table it is of', () => {
    const binding = pagingBinding(4, table([1]), 'SELECT');
    expect(openPagingState(KEY, binding, state, NOW_MS)).toEqual(POSITION);
  });

  it.each([
    ['another statement', pagingBinding(4, table([1]), 'SELECT *')],
    ['another table', pagingBinding(4, table([1], 2), 'SELECT')],
    ['another version of the protocol', pagingBinding(5, table([1]), 'SELECT')],
    ['the table under another key DEK', pagingBinding(4, table([2]), 'SELECT')],
    ['the table while its rows are moved', pagingBinding(4, table([1, 2]), 'SELECT')],
  ])('is refused for %s', (_what, binding) => {
    expect(() => openPagingState(KEY, binding, state, NOW_MS)).toThrow(
      'Invalid value for the paging state',
    );
  });
});
