/** SELECTs that Cassandra cannot evaluate on ciphertext, through the proxy and on plain tables directly. */
import { afterAll, beforeAll, describe } from 'vitest';
import { startPair } from './support/pair.ts';
import type { Pair } from './support/pair.ts';
import { describeCancelling } from './statements/cancelling.ts';
import { describeFiltering } from './statements/filtering.ts';
import { describeSelectors } from './statements/selectors.ts';

let pair: Pair | undefined;

function both(): Pair {
  if (pair === undefined) throw new Error('nothing is started');
  return pair;
}

beforeAll(async () => {
  pair = await startPair();
});

afterAll(async () => {
  await pair?.stop();
});

describe('filtering', () => describeFiltering(both));
describe('selectors', () => describeSelectors(both));
describe('cancelling', () => describeCancelling(both));
