/**
 * Collections and user types that are not frozen, on a table made through the proxy and on a plain one on Cassandra
 * directly.
 */
import { afterAll, beforeAll, describe } from 'vitest';
import { startPair } from './support/pair.ts';
import type { Pair } from './support/pair.ts';
import { describeCollectionSchemas } from './statements/collection_schemas.ts';
import { describeCollections } from './statements/collections.ts';

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

describe('values', () => describeCollections(both));
describe('schemas', () => describeCollectionSchemas(both));
