/**
 * Secondary indexes through the proxy beside those of Cassandra itself: statements about them, what writes keep in the hidden
 * columns, rows that were there before, and reads.
 */
import { describe } from 'vitest';
import { describeCollectionIndexes } from './indexes/collection_reads.ts';
import { describeIndexReads } from './indexes/reads.ts';
import { describeIndexSchema } from './indexes/schema.ts';
import { describeIndexWrites } from './indexes/writes.ts';
import { describeVectorIndexes } from './indexes/vectors.ts';
import { pairOfFile } from './support/pair.ts';

const both = pairOfFile();

describe('statements about indexes', () => describeIndexSchema(both));
describe('writes of indexed columns', () => describeIndexWrites(both));
describe('reads by indexes', () => describeIndexReads(both));
describe('indexes on vectors', () => describeVectorIndexes(both));
describe('indexes on collections', () => describeCollectionIndexes(both));
