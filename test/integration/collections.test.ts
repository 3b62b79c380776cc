/**
 * Collections and user types that are not frozen, on a table made through the proxy and on a plain one on Cassandra
 * directly.
 */
import { describe } from 'vitest';
import { pairOfFile } from './support/pair.ts';
import { describeCollectionSchemas } from './statements/collection_schemas.ts';
import { describeElementTimes } from './statements/element_times.ts';
import { describeCollections } from './statements/collections.ts';

const both = pairOfFile();

describe('values', () => describeCollections(both));
describe('schemas', () => describeCollectionSchemas(both));
describe('write times of elements', () => describeElementTimes(both));
