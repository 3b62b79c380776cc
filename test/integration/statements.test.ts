/**
 * Every form of statement, on a table made through the proxy and on a plain one on Cassandra directly: rows, metadata,
 * warnings, codes and texts of errors are the same, or the statement is refused by name and nothing of it is executed.
 */
import { describe } from 'vitest';
import { pairOfFile } from './support/pair.ts';
import { describeConditions } from './statements/conditions.ts';
import { describeCorners } from './statements/corners.ts';
import { describeCounters } from './statements/counters.ts';
import { describeErrors } from './statements/errors.ts';
import { describeFunctionsInValues } from './statements/functions_in_values.ts';
import { describeJsonWrites } from './statements/json_writes.ts';
import { describePaging } from './statements/paging.ts';
import { describePlainTables } from './statements/plain_tables.ts';
import { describePrepared } from './statements/prepared.ts';
import { describeReads } from './statements/reads.ts';
import { describeRefusals } from './statements/refusals.ts';
import { describeSizes } from './statements/sizes.ts';
import { describeUserFunctions } from './statements/user_functions.ts';
import { describeWrites } from './statements/writes.ts';

const both = pairOfFile();

describe('writes', () => describeWrites(both));
describe('functions in values', () => describeFunctionsInValues(both));
describe('INSERT JSON', () => describeJsonWrites(both));
describe('conditions', () => describeConditions(both));
describe('corners', () => describeCorners(both));
describe('counters', () => describeCounters(both));
describe('reads', () => describeReads(both));
describe('prepared statements', () => describePrepared(both));
describe('paging', () => describePaging(both));
describe('sizes', () => describeSizes(both));
describe('errors', () => describeErrors(both));
describe('refusals', () => describeRefusals(both));
describe('functions written by users', () => describeUserFunctions(both));
describe('tables that are not encrypted', () => describePlainTables(both));
