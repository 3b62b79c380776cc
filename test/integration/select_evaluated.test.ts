/** SELECTs that Cassandra cannot evaluate on ciphertext, through the proxy and on plain tables directly. */
import { describe } from 'vitest';
import { pairOfFile } from './support/pair.ts';
import { describeCancelling } from './statements/cancelling.ts';
import { describeFiltering } from './statements/filtering.ts';
import { describeSelectors } from './statements/selectors.ts';

const both = pairOfFile();

describe('filtering', () => describeFiltering(both));
describe('selectors', () => describeSelectors(both));
describe('cancelling', () => describeCancelling(both));
