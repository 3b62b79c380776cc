import { describe, expect, it } from 'vitest';
import { deriveCatalogKeys } from '../../../src/crypto/index.ts';
import type { BoundEvaluation } from '../../../src/encryption/index.ts';
import { evaluatedPosition, selectPosition } from '../../../src/proxy/continued_read.ts';
import type { SentState } from '../../../src/proxy/continued_read.ts';
import { encodePosition } from '../../../src/proxy/evaluated_position.ts';
import {
  EVALUATED_FORMAT,
  ORDERED_FORMAT,
  pagingBinding,
  sealPagingState,
  sealPosition,
} from '../../../src/proxy/paging_state.ts';
import type { PagingPosition } from '../../../src/proxy/paging_state.ts';
import type { TableEntry } from '../../../src/schema/index.ts';

const KEY = deriveCatalogKeys(Buffer.alloc(32, 1), Buffer.alloc(16, 2)).paging;
const NOW_MS = 1_700_000_000_000;
const TABLE = { keyspace: 'ks', tableId: Buffer.alloc(16, 1) } as unknown as TableEntry;
const REFUSED = 'Invalid value for the paging state';
const upstream = Buffer.from('place');
const partition = { digest: Buffer.alloc(16, 7), count: 4 };

function bindingOf(own: number | undefined, text = 'SELECT'): SentState['binding'] {
  return (format = own) => pagingBinding(4, TABLE, text, format);
}

/** A state that Cassandra's reader gave, as a reader gets it whose own states have format `own`. */
function ofSelect(position: PagingPosition, own?: number, text = 'SELECT'): SentState {
  const state = sealPagingState(KEY, bindingOf(undefined)(), position, NOW_MS);
  return { key: KEY, binding: bindingOf(own, text), state, nowMs: NOW_MS };
}

/** A state that the proxy's reader gave. */
function ofEvaluated(
  remaining: number | undefined,
  own?: number,
  format = EVALUATED_FORMAT,
): SentState {
  const position = encodePosition({ read: 2, upstream, remaining, partition });
  const state = sealPosition(KEY, bindingOf(format)(), position, NOW_MS);
  return { key: KEY, binding: bindingOf(own), state, nowMs: NOW_MS };
}

function evaluation(
  plan: Partial<BoundEvaluation['plan']> = {},
  limits: { readonly limit?: number; readonly perPartitionLimit?: number } = {},
): BoundEvaluation {
  const whole = { filters: [], isTotal: false, sortBy: [], ...plan };
  return { plan: whole, ...limits } as unknown as BoundEvaluation;
}

const FILTERED = evaluation({ filters: [() => () => true] });

describe('a page that Cassandra evaluates after one of the proxy', () => {
  it.each([undefined, 9])('goes on at the same row, with %s rows of LIMIT left', (remaining) => {
    const next = selectPosition({ perPartitionLimit: undefined }, ofEvaluated(remaining));
    expect(next).toEqual({ partition: 2, remaining, upstream, isCounted: false });
  });

  it('is refused where rows of a partition are counted, and after rows that the proxy sorted', () => {
    expect(() => selectPosition({ perPartitionLimit: 3 }, ofEvaluated(undefined))).toThrow(REFUSED);
    const sorted = ofEvaluated(undefined, undefined, ORDERED_FORMAT);
    expect(() => selectPosition({ perPartitionLimit: undefined }, sorted)).toThrow(REFUSED);
  });
});

describe('a page that the proxy evaluates after one of Cassandra', () => {
  const scan = { partition: 0, remaining: undefined, upstream, isCounted: false };
  const from = { read: 0, upstream, partition: { digest: undefined, count: 0 } };

  it('goes on at the same row', () => {
    const next = evaluatedPosition(FILTERED, ofSelect(scan, EVALUATED_FORMAT));
    expect(next).toEqual({ ...from, remaining: undefined });
    const split = { partition: 2, remaining: 5, upstream, isCounted: false };
    expect(evaluatedPosition(FILTERED, ofSelect(split, EVALUATED_FORMAT))).toEqual({
      ...from,
      read: 2,
      remaining: 5,
    });
  });

  it('goes on with a LIMIT that Cassandra counts as long as every row counts', () => {
    const sent = ofSelect({ ...scan, remaining: 5, isCounted: true }, EVALUATED_FORMAT);
    expect(evaluatedPosition(evaluation({}, { limit: 9 }), sent)).toEqual({
      ...from,
      remaining: 5,
    });
    expect(() => evaluatedPosition(FILTERED, sent)).toThrow(REFUSED);
  });

  it('is refused where it cannot be told how many rows LIMIT has left', () => {
    const sent = ofSelect(scan, EVALUATED_FORMAT);
    expect(() => evaluatedPosition(evaluation({}, { limit: 9 }), sent)).toThrow(REFUSED);
  });

  it.each([
    ['aggregates', evaluation({ isTotal: true })],
    ['groups', evaluation({ groupBy: {} as never })],
    ['rows that are sorted', evaluation({ rowOrder: [] })],
    ['a limit a partition', evaluation({}, { perPartitionLimit: 3 })],
  ])('is refused for %s', (_what, bound) => {
    expect(() => evaluatedPosition(bound, ofSelect(scan, EVALUATED_FORMAT))).toThrow(REFUSED);
  });

  it('is refused for another statement', () => {
    const sent = ofSelect(scan, EVALUATED_FORMAT, 'SELECT *');
    expect(() => evaluatedPosition(FILTERED, sent)).toThrow(REFUSED);
  });
});

it('states of its own are taken as they were given', () => {
  const sent = ofEvaluated(9, EVALUATED_FORMAT);
  const expected = { read: 2, upstream, remaining: 9, partition };
  expect(evaluatedPosition(FILTERED, sent)).toEqual(expected);
  const own = { partition: 0, remaining: 5, upstream, isCounted: true };
  expect(selectPosition({ perPartitionLimit: undefined }, ofSelect(own))).toEqual(own);
});
