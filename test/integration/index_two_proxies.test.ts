/**
 * CREATE INDEX through one proxy while others write: also through one that stood still meanwhile. The index finds every row.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startCassandra } from '../support/cassandra.ts';
import type { TestCassandra } from '../support/cassandra.ts';
import { startProxy } from '../support/proxy.ts';
import type { TestProxy } from '../support/proxy.ts';
import { RawClient } from '../support/raw_client.ts';
import { int, prepared, REPLICATION, rowsOf, run, succeeded, text } from './support/pair.ts';

const BUILT_MS = 90_000;
const WRITE_PAUSE_MS = 25;

let cassandra: TestCassandra | undefined;
let proxies: readonly TestProxy[] = [];
let directory: string;
const clients: RawClient[] = [];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'cqlock-index-'));
  const given = process.env['CQLOCK_TEST_DIRECT'];
  if (given === undefined) cassandra = await startCassandra();
  const contact = given ?? `${cassandra?.host ?? ''}:${String(cassandra?.port)}`;
  const dataDir = process.env['CQLOCK_TEST_DATA'] ?? join(directory, 'data');
  const options = { contactPoints: [contact], dataDir };
  const first = await startProxy(options);
  proxies = [first, await startProxy({ ...options, init: false })];
  for (const { host, port } of proxies) clients.push(await RawClient.connect({ host, port }));
  await run(client(0), 'DROP KEYSPACE IF EXISTS index_two');
  await run(client(0), `CREATE KEYSPACE index_two WITH replication = ${REPLICATION}`);
});

afterAll(async () => {
  for (const open of clients) open.close();
  for (const proxy of proxies) await proxy.stop();
  await cassandra?.stop();
  await rm(directory, { recursive: true, force: true });
});

function client(index: number): RawClient {
  const found = clients[index];
  if (found === undefined) throw new Error('not connected');
  return found;
}

/** Whether all index jobs of both proxies are done. */
async function built(count: number): Promise<boolean> {
  let done = 0;
  for (const index of [0, 1]) {
    const rows = rowsOf(
      await client(index).query('SELECT kind, state FROM system_encryption.jobs'),
    );
    done += rows.filter(
      ([kind, state]) => `${String(kind)} ${String(state)}` === 'index done',
    ).length;
  }
  return done >= count;
}

const PAGE_ROWS = 7;

/** A page of the rows with the value that is sought, as `pk/ck`, and where it goes on. */
async function keysOfPage(
  from: RawClient,
  pagingState: Buffer | undefined,
): Promise<{ readonly keys: readonly string[]; readonly next: Buffer | undefined }> {
  const cql = "SELECT pk, ck FROM index_two.t WHERE v = 'sought' ALLOW FILTERING";
  const options = { pageSize: PAGE_ROWS, ...(pagingState === undefined ? {} : { pagingState }) };
  const page = await from.query(cql, options);
  const keys = rowsOf(page, cql).map(
    ([pk, ck]) => `${String(pk?.readInt32BE())}/${String(ck?.readInt32BE())}`,
  );
  return { keys, next: page.kind === 'rows' ? (page.pagingState ?? undefined) : undefined };
}

/** The rows of all pages from one on. */
async function keysToEnd(from: RawClient, state: Buffer | undefined): Promise<string[]> {
  const all: string[] = [];
  for (let next = state; next !== undefined;) {
    const page = await keysOfPage(from, next);
    all.push(...page.keys);
    next = page.next;
  }
  return all;
}

it('a proxy that stood still during CREATE INDEX and writes afterwards loses no row', async () => {
  const [a, b] = [client(0), client(1)];
  await run(
    a,
    'CREATE TABLE index_two.t (pk int, ck int, v text, s set<text>, m map<text, text>, l list<text>, PRIMARY KEY (pk, ck))',
  );
  const cql = 'INSERT INTO index_two.t (pk, ck, v) VALUES (?, ?, ?)';
  const id = await prepared(b, cql);
  const parts =
    "UPDATE index_two.t SET s = s + {'sought'}, m['k'] = ?, l = l + ['sought'] WHERE pk = ? AND ck = ?";
  const partsId = await prepared(b, parts);
  const put = async (pk: number, ck: number): Promise<void> => {
    const key = [int(pk), int(ck)];
    succeeded(await b.execute(id, { values: [...key, text('sought')] }), cql);
    succeeded(await b.execute(partsId, { values: [text('sought'), ...key] }), parts);
  };
  for (let ck = 0; ck < 20; ck++) await put(1, ck);
  const filtered = await keysOfPage(a, undefined);
  expect(filtered.keys).toHaveLength(PAGE_ROWS);
  const pid = proxies[1]?.pid ?? 0;
  process.kill(pid, 'SIGSTOP');
  // What the proxy gets while it stands still is executed by the plan that it has.
  const waiting = Array.from({ length: 50 }, (_, ck) => put(2, ck));
  try {
    for (const target of ['v', 's', 'values(m)', 'entries(m)', 'l']) {
      await run(a, `CREATE INDEX ON index_two.t (${target})`);
    }
  } finally {
    process.kill(pid, 'SIGCONT');
  }
  await Promise.all(waiting);
  for (let ck = 0; ck < 20; ck++) await put(3, ck);
  await expect.poll(() => built(5), { timeout: BUILT_MS, interval: 500 }).toBe(true);
  for (let ck = 0; ck < 20; ck++) await put(4, ck);
  for (const reader of [a, b]) {
    for (const where of [
      "v = 'sought'",
      "s CONTAINS 'sought'",
      "m CONTAINS 'sought'",
      "m['k'] = 'sought'",
      "l CONTAINS 'sought'",
    ]) {
      const found = await reader.query(`SELECT pk, ck FROM index_two.t WHERE ${where}`);
      expect(rowsOf(found), where).toHaveLength(110);
    }
  }
  // Pages that began by a filter go on by the index, and the other way round once it is gone: no row is lost or comes twice.
  const first = new Set([...filtered.keys, ...(await keysToEnd(b, filtered.next))]);
  expect([...first].filter((key) => key.startsWith('1/'))).toHaveLength(20);
  const byIndex = await keysOfPage(a, undefined);
  await run(b, 'DROP INDEX index_two.t_v_idx');
  const all = [...byIndex.keys, ...(await keysToEnd(a, byIndex.next))];
  expect(all).toHaveLength(110);
  expect(new Set(all).size).toBe(110);
});

it('clients of two proxies that write through CREATE and DROP INDEX lose no row and see no error', async () => {
  await run(client(0), 'CREATE TABLE index_two.busy (pk int PRIMARY KEY, v text, n int)');
  const cql = 'INSERT INTO index_two.busy (pk, v, n) VALUES (?, ?, ?)';
  let isOver = false;
  const written = new Set<number>();
  let next = 0;
  const writers = [0, 1, 0, 1].map(async (index) => {
    const id = await prepared(client(index), cql);
    while (!isOver) {
      const pk = next++;
      const values = [int(pk), text('busy'), int(pk % 3)];
      succeeded(await client(index).execute(id, { values }), cql);
      written.add(pk);
      // A table that grows faster than it is built, with an upper limit of rows a second, is not built before the writers pause.
      await delay(WRITE_PAUSE_MS);
    }
  });
  await run(client(0), 'CREATE INDEX busy_v ON index_two.busy (v)');
  await run(client(1), "CREATE INDEX busy_n ON index_two.busy (n) USING 'sai'");
  await run(client(1), 'DROP INDEX index_two.busy_v');
  await run(client(0), 'CREATE INDEX busy_v2 ON index_two.busy (v)');
  await expect.poll(() => built(7), { timeout: BUILT_MS, interval: 500 }).toBe(true);
  isOver = true;
  await Promise.all(writers);
  const keys = async (where: string): Promise<number> =>
    rowsOf(await client(0).query(`SELECT pk FROM index_two.busy WHERE ${where}`)).length;
  expect(await keys("v = 'busy'")).toBe(written.size);
  const counts = await Promise.all([0, 1, 2].map((n) => keys(`n = ${String(n)}`)));
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(written.size);
});
