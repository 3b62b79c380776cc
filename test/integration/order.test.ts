/**
 * Order and equality of clustering columns are Cassandra's own, for every type: the same values are written through the
 * proxy and, to plain tables, on Cassandra directly; both have to give the same rows in the same order.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Prng } from '../differential/prng.ts';
import { RawClient } from '../support/raw_client.ts';
import type { RawBatchChild } from '../support/raw_client.ts';
import {
  bigint,
  inParallel,
  int,
  prepared,
  REPLICATION,
  rowsOf,
  run,
  startPair,
  succeeded,
} from './support/pair.ts';
import type { Pair } from './support/pair.ts';
import { FROZEN_KEY_TYPES } from './support/frozen_key_values.ts';
import { SCALAR_KEY_TYPES } from './support/key_values.ts';
import type { KeyType } from './support/key_values.ts';

const SEED = process.env['CQLOCK_TEST_SEED'] ?? 'order-1';
const ROWS = { scalar: 10_000, frozen: 2_000 };
const BATCH = 100;
const WIDTH = 8;
const PIVOTS = 40;
const DIRECTIONS = ['ASC', 'DESC'] as const;

/** One way to Cassandra. */
interface Side {
  readonly client: RawClient;
  readonly keyspace: string;
}

let pair: Pair | undefined;
let direct: Side;
let proxy: Side;

beforeAll(async () => {
  const started = await startPair();
  pair = started;
  direct = { client: await RawClient.connect(started.direct), keyspace: 'order_plain' };
  proxy = { client: await RawClient.connect(started.proxy), keyspace: 'order_encrypted' };
  for (const { client, keyspace } of [direct, proxy]) {
    await run(client, `DROP KEYSPACE IF EXISTS ${keyspace}`);
    await run(client, `CREATE KEYSPACE ${keyspace} WITH replication = ${REPLICATION}`);
    await run(client, `CREATE TYPE ${keyspace}.pair (a int, b text)`);
  }
});

afterAll(async () => {
  if (pair === undefined) return;
  direct.client.close();
  proxy.client.close();
  await pair.stop();
});

describe.each([
  ['scalar', ROWS.scalar, SCALAR_KEY_TYPES],
  ['frozen', ROWS.frozen, FROZEN_KEY_TYPES],
] as const)('clustering columns of %s types', (_kind, count, types) => {
  it.each(types)('$cql', async (type) => {
    const values = valuesOf(type, count);
    for (const direction of DIRECTIONS) {
      const [plain, encrypted] = await Promise.all([
        filled(direct, type, direction, values),
        filled(proxy, type, direction, values),
      ]);
      expect(encrypted, 'answers to edges').toEqual(plain);
      const [expected, actual] = await Promise.all([
        scanned(direct, tableOf(direct, type, direction)),
        scanned(proxy, tableOf(proxy, type, direction)),
      ]);
      expect(expected.length).toBeGreaterThan(1);
      expect(actual.map((row) => row.index)).toEqual(expected.map((row) => row.index));
      await compareKeys(type, tableOf(direct, type, direction), actual, expected);
      await compareSlices(
        type,
        direction,
        expected.map((row) => row.value),
      );
    }
  });
});

interface Row {
  readonly value: Buffer;
  /** Number of the write that gave the row its last value. */
  readonly index: number;
}

function valuesOf(type: KeyType, count: number): Buffer[] {
  const prng = new Prng(`${SEED} ${type.label}`);
  const values: Buffer[] = [];
  while (values.length < count) {
    const previous = values.length === 0 ? undefined : prng.pick(values.slice(-20));
    values.push(type.random(prng, previous));
  }
  return values;
}

function tableOf(side: Side, type: KeyType, direction: string): string {
  return `${side.keyspace}.${type.label}_${direction.toLowerCase()}`;
}

/** Makes a table and writes all values; gives the answers to the edges, which may be refusals. */
async function filled(
  side: Side,
  type: KeyType,
  direction: string,
  values: readonly Buffer[],
): Promise<readonly string[]> {
  const { client } = side;
  const table = tableOf(side, type, direction);
  await run(
    client,
    `CREATE TABLE ${table} (pk int, ck ${type.cql}, v int, PRIMARY KEY (pk, ck)) WITH CLUSTERING ORDER BY (ck ${direction})`,
  );
  const insert = `INSERT INTO ${table} (pk, ck, v) VALUES (0, ?, ?) USING TIMESTAMP ?`;
  const id = await prepared(client, insert);
  const bound = (value: Buffer, index: number): Buffer[] => [
    value,
    int(index),
    bigint(BigInt(index + 1)),
  ];
  const answers: string[] = [];
  for (const [index, value] of type.edges.entries()) {
    const answer = await client.execute(id, { values: bound(value, values.length + index) });
    answers.push(answer.kind === 'error' ? `${answer.code} ${answer.message}` : answer.kind);
  }
  const batches: RawBatchChild[][] = [];
  values.forEach((value, index) => {
    if (index % BATCH === 0) batches.push([]);
    batches.at(-1)?.push({ statement: id, values: bound(value, index) });
  });
  await inParallel(batches, WIDTH, async (children) => {
    succeeded(await client.batch(1, children), insert);
  });
  return answers;
}

/** All rows in the order of the table. */
async function scanned({ client }: Side, table: string): Promise<Row[]> {
  const cql = `SELECT ck, v FROM ${table} WHERE pk = 0`;
  const rows: Row[] = [];
  let pagingState: Buffer | undefined;
  do {
    const answer = succeeded(
      await client.query(cql, {
        pageSize: 3_000,
        ...(pagingState === undefined ? {} : { pagingState }),
      }),
      cql,
    );
    rows.push(...rowsOf(answer, cql).map(rowOf));
    pagingState = answer.kind === 'rows' ? (answer.pagingState ?? undefined) : undefined;
  } while (pagingState !== undefined);
  return rows;
}

function rowOf([value, index]: readonly (Buffer | null)[]): Row {
  return { value: value as Buffer, index: (index as Buffer).readInt32BE() };
}

/** Types whose values come back in a canonical form, where Cassandra keeps the bytes that came first. */
const CANONICAL: ReadonlySet<string> = new Set([
  'decimal',
  'varint',
  'boolean',
  'float',
  'double',
  'inet',
  'list_decimal',
  'tuple_int_text',
  'udt_pair',
  'vector_float',
]);
const CANONICAL_CHECKS = 200;

/** The keys are the same bytes, or, where a canonical form may come back, equal in Cassandra's own eyes. */
async function compareKeys(
  type: KeyType,
  table: string,
  actual: readonly Row[],
  expected: readonly Row[],
): Promise<void> {
  if (!CANONICAL.has(type.label)) {
    expect(actual.map((row) => row.value.toString('hex'))).toEqual(
      expected.map((row) => row.value.toString('hex')),
    );
    return;
  }
  const cql = `SELECT ck, v FROM ${table} WHERE pk = 0 AND ck = ?`;
  const step = Math.ceil(actual.length / CANONICAL_CHECKS);
  const checked = actual.filter((_row, at) => at % step === 0);
  await inParallel(checked, WIDTH, async ({ value, index }) => {
    const rows = rowsOf(await direct.client.query(cql, { values: [value] }), cql).map(rowOf);
    expect(
      rows.map((row) => row.index),
      value.toString('hex'),
    ).toEqual([index]);
  });
}

/** Slices around random rows, open and closed, forward and reversed, and lookups of single values. */
async function compareSlices(
  type: KeyType,
  direction: string,
  sorted: readonly Buffer[],
): Promise<void> {
  const prng = new Prng(`${SEED} slices ${type.label} ${direction}`);
  const questions: { readonly where: string; readonly values: readonly Buffer[] }[] = [];
  for (let i = 0; i < PIVOTS; i++) {
    const at = prng.int(sorted.length);
    const pivot = prng.int(4) === 0 ? type.random(prng, sorted[at]) : (sorted[at] as Buffer);
    const other = sorted[Math.min(sorted.length - 1, at + prng.int(12))] as Buffer;
    const [low, high] = direction === 'ASC' ? [pivot, other] : [other, pivot];
    for (const order of DIRECTIONS) {
      const operator = (order === 'ASC' ? ['>', '>='] : ['<', '<='])[prng.int(2)] ?? '>';
      questions.push({ where: `ck ${operator} ? ORDER BY ck ${order} LIMIT 12`, values: [pivot] });
    }
    questions.push({
      where: `ck ${prng.pick(['>', '>='])} ? AND ck ${prng.pick(['<', '<='])} ? LIMIT 40`,
      values: [low, high],
    });
    questions.push({ where: 'ck = ?', values: [pivot] });
  }
  await inParallel(questions, WIDTH, async ({ where, values }) => {
    const [expected, actual] = await Promise.all(
      [direct, proxy].map(async (side) => {
        const cql = `SELECT ck, v FROM ${tableOf(side, type, direction)} WHERE pk = 0 AND ${where}`;
        const answer = await side.client.query(cql, { values });
        if (answer.kind === 'error') return `${answer.code} ${answer.message}`;
        return rowsOf(answer, cql).map((row) => rowOf(row).index);
      }),
    );
    expect(actual, `${where} ${values.map((value) => value.toString('hex')).join(' ')}`).toEqual(
      expected,
    );
  });
}
