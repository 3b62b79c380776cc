/** Operations beside plain rows: collections, lightweight transactions, filters, aggregates, indexes, counters. */
import type { RawClient } from '../support/raw_client.ts';
import { OP } from '../support/raw_codec.ts';
import { cells, execute, key, long, prepare, rotating, type Operation } from './workload.ts';

/** Rows of each table, and of each partition that is filtered and aggregated. */
const ROWS = 500;
const PARTITIONS = 20;
const PER_PARTITION = 100;
const GROUPS = 10;
const KEYS = 16;

/** Names of the operations. Reads by index come last, as they wait until the index is built. */
export const FEATURES = [
  'collections update',
  'collections select',
  'lwt insert',
  'lwt update',
  'filter in a partition',
  'aggregate of a partition',
  'groups of a partition',
  'counter increment',
  'index select',
] as const;

/** CREATE statements. */
export function featureTables(keyspace: string): string[] {
  return [
    `CREATE TABLE ${keyspace}.parts (id uuid PRIMARY KEY, tags set<text>, m map<int, text>)`,
    `CREATE TABLE ${keyspace}.lwt (id uuid PRIMARY KEY, amount bigint, name text)`,
    `CREATE TABLE ${keyspace}.many (id uuid, day int, at bigint, amount bigint, name text, PRIMARY KEY (id, day, at))`,
    `CREATE TABLE ${keyspace}.counts (id uuid PRIMARY KEY, n counter)`,
    `CREATE TABLE ${keyspace}.indexed (id uuid PRIMARY KEY, name text, amount bigint)`,
    `CREATE INDEX indexed_name ON ${keyspace}.indexed (name)`,
  ];
}

function int(value: number): Buffer {
  const out = Buffer.alloc(4);
  out.writeInt32BE(value);
  return out;
}

function sized(bytes: Buffer): Buffer {
  return Buffer.concat([int(bytes.length), bytes]);
}

function setOf(item: string): Buffer {
  return Buffer.concat([int(1), sized(Buffer.from(item))]);
}

function nameOf(n: number): Buffer {
  return cells(n)[0] as Buffer;
}

/** The operations, by the names of {@link FEATURES}. */
export async function featureOperations(
  client: RawClient,
  keyspace: string,
): Promise<Map<string, Operation>> {
  const out = new Map<string, Operation>();
  const add = async (
    name: (typeof FEATURES)[number],
    cql: string,
    isRead: boolean,
    values: (n: number) => Buffer[],
    count = ROWS,
  ): Promise<void> => {
    const id = await prepare(client, cql.replace('KS', keyspace));
    out.set(name, {
      opcode: OP.execute,
      next: rotating(count, (n) => execute(id, values(n))),
      expect: isRead ? 2 : 1,
      rows: isRead ? 1 : 0,
    });
  };
  await add(
    'collections update',
    'UPDATE KS.parts SET tags = tags + ?, m[?] = ? WHERE id = ?',
    false,
    (n) => [setOf(`tag ${n % KEYS}`), int(n % KEYS), Buffer.from(`value ${n}`), key(n)],
  );
  await add('collections select', 'SELECT tags, m FROM KS.parts WHERE id = ?', true, (n) => [
    key(n),
  ]);
  await add(
    'lwt insert',
    'INSERT INTO KS.lwt (id, amount, name) VALUES (?, ?, ?) IF NOT EXISTS',
    true,
    (n) => [key(n), long(BigInt(n)), nameOf(n)],
  );
  await add('lwt update', 'UPDATE KS.lwt SET name = ? WHERE id = ? IF amount >= ?', true, (n) => [
    nameOf(n),
    key(n),
    long(0n),
  ]);
  await add(
    'filter in a partition',
    'SELECT day, at, name FROM KS.many WHERE id = ? AND amount > ? ALLOW FILTERING',
    true,
    (n) => [key(n), long(BigInt(PER_PARTITION - 10))],
    PARTITIONS,
  );
  await add(
    'aggregate of a partition',
    'SELECT count(*), sum(amount), max(name) FROM KS.many WHERE id = ?',
    true,
    (n) => [key(n)],
    PARTITIONS,
  );
  await add(
    'groups of a partition',
    'SELECT day, count(*), avg(amount) FROM KS.many WHERE id = ? GROUP BY id, day',
    true,
    (n) => [key(n)],
    PARTITIONS,
  );
  await add('counter increment', 'UPDATE KS.counts SET n = n + ? WHERE id = ?', false, (n) => [
    long(1n),
    key(n),
  ]);
  await add('index select', 'SELECT id, amount FROM KS.indexed WHERE name = ?', true, (n) => [
    nameOf(n),
  ]);
  return out;
}

/** Writes the rows that are read. */
export async function fillFeatures(client: RawClient, keyspace: string): Promise<void> {
  const run = async (cql: string, values: readonly Buffer[][]): Promise<void> => {
    const id = await prepare(client, cql.replace('KS', keyspace));
    let next = 0;
    const writer = async (): Promise<void> => {
      for (let n = next++; n < values.length; n = next++) {
        const answer = await client.execute(id, { values: values[n] as Buffer[] });
        if (answer.kind === 'error') throw new TypeError(`'${cql}': ${answer.message}`);
      }
    };
    await Promise.all(Array.from({ length: 32 }, writer));
  };
  const all = Array.from({ length: ROWS }, (_, n) => n);
  await run(
    'UPDATE KS.parts SET tags = tags + ?, m[?] = ? WHERE id = ?',
    all.flatMap((n) =>
      Array.from({ length: 4 }, (_, k) => [
        setOf(`tag ${k}`),
        int(k),
        Buffer.from('value'),
        key(n),
      ]),
    ),
  );
  await run(
    'INSERT INTO KS.lwt (id, amount, name) VALUES (?, ?, ?)',
    all.map((n) => [key(n), long(BigInt(n)), nameOf(n)]),
  );
  await run(
    'INSERT INTO KS.many (id, day, at, amount, name) VALUES (?, ?, ?, ?, ?)',
    Array.from({ length: PARTITIONS * PER_PARTITION }, (_, i) => {
      const at = Math.floor(i / PARTITIONS);
      return [key(i % PARTITIONS), int(at % GROUPS), long(BigInt(at)), long(BigInt(at)), nameOf(i)];
    }),
  );
  await run(
    'INSERT INTO KS.indexed (id, name, amount) VALUES (?, ?, ?)',
    all.map((n) => [key(n), nameOf(n), long(BigInt(n))]),
  );
}

const BUILD_TIMEOUT_MS = 300_000;

/** Waits until the proxy reads by the index; until then it scans. @throws TypeError when that takes too long. */
export async function indexBuilt(client: RawClient, keyspace: string): Promise<void> {
  const started = performance.now();
  while (performance.now() - started < BUILD_TIMEOUT_MS) {
    const answer = await client.query(
      'SELECT keyspace_name, kind, state FROM system_encryption.jobs',
    );
    const isDone =
      answer.kind === 'rows' &&
      answer.rows.some((row) => row.map(String).join(' ') === `${keyspace} index done`);
    if (isDone) return;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  throw new TypeError(`the index of ${keyspace}.indexed is not built`);
}
