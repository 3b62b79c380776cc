/**
 * Cell keys rotate while clients write and read at two proxies, old cells are re-encrypted in place, and old epochs end: what
 * a client sees does not change, what Cassandra holds does.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import cassandraDriver from 'cassandra-driver';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TableRotationStatus } from '../../src/rotation/index.ts';
import { startCassandra } from '../support/cassandra.ts';
import type { TestCassandra } from '../support/cassandra.ts';
import { runCqlock, startProxy } from '../support/proxy.ts';
import type { TestProxy, TestProxyOptions } from '../support/proxy.ts';
import { connectClient } from '../support/proxy_client.ts';
import type { ProxyClient } from '../support/proxy_client.ts';
import { REPLICATION } from './support/pair.ts';

const ROWS_PER_SECOND = 100;
const SLOW_ROWS = 1_500;

let directory: string;
let cassandra: TestCassandra;
let options: TestProxyOptions & { readonly dataDir: string };
let proxies: TestProxy[] = [];
let a: ProxyClient;
let b: ProxyClient;
let direct: cassandraDriver.Client;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'cqlock-rotation-'));
  cassandra = await startCassandra();
  options = {
    contactPoints: [`${cassandra.host}:${String(cassandra.port)}`],
    dataDir: join(directory, 'data'),
    env: {
      CQLOCK_CATALOG_REFRESH: '500ms',
      CQLOCK_CATALOG_MAX_AGE: '2s',
      CQLOCK_REENCRYPT_ROWS_PER_SECOND: String(ROWS_PER_SECOND),
    },
  };
  proxies = [await startProxy(options), await startProxy({ ...options, init: false })];
  await connect();
  direct = new cassandraDriver.Client({
    contactPoints: options.contactPoints.slice(),
    localDataCenter: 'datacenter1',
  });
  await direct.connect();
  await a.rows(`CREATE KEYSPACE ks WITH replication = ${REPLICATION}`);
});

afterAll(async () => {
  a?.close();
  b?.close();
  await direct?.shutdown();
  for (const proxy of proxies) await proxy.stop();
  await cassandra?.stop();
  await rm(directory, { recursive: true, force: true });
});

async function connect(): Promise<void> {
  const [first, second] = proxies as [TestProxy, TestProxy];
  a = await connectClient(first);
  b = await connectClient(second);
}

async function cqlock(command: string): Promise<string> {
  const { code, output } = await runCqlock(command, {
    ...options,
    env: { ...options.env, CQLOCK_LOG_LEVEL: 'silent' },
  });
  if (code !== 0) throw new Error(`cqlock ${command}: ${output}`);
  return output;
}

async function status(table: string): Promise<TableRotationStatus> {
  const { tables } = JSON.parse(await cqlock('rotate status --json')) as {
    tables: TableRotationStatus[];
  };
  const one = tables.find((candidate) => candidate.table === table);
  if (one === undefined) throw new Error(`no status of ${table}`);
  return one;
}

async function until<T>(what: string, ms: number, look: () => Promise<T | undefined>): Promise<T> {
  const giveUpAt = Date.now() + ms;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (Date.now() > giveUpAt) throw new Error(`${what}: not in ${String(ms)} ms`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Epochs of all cells of a table, as Cassandra holds them. */
async function storedEpochs(table: string, columns: readonly string[]): Promise<Set<number>> {
  const { rows } = await direct.execute(`SELECT ${columns.join(', ')} FROM ks.${table}`);
  const epochs = new Set<number>();
  for (const row of rows) {
    for (const column of columns) {
      const value = row[column] as Buffer | null;
      if (value !== null) epochs.add(value.readUInt16BE(2));
    }
  }
  return epochs;
}

const TYPES: Readonly<Record<string, string>> = {
  ascii: "'plain'",
  bigint: '-9000000000',
  blob: '0x00ff',
  boolean: 'true',
  date: "'2024-02-29'",
  decimal: '1.50',
  double: '-0.5',
  duration: '1mo2d3h',
  float: '2.5',
  inet: "'10.0.0.1'",
  int: '-7',
  smallint: '300',
  text: "'wörter'",
  time: "'12:34:56.789'",
  timestamp: "'2024-02-29T12:00:00Z'",
  timeuuid: '50554d6e-29bb-11e5-b345-feff819cdc9f',
  tinyint: '-3',
  uuid: '12345678-1234-4123-8123-123456789abc',
  varint: '-123456789012345678901234567890',
  'frozen<list<int>>': '[3, 1, 3]',
  'frozen<set<text>>': "{'b', 'a'}",
  'frozen<map<text, varint>>': "{'k': 5}",
  'tuple<int, text>': "(1, 'x')",
};
const COLUMNS = Object.keys(TYPES).map((_, index) => `v${String(index)}`);

describe('rotation with re-encryption of a table of all types', () => {
  const TIMES = COLUMNS.map((name) => `writetime(${name}), ttl(${name})`).join(', ');
  const ALL = `pk, ck, s, ${COLUMNS.join(', ')}`;
  let rowsBefore: readonly (readonly (string | null)[])[];
  let timesBefore: readonly (readonly (string | null)[])[];
  let readAtMs: number;
  let oldCell: Buffer;
  let oldKey: cassandraDriver.types.Row;

  beforeAll(async () => {
    const columns = Object.keys(TYPES).map((type, index) => `v${String(index)} ${type}`);
    await a.rows(
      `CREATE TABLE ks.types (pk int, ck text, s text static, ${columns.join(', ')}, PRIMARY KEY (pk, ck)) WITH default_time_to_live = 86400`,
    );
    const values = Object.values(TYPES).join(', ');
    for (const pk of [1, 2, 3]) {
      await a.rows(
        `INSERT INTO ks.types (pk, s) VALUES (${pk}, 'static ${pk}') USING TTL 0 AND TIMESTAMP ${1000 + pk}`,
      );
      await a.rows(
        `INSERT INTO ks.types (pk, ck, ${COLUMNS.join(', ')}) VALUES (${pk}, 'lasting', ${values}) USING TTL 0 AND TIMESTAMP ${2000 + pk}`,
      );
      await a.rows(
        `INSERT INTO ks.types (pk, ck, ${COLUMNS.join(', ')}) VALUES (${pk}, 'expiring', ${values})`,
      );
    }
    // Write times of their own in one row, a row without a marker, a time to live of its own, a partition of statics only.
    await a.rows(
      `UPDATE ks.types USING TTL 0 AND TIMESTAMP 5000 SET v0 = 'later' WHERE pk = 1 AND ck = 'lasting'`,
    );
    await a.rows(`UPDATE ks.types USING TTL 500 SET v12 = 'short' WHERE pk = 1 AND ck = 'lasting'`);
    await a.rows(`UPDATE ks.types USING TTL 0 SET v10 = 5 WHERE pk = 2 AND ck = 'no marker'`);
    await a.rows(`INSERT INTO ks.types (pk, ck, v10) VALUES (2, 'marker', 5) USING TTL 0`);
    await a.rows(`UPDATE ks.types USING TTL 400 SET s = 'expires' WHERE pk = 3`);
    await a.rows(`UPDATE ks.types USING TTL 0 SET s = 'alone' WHERE pk = 4`);
    rowsBefore = await a.rows(`SELECT ${ALL} FROM ks.types`);
    timesBefore = await a.rows(`SELECT ${TIMES}, writetime(s), ttl(s) FROM ks.types`);
    readAtMs = Date.now();
    const { rows } = await direct.execute('SELECT pk, ck, v10 FROM ks.types');
    const row = rows.find((candidate) => candidate['v10'] !== null);
    if (row === undefined) throw new Error('no stored row');
    oldKey = row;
    oldCell = row['v10'] as Buffer;
    expect(await storedEpochs('types', ['s', ...COLUMNS])).toEqual(new Set([1]));
    await cqlock('rotate cells ks.types --reencrypt');
  });

  it('leaves no cell of the old epoch, and ends the epoch', async () => {
    expect(await storedEpochs('types', ['s', ...COLUMNS])).toEqual(new Set([2]));
    expect(await status('types')).toMatchObject({
      epochs: [{ epoch: 2, state: 'active' }],
      minEpoch: 2,
      reencryption: null,
      lastReencryption: { targetEpoch: 2 },
    });
  });

  it('changes no value, write time or time to live', async () => {
    for (const client of [a, b]) {
      expect(await client.rows(`SELECT ${ALL} FROM ks.types`)).toEqual(rowsBefore);
    }
    const after = await a.rows(`SELECT ${TIMES}, writetime(s), ttl(s) FROM ks.types`);
    const elapsed = Math.round((Date.now() - readAtMs) / 1000);
    expect(after).toHaveLength(timesBefore.length);
    for (const [index, row] of after.entries()) {
      for (const [column, now] of row.entries()) {
        const before = timesBefore[index]?.[column] ?? null;
        if (column % 2 === 0 || before === null) expect(now).toBe(before);
        else {
          const off = parseInt(now ?? '0', 16) - (parseInt(before, 16) - elapsed);
          expect(Math.abs(off), `ttl of column ${String(column)}`).toBeLessThanOrEqual(2);
        }
      }
    }
  });

  it('makes no row marker and takes none', async () => {
    await a.rows(`DELETE v10 FROM ks.types WHERE pk = 2 AND ck IN ('no marker', 'marker')`);
    const left = await a.rows(
      `SELECT ck FROM ks.types WHERE pk = 2 AND ck IN ('no marker', 'marker')`,
    );
    expect(left).toEqual([[Buffer.from('marker').toString('hex')]]);
  });

  it('refuses an old cell that is put back by hand', async () => {
    await direct.execute(
      'UPDATE ks.types SET v10 = ? WHERE pk = ? AND ck = ?',
      [oldCell, oldKey['pk'], oldKey['ck']],
      { prepare: true },
    );
    for (const client of [a, b]) {
      expect(await client.refusal('SELECT v10 FROM ks.types')).toMatch(
        /^0x0000 .*failed authentication/,
      );
    }
    // Re-encryption neither mends it nor ends an epoch over it.
    await expect(cqlock('rotate cells ks.types --reencrypt')).rejects.toThrow(
      /SCHEMA_REENCRYPTION_BLOCKED/,
    );
    expect(await status('types')).toMatchObject({
      minEpoch: 2,
      reencryption: { phase: 'blocked', damaged: 1 },
    });
  });
});

describe('rotation with sets, maps, lists and user types that are not frozen', () => {
  const ALL = 'pk, ck, sm, l, s, m, u';
  const TIMES =
    'writetime(sm), writetime(l), writetime(s), writetime(m), writetime(u), writetime(v)';

  /** Epochs of the values of maps and of fields, as Cassandra holds them. */
  async function epochs(): Promise<Set<number>> {
    const { rows } = await direct.execute('SELECT sm, m, u FROM ks.several');
    const values = rows.flatMap((row) =>
      ['sm', 'm', 'u'].flatMap((name) =>
        Object.values((row[name] ?? {}) as Record<string, Buffer | null>),
      ),
    );
    return new Set(values.flatMap((value) => (value === null ? [] : [value.readUInt16BE(2)])));
  }

  beforeAll(async () => {
    await a.rows('CREATE TYPE ks.pair (a int, b text)');
    await a.rows(
      'CREATE TABLE ks.several (pk int, ck int, sm map<text, int> static, l list<int>, s set<text>, m map<text, varint>, u pair, v int, PRIMARY KEY (pk, ck))',
    );
    for (const pk of [1, 2]) {
      await a.rows(
        `INSERT INTO ks.several (pk, ck, sm, l, s, m, u, v) VALUES (${pk}, 1, {'st': 1, 'su': 2}, [1, 2, 1], {'x', 'y'}, {'k': 1, 'n': 2}, {a: 1, b: 'b'}, 1) USING TIMESTAMP 1000`,
      );
      await a.rows(
        `UPDATE ks.several USING TIMESTAMP 2000 SET m['later'] = 3, s = s + {'later'}, u.b = 'later', sm['later'] = 1 WHERE pk = ${pk} AND ck = 1`,
      );
      await a.rows(
        `UPDATE ks.several USING TTL 5000 SET m['ttl'] = 4, s = s + {'ttl'} WHERE pk = ${pk} AND ck = 1`,
      );
    }
  });

  it('changes no value and no write time of an element', async () => {
    const before = await a.rows(`SELECT ${ALL} FROM ks.several`);
    const times = await a.rows(`SELECT ${TIMES} FROM ks.several`);
    expect(await epochs()).toEqual(new Set([1]));
    await cqlock('rotate cells ks.several --reencrypt');
    expect(await epochs()).toEqual(new Set([2]));
    expect(await status('several')).toMatchObject({ minEpoch: 2, reencryption: null });
    for (const client of [a, b]) {
      expect(await client.rows(`SELECT ${ALL} FROM ks.several`)).toEqual(before);
      expect(await client.rows(`SELECT ${TIMES} FROM ks.several`)).toEqual(times);
    }
  });

  it('the same elements are found after it: added twice they are one, removed they are gone', async () => {
    const counts = async (): Promise<unknown> => {
      const { rows } = await direct.execute('SELECT s, m, l FROM ks.several');
      return rows.map((row) => [
        (row['s'] as unknown[]).length,
        Object.keys(row['m'] as object).length,
        (row['l'] as unknown[]).length,
      ]);
    };
    expect(await counts()).toEqual([
      [4, 4, 3],
      [4, 4, 3],
    ]);
    for (const pk of [1, 2]) {
      const row = `WHERE pk = ${pk} AND ck = 1`;
      await a.rows(`UPDATE ks.several SET s = s + {'x', 'ttl'}, m['k'] = 10 ${row}`);
    }
    expect(await counts()).toEqual([
      [4, 4, 3],
      [4, 4, 3],
    ]);
    for (const pk of [1, 2]) {
      const row = `WHERE pk = ${pk} AND ck = 1`;
      await b.rows(`UPDATE ks.several SET s = s - {'x'}, m = m - {'n'}, l = l - [1] ${row}`);
      await b.rows(`DELETE s['y'] FROM ks.several ${row}`);
    }
    expect(await counts()).toEqual([
      [2, 3, 1],
      [2, 3, 1],
    ]);
  });
});

describe('rotation under load at two proxies', () => {
  it('fails no statement, and newer writes of clients win', async () => {
    await a.rows(
      'CREATE TABLE ks.load (pk int, ck int, s int static, v int, w text, PRIMARY KEY (pk, ck))',
    );
    let isDone = false;
    const failures: string[] = [];
    let statements = 0;
    const workers = proxies
      .flatMap((proxy) => [proxy, proxy])
      .map(async (proxy, pk) => {
        const client = await connectClient(proxy);
        const hex = (value: number): string => value.toString(16).padStart(8, '0');
        let last = 0;
        try {
          for (let n = 1; !isDone; n++) {
            const ck = n % 40;
            await client.rows(
              `INSERT INTO ks.load (pk, ck, v, w) VALUES (${pk}, ${ck}, ${n}, 'w${n}')`,
            );
            await client.rows(`UPDATE ks.load SET s = ${n} WHERE pk = ${pk}`);
            const [row] = await client.rows(
              `SELECT v, s FROM ks.load WHERE pk = ${pk} AND ck = ${ck}`,
            );
            if (row?.[0] !== hex(n) || row[1] !== hex(n))
              failures.push(`read ${String(row)} after ${n}`);
            last = n;
            statements += 3;
          }
          const rows = await client.rows(`SELECT ck, v FROM ks.load WHERE pk = ${pk}`);
          for (const [ck, v] of rows) {
            const newest = last - ((last - parseInt(ck ?? '', 16)) % 40);
            if (v !== hex(newest)) failures.push(`${ck}: ${String(v)} is not ${newest}`);
          }
        } catch (error) {
          failures.push(String(error));
        } finally {
          client.close();
        }
      });
    const wide = async (): Promise<void> => {
      while (!isDone) {
        await b
          .rows('SELECT * FROM ks.load')
          .catch((error: unknown) => failures.push(String(error)));
        statements++;
      }
    };
    const reader = wide();
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    await cqlock('rotate cells ks.load --reencrypt');
    isDone = true;
    await Promise.all([...workers, reader]);
    expect(failures).toEqual([]);
    expect(statements).toBeGreaterThan(500);
    expect(await storedEpochs('load', ['s', 'v', 'w'])).toEqual(new Set([2]));
    expect(await status('load')).toMatchObject({ minEpoch: 2, reencryption: null });
  });
});

async function fillSlow(table: string): Promise<void> {
  await a.rows(`CREATE TABLE ks.${table} (pk int PRIMARY KEY, v text)`);
  for (let pk = 0; pk < SLOW_ROWS; pk += 50) {
    await Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        a.rows(`INSERT INTO ks.${table} (pk, v) VALUES (${pk + i}, 'v${pk + i}')`),
      ),
    );
  }
  await cqlock(`rotate cells ks.${table} --reencrypt --no-wait`);
  await until('a scan', 60_000, async () => {
    const epochs = await storedEpochs(table, ['v']);
    return epochs.has(2) ? true : undefined;
  });
}

describe('TRUNCATE while a table is re-encrypted', () => {
  it('leaves nothing, also nothing that was written back', async () => {
    await fillSlow('emptied');
    expect(await storedEpochs('emptied', ['v'])).toEqual(new Set([1, 2]));
    await b.rows('TRUNCATE ks.emptied');
    await until('the end', 90_000, async () =>
      (await status('emptied')).reencryption === null ? true : undefined,
    );
    expect((await direct.execute('SELECT pk FROM ks.emptied')).rows).toEqual([]);
    expect(await status('emptied')).toMatchObject({ minEpoch: 2 });
  });
});

describe('proxies killed while they re-encrypt', () => {
  it('go on where they were when they are started again', async () => {
    await fillSlow('killed');
    const before = await until('durable progress', 30_000, async () => {
      const { reencryption } = await status('killed');
      return (reencryption?.done ?? 0) > 0 ? reencryption : undefined;
    });
    await Promise.all(proxies.map((proxy) => proxy.kill9()));
    a.close();
    b.close();
    const epochs = await storedEpochs('killed', ['v']);
    expect(epochs).toEqual(new Set([1, 2]));
    proxies = [
      await startProxy({ ...options, init: false }),
      await startProxy({ ...options, init: false }),
    ];
    await connect();
    expect(await a.rows('SELECT v FROM ks.killed')).toHaveLength(SLOW_ROWS);
    // The claim of the dead process has to end first.
    const after = await until('the end', 150_000, async () => {
      const one = await status('killed');
      return one.reencryption === null ? one : undefined;
    });
    expect(after).toMatchObject({ minEpoch: 2, epochs: [{ epoch: 2, state: 'active' }] });
    expect(before?.done).toBeGreaterThan(0);
    // Rows of ranges that were done were not read again.
    expect(after.lastReencryption?.rows).toBeLessThan(2 * SLOW_ROWS);
    expect(await storedEpochs('killed', ['v'])).toEqual(new Set([2]));
    const values = (await b.rows('SELECT pk, v FROM ks.killed')).map(
      ([pk, v]) => [parseInt(pk ?? '', 16), Buffer.from(v ?? '', 'hex').toString()] as const,
    );
    expect(values).toHaveLength(SLOW_ROWS);
    for (const [pk, v] of values) expect(v).toBe(`v${String(pk)}`);
  }, 300_000);
});
