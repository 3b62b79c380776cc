/** Materialized views through the proxy beside those of Cassandra itself. */
import { describe } from 'vitest';
import { pairOfFile } from './support/pair.ts';
import { describeViewReads } from './views/reads.ts';
import { describeViewRows } from './views/rows.ts';
import { describeViewSchema } from './views/schema.ts';
import { describeSpanningViews } from './views/spanning.ts';

const both = pairOfFile();

describe('statements about views', () => describeViewSchema(both));
describe('reads of views', () => describeViewReads(both));
describe('rows of views', () => describeViewRows(both));
describe('views over several partitions', () => describeSpanningViews(both));
