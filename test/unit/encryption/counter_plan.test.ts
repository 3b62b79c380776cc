import { describe, expect, it } from 'vitest';
import { parseStatement } from '../../../src/cql/index.ts';
import { bindWrite, MarkerRegistry, planWrite } from '../../../src/encryption/index.ts';
import type { WritePlan } from '../../../src/encryption/index.ts';
import { checkAddedCounter, checkNewCounters } from '../../../src/encryption/counter_schema.ts';
import { counterValue } from '../../../src/encryption/counter_plan.ts';
import type { TableEntry } from '../../../src/schema/index.ts';
import { native } from '../../../src/values/index.ts';
import { UNSET } from '../../../src/wire/index.ts';
import type { BoundValue } from '../../../src/wire/index.ts';
import { makeSnapshot } from '../system/support.ts';

const SNAPSHOT = makeSnapshot();

function table(name: string): TableEntry {
  const found = SNAPSHOT.table('shop', name);
  if (found === undefined) throw new TypeError(`no table ${name}`);
  return found;
}

function planned(cql: string): WritePlan {
  const { statement, bindMarkers } = parseStatement(cql);
  if (statement.kind !== 'update' && statement.kind !== 'delete' && statement.kind !== 'insert') {
    throw new TypeError(statement.kind);
  }
  const markers = new MarkerRegistry(bindMarkers);
  return planWrite(statement, table('hits'), SNAPSHOT, markers);
}

/** What an UPDATE adds to the counter `n`. */
function added(cql: string, binds: readonly BoundValue[] = []): bigint | typeof UNSET {
  const { constants } = parseStatement(cql);
  const functions = {
    nowMs: () => 0,
    randomBytes: Buffer.alloc,
    nextTimeuuid: () => Buffer.alloc(16),
  };
  const { cells } = bindWrite(planned(cql), { binds, constants, functions });
  const [cell] = cells;
  if (cell instanceof Uint8Array) return counterValue(cell);
  if (cell === UNSET) return UNSET;
  throw new TypeError('no increment');
}

const long = (value: bigint): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(value);
  return bytes;
};

describe('UPDATE of a counter', () => {
  it.each([
    ["UPDATE shop.hits SET n = n + 5 WHERE page = 'a'", 5n],
    ["UPDATE shop.hits SET n += 5 WHERE page = 'a'", 5n],
    ["UPDATE shop.hits SET n = n - 5 WHERE page = 'a'", -5n],
    ["UPDATE shop.hits SET n = n - -5 WHERE page = 'a'", 5n],
    ["UPDATE shop.hits SET n -= 9223372036854775807 WHERE page = 'a'", -(2n ** 63n) + 1n],
    ["UPDATE shop.hits SET n = n + -9223372036854775808 WHERE page = 'a'", -(2n ** 63n)],
  ])('%s', (cql, value) => {
    expect(added(cql)).toBe(value);
  });

  it('takes bound values, and leaves alone what is unset', () => {
    const cql = "UPDATE shop.hits SET n = n - ? WHERE page = 'a'";
    expect(added(cql, [long(7n)])).toBe(-7n);
    expect(added(cql, [UNSET])).toBe(UNSET);
    expect(() => added(cql, [null])).toThrow('Invalid null value for counter increment');
    expect(() => added(cql, [long(-(2n ** 63n))])).toThrow(
      'The negation of -9223372036854775808 overflows supported counter precision (signed 8 bytes integer)',
    );
  });

  it.each([
    [
      "UPDATE shop.hits SET n = 5 WHERE page = 'a'",
      'Cannot set the value of counter column n (counters can only be incremented/decremented, not set)',
    ],
    [
      "UPDATE shop.hits SET n = n + null WHERE page = 'a'",
      'Invalid null value for counter increment/decrement',
    ],
    [
      "UPDATE shop.hits SET page = page + 1 WHERE page = 'a'",
      'PRIMARY KEY part page found in SET part',
    ],
    [
      "UPDATE shop.hits SET n[1] = 5 WHERE page = 'a'",
      'Invalid operation (n[<constant>] = <constant>) for non collection column n',
    ],
    [
      "INSERT INTO shop.hits (page, n) VALUES ('a', 1)",
      'INSERT statements are not allowed on counter tables, use UPDATE instead',
    ],
  ])('%s is refused', (cql, words) => {
    expect(() => planned(cql)).toThrow(words);
  });

  it.each([
    [
      "UPDATE shop.hits SET n = n + 1 WHERE page = 'a' IF n = 1",
      'Conditions on counters are not supported',
    ],
    [
      "UPDATE shop.hits SET n = n + 1 WHERE page = 'a' IF EXISTS",
      'Conditional updates are not supported on counter tables',
    ],
    [
      "DELETE FROM shop.hits WHERE page = 'a' IF EXISTS",
      'Conditional updates are not supported on counter tables',
    ],
  ])('%s is refused after Cassandra looked at it', (cql, words) => {
    expect(planned(cql).refusal?.message).toBe(words);
  });

  it.each([
    ["UPDATE shop.hits USING TTL 5 SET n = n + 1 WHERE page = 'a'", 'custom TTL'],
    ["UPDATE shop.hits USING TIMESTAMP 5 SET n = n + 1 WHERE page = 'a'", 'custom timestamp'],
    ["DELETE FROM shop.hits USING TIMESTAMP 5 WHERE page = 'a'", 'custom timestamp'],
  ])('%s is refused, prepared too', (cql, what) => {
    expect(planned(cql).refusal?.message).toBe(`Cannot provide ${what} for counter updates`);
  });
});

describe('a table with counters', () => {
  const column = (name: string, type: string, kind: 'partition' | 'regular' | 'static') => ({
    name,
    type,
    kind,
    position: 0,
  });

  it('has no other columns', () => {
    const columns = [column('pk', 'int', 'partition'), column('c', 'counter', 'static')];
    expect(() => {
      checkNewCounters(columns, []);
    }).not.toThrow();
    expect(() => {
      checkNewCounters([...columns, column('v', 'int', 'regular')], []);
    }).toThrow('Cannot mix counter and non counter columns in the same table');
  });

  it('gets counters only, and other tables get none', () => {
    const add = (name: string, type: 'int' | 'counter', to: string) => (): void => {
      checkAddedCounter(name, native(type), table(to));
    };
    expect(add('m', 'counter', 'hits')).not.toThrow();
    expect(add('m', 'int', 'hits')).toThrow(
      'shop.hits: Cannot have a non counter column ("m") in a counter table',
    );
    expect(add('m', 'counter', 'orders')).toThrow(
      'shop.orders: Cannot have a counter column ("m") in a non counter table',
    );
    // Cassandra says first that it is there.
    expect(add('n', 'int', 'hits')).not.toThrow();
    // So it does of one that was dropped, which has rules of its own.
    const kind = 'regular' as const;
    const dropped = [{ name: 'm', id: Buffer.alloc(16), kind, type: 'counter' }];
    expect(() => {
      checkAddedCounter('m', native('blob'), { ...table('hits'), dropped });
    }).not.toThrow();
  });
});
