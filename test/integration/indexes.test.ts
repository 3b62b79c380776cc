/**
 * Secondary indexes through the proxy beside those of Cassandra itself: statements about them, what writes keep in the hidden
 * columns, rows that were there before, and reads.
 */
import { afterAll, beforeAll, describe } from 'vitest';
import { describeIndexReads } from './indexes/reads.ts';
import { describeIndexSchema } from './indexes/schema.ts';
import { describeIndexWrites } from './indexes/writes.ts';
import { startPair } from './support/pair.ts';
import type { Pair } from './support/pair.ts';

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

describe('statements about indexes', () => describeIndexSchema(both));
describe('writes of indexed columns', () => describeIndexWrites(both));
describe('reads by indexes', () => describeIndexReads(both));
