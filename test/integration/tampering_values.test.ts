/**
 * Whoever controls Cassandra moves, flips and cuts stored values, or answers in its place: the proxy answers by an error,
 * never by a row.
 */
import cassandraDriver from 'cassandra-driver';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startCassandra } from '../support/cassandra.ts';
import type { TestCassandra } from '../support/cassandra.ts';
import { rowsOf, startManInTheMiddle } from '../support/man_in_the_middle.ts';
import type { ManInTheMiddle, RowsBody } from '../support/man_in_the_middle.ts';
import { startProxy } from '../support/proxy.ts';
import type { TestProxy } from '../support/proxy.ts';
import { connectClient } from '../support/proxy_client.ts';
import type { ProxyClient } from '../support/proxy_client.ts';

type Row = Readonly<Record<string, Buffer | null>>;

let cassandra: TestCassandra;
let relay: ManInTheMiddle;
let proxy: TestProxy;
let client: ProxyClient;
let direct: cassandraDriver.Client;

beforeAll(async () => {
  cassandra = await startCassandra();
  relay = await startManInTheMiddle(cassandra);
  proxy = await startProxy({ contactPoints: [`127.0.0.1:${relay.port}`] });
  client = await connectClient(proxy);
  direct = new cassandraDriver.Client({
    contactPoints: [`127.0.0.1:${cassandra.port}`],
    localDataCenter: 'datacenter1',
  });
  await direct.connect();
  await client.rows(
    "CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
  );
  for (const name of ['t', 'other']) {
    await client.rows(
      `CREATE TABLE ks.${name} (pk int, ck int, s text static, a text, b text, n varint, PRIMARY KEY (pk, ck))`,
    );
  }
  await client.rows('CREATE TABLE ks.two (p1 int, p2 int, v text, PRIMARY KEY ((p1, p2)))');
});

afterAll(async () => {
  client?.close();
  await direct?.shutdown();
  await proxy?.stop();
  await relay?.stop();
  await cassandra?.stop();
});

afterEach(() => {
  relay.rewrite = (frame) => frame.body;
});

async function fill(): Promise<void> {
  for (const name of ['t', 'other']) {
    await stored(`TRUNCATE ks.${name}`);
    for (const pk of [1, 2]) {
      await client.rows(`INSERT INTO ks.${name} (pk, s) VALUES (${pk}, 'static ${pk}')`);
      for (const ck of [1, 2]) {
        await client.rows(
          `INSERT INTO ks.${name} (pk, ck, a, b, n) VALUES (${pk}, ${ck}, 'a${pk}${ck}', 'b${pk}${ck}', 7)`,
        );
      }
    }
  }
}

async function stored(query: string, params: readonly unknown[] = []): Promise<readonly Row[]> {
  const result = await direct.execute(query, [...params], { prepare: params.length > 0 });
  return result.rows ?? [];
}

/** The stored row of `ks.<table>` whose clear keys are given, found by its cells: order of ck, and two partitions. */
async function storedRow(table: string, pk: number, ck: number): Promise<Row> {
  const rows = await stored(`SELECT pk, ck, s, a, b, n FROM ks.${table}`);
  const key = await storedKey(table, pk);
  const row = rows.filter((candidate) => candidate['pk']?.equals(key) === true)[ck - 1];
  if (row === undefined) throw new Error(`no row ${table} ${pk} ${ck}`);
  return row;
}

/** Only one partition is left when all others are asked for through the proxy, so its stored key is the one it reads. */
async function storedKey(table: string, pk: number): Promise<Buffer> {
  const wanted = (await client.rows(`SELECT token(pk) FROM ks.${table} WHERE pk = ${pk}`))[0]?.[0];
  const rows = await stored(`SELECT DISTINCT token(pk), pk FROM ks.${table}`);
  const row = rows.find((candidate) => {
    const token = (candidate as Record<string, unknown>)['system.token(pk)'];
    return (
      BigInt.asUintN(64, BigInt(String(token)))
        .toString(16)
        .padStart(16, '0') === wanted
    );
  });
  const key = row?.['pk'];
  if (key === null || key === undefined) throw new Error(`no partition ${pk}`);
  return key;
}

async function put(table: string, row: Row, column: string, value: Buffer | null): Promise<void> {
  if (column === 's') {
    await stored(`UPDATE ks.${table} SET s = ? WHERE pk = ?`, [value, row['pk']]);
  } else {
    await stored(`UPDATE ks.${table} SET ${column} = ? WHERE pk = ? AND ck = ?`, [
      value,
      row['pk'],
      row['ck'],
    ]);
  }
}

const AUTHENTICATION = /^0x0000 .*failed authentication/;
/** Where the proxy can tell at once that the answer is not to its question. */
const WRONG_ANSWER =
  /^0x0000 (.*failed authentication|Cassandra answered (another row|a row of another partition) to a read)/;

describe('a stored cell', () => {
  beforeAll(fill);

  it.each([
    ['another row of its partition', 't', [1, 2], 'a', 'a'],
    ['a row of another partition', 't', [2, 1], 'a', 'a'],
    ['another column', 't', [1, 1], 'b', 'a'],
    ['the same place in another table', 'other', [1, 1], 'a', 'a'],
    ['a static column', 't', [1, 1], 's', 'a'],
    ['a column of a padded type', 't', [1, 1], 'n', 'a'],
  ] as const)('taken from %s is refused', async (_, table, [pk, ck], from, to) => {
    const target = await storedRow('t', 1, 1);
    const source = await storedRow(table, pk, ck);
    const value = source[from] ?? null;
    expect(value?.length).toBeGreaterThan(20);
    await put('t', target, to, value);
    try {
      expect(await client.refusal('SELECT * FROM ks.t WHERE pk = 1')).toMatch(AUTHENTICATION);
      expect(await client.refusal('SELECT a FROM ks.t WHERE pk = 1 AND ck = 1')).toMatch(
        AUTHENTICATION,
      );
      expect(await client.refusal('SELECT * FROM ks.t')).toMatch(AUTHENTICATION);
      // A conditional write answers with the row it found.
      expect(
        await client.refusal("INSERT INTO ks.t (pk, ck, a) VALUES (1, 1, 'x') IF NOT EXISTS"),
      ).toMatch(AUTHENTICATION);
    } finally {
      await put('t', target, to, target[to] ?? null);
    }
    expect(await client.rows('SELECT a FROM ks.t WHERE pk = 1 AND ck = 1')).toEqual([
      [Buffer.from('a11').toString('hex')],
    ]);
  });

  it('put into a static column is refused', async () => {
    const row = await storedRow('t', 1, 1);
    await put('t', row, 's', row['a'] ?? null);
    expect(await client.refusal('SELECT s FROM ks.t WHERE pk = 1')).toMatch(AUTHENTICATION);
    await put('t', row, 's', (await storedRow('t', 2, 1))['s'] ?? null);
    expect(await client.refusal('SELECT s FROM ks.t WHERE pk = 1')).toMatch(AUTHENTICATION);
    await put('t', row, 's', row['s'] ?? null);
    expect(await client.refusal('SELECT s FROM ks.t WHERE pk = 1')).toBeUndefined();
  });

  it.each(['a', 'n', 's'])('of column %s with any bit flipped is refused', async (column) => {
    const row = await storedRow('t', 1, 1);
    const value = row[column];
    if (value === null || value === undefined) throw new Error('no cell');
    const accepted: string[] = [];
    for (let bit = 0; bit < value.length * 8; bit += 1) {
      const flipped = Buffer.from(value);
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      await put('t', row, column, flipped);
      const refusal = await client.refusal(`SELECT ${column} FROM ks.t WHERE pk = 1`);
      if (refusal === undefined || !AUTHENTICATION.test(refusal))
        accepted.push(`${bit}: ${refusal ?? 'read'}`);
    }
    expect(accepted).toEqual([]);
    await put('t', row, column, value);
    expect(await client.refusal('SELECT * FROM ks.t')).toBeUndefined();
  });

  it('cut at any length, lengthened, or in the clear is refused', async () => {
    const row = await storedRow('t', 1, 1);
    const value = row['a'];
    if (value === null || value === undefined) throw new Error('no cell');
    const forged = [
      ...Array.from({ length: value.length }, (_, length) => value.subarray(0, length)),
      Buffer.concat([value, Buffer.of(0)]),
      Buffer.concat([Buffer.of(0), value]),
      Buffer.from('in the clear'),
    ];
    const accepted: string[] = [];
    for (const bytes of forged) {
      await put('t', row, 'a', bytes);
      const refusal = await client.refusal('SELECT a FROM ks.t WHERE pk = 1 AND ck = 1');
      if (refusal === undefined || !AUTHENTICATION.test(refusal))
        accepted.push(bytes.toString('hex'));
    }
    expect(accepted).toEqual([]);
    await put('t', row, 'a', value);
  });
});

describe('a stored key', () => {
  beforeAll(fill);

  it('of a partition, with a bit flipped, cut, or of another table is refused', async () => {
    const row = await storedRow('t', 1, 1);
    const pk = row['pk'];
    if (pk === null || pk === undefined) throw new Error('no key');
    const forged: Buffer[] = [pk.subarray(0, -1), pk.subarray(0, 3), Buffer.from('clear')];
    for (let bit = 0; bit < pk.length * 8; bit += 5) {
      const flipped = Buffer.from(pk);
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      forged.push(flipped);
    }
    forged.push(await storedKey('other', 1));
    for (const key of forged) {
      await stored('INSERT INTO ks.t (pk, ck, a) VALUES (?, ?, ?)', [key, row['ck'], row['a']]);
      expect(await client.refusal('SELECT * FROM ks.t'), key.toString('hex')).toMatch(
        AUTHENTICATION,
      );
      expect(await client.refusal('SELECT DISTINCT pk FROM ks.t')).toMatch(AUTHENTICATION);
      await stored('DELETE FROM ks.t WHERE pk = ?', [key]);
    }
    expect(await client.rows('SELECT pk FROM ks.t')).toHaveLength(4);
  });

  it('of a partition of two components, with the components exchanged, is refused', async () => {
    await client.rows("INSERT INTO ks.two (p1, p2, v) VALUES (1, 2, 'x')");
    const [row] = await stored('SELECT p1, p2, v FROM ks.two');
    await stored('INSERT INTO ks.two (p1, p2, v) VALUES (?, ?, ?)', [
      row?.['p2'],
      row?.['p1'],
      row?.['v'],
    ]);
    expect(await client.refusal('SELECT * FROM ks.two')).toMatch(AUTHENTICATION);
    expect(await client.refusal('SELECT p1, p2 FROM ks.two')).toMatch(AUTHENTICATION);
  });

  it('of a row, with a bit flipped, cut, or of another partition or table is refused', async () => {
    const row = await storedRow('t', 1, 1);
    const { pk, ck } = row;
    if (pk === null || ck === null || pk === undefined || ck === undefined)
      throw new Error('no key');
    const forged: (Buffer | null | undefined)[] = [
      ck.subarray(0, -1),
      ck.subarray(0, 5),
      Buffer.concat([ck, Buffer.of(0)]),
      (await storedRow('t', 2, 1))['ck'],
      (await storedRow('other', 1, 1))['ck'],
    ];
    for (let bit = 0; bit < ck.length * 8; bit += 3) {
      const flipped = Buffer.from(ck);
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      forged.push(flipped);
    }
    for (const key of forged) {
      await stored('INSERT INTO ks.t (pk, ck) VALUES (?, ?)', [pk, key]);
      expect(
        await client.refusal('SELECT ck FROM ks.t WHERE pk = 1'),
        key?.toString('hex'),
      ).toMatch(AUTHENTICATION);
      await stored('DELETE FROM ks.t WHERE pk = ? AND ck = ?', [pk, key]);
    }
    expect(await client.rows('SELECT ck FROM ks.t WHERE pk = 1')).toHaveLength(2);
  });
});

describe('a Cassandra that lies', () => {
  beforeAll(fill);

  const lie = (change: (body: RowsBody) => Buffer | undefined): (() => number) => {
    let count = 0;
    relay.rewrite = (frame) => {
      const rows = rowsOf(frame);
      const changed = rows === undefined ? undefined : change(rows);
      if (changed !== undefined) count += 1;
      return changed ?? frame.body;
    };
    return () => count;
  };
  /** The answer's cells of a statement, as they come from Cassandra. */
  const answerOf = async (cql: string): Promise<RowsBody> => {
    let body: RowsBody | undefined;
    lie((rows) => {
      body = rows;
      return undefined;
    });
    await client.rows(cql);
    if (body === undefined) throw new Error('no rows seen');
    return body;
  };

  it('with the row of another partition', async () => {
    const other = await answerOf('SELECT pk, ck, a FROM ks.t WHERE pk = 2 AND ck = 1');
    const lies = lie((body) =>
      body.columnCount === other.columnCount ? body.with(other.rows) : undefined,
    );
    const refusal = await client.refusal('SELECT pk, ck, a FROM ks.t WHERE pk = 1 AND ck = 1');
    expect(lies()).toBe(1);
    expect(refusal).toMatch(WRONG_ANSWER);
  });

  it.each(['a', 'pk, ck, a', 'ck, a', '*'])(
    'SELECT %s, with another row of the partition',
    async (columns) => {
      const other = await answerOf(`SELECT ${columns} FROM ks.t WHERE pk = 1 AND ck = 2`);
      const lies = lie((body) =>
        body.columnCount === other.columnCount ? body.with(other.rows) : undefined,
      );
      const refusal = await client.refusal(`SELECT ${columns} FROM ks.t WHERE pk = 1 AND ck = 1`);
      expect(lies()).toBe(1);
      expect(refusal).toMatch(WRONG_ANSWER);
    },
  );

  it.each(['a', 'a, b', 'pk, a', '*'])(
    'SELECT %s, with a row of another partition',
    async (columns) => {
      const other = await answerOf(`SELECT ${columns} FROM ks.t WHERE pk = 2 AND ck = 1`);
      const lies = lie((body) =>
        body.columnCount === other.columnCount ? body.with(other.rows) : undefined,
      );
      const refusal = await client.refusal(`SELECT ${columns} FROM ks.t WHERE pk = 1 AND ck = 1`);
      expect(lies()).toBe(1);
      expect(refusal).toMatch(WRONG_ANSWER);
    },
  );

  it('with an extra row of another partition, and of the same one in a slice', async () => {
    const other = await answerOf('SELECT pk, ck, a FROM ks.t WHERE pk = 2 AND ck = 1');
    lie((body) => body.with([...body.rows, ...other.rows]));
    expect(await client.refusal('SELECT pk, ck, a FROM ks.t WHERE pk = 1')).toMatch(WRONG_ANSWER);
    const outside = await answerOf('SELECT pk, ck, a FROM ks.t WHERE pk = 1 AND ck = 2');
    lie((body) => body.with([...body.rows, ...outside.rows]));
    expect(
      await client.refusal('SELECT pk, ck, a FROM ks.t WHERE pk = 1 AND ck < 2'),
    ).toBeDefined();
  });

  it('with two cells of a row exchanged', async () => {
    const lies = lie((body) => body.with(body.rows.map((row) => [...row].reverse())));
    expect(await client.refusal('SELECT a, b FROM ks.t WHERE pk = 1 AND ck = 1')).toMatch(
      WRONG_ANSWER,
    );
    expect(lies()).toBe(1);
  });

  it('with one column less or more', async () => {
    for (const cql of [
      'SELECT a, b FROM ks.t WHERE pk = 1 AND ck = 1',
      'SELECT * FROM ks.t WHERE pk = 1',
    ]) {
      lie((body) =>
        body.columnCount < 2
          ? undefined
          : body.withColumnCount(
              body.columnCount - 1,
              body.rows.map((row) => row.slice(1)),
            ),
      );
      const less = await client.refusal(cql);
      expect(less, cql).toMatch(/^0x0000 /);
      lie((body) =>
        body.withColumnCount(
          body.columnCount + 1,
          body.rows.map((row) => [...row, Buffer.from('more')]),
        ),
      );
      expect(`${cql}: ${await client.refusal(cql)}`).toMatch(/: 0x0000 /);
    }
  });

  it('with a frame that is cut short', async () => {
    const own = await connectClient(proxy);
    relay.rewrite = (frame) =>
      rowsOf(frame) === undefined ? frame.body : frame.body.subarray(0, -1);
    expect(await own.refusal('SELECT a FROM ks.t WHERE pk = 1')).toMatch(/^0x/);
    own.close();
  });

  it('and tells the truth again: the same connection reads its rows', async () => {
    expect(await client.rows('SELECT a FROM ks.t WHERE pk = 1')).toEqual(
      ['a11', 'a12'].map((text) => [Buffer.from(text).toString('hex')]),
    );
  });
});
