/** What the benchmark asks: tables, statements and request bodies, encoded ahead so that the generator stays light. */
import { randomBytes } from 'node:crypto';
import { OP, RawWriter, type RawValue } from '../support/raw_codec.ts';
import { encodeParameters, type RawClient } from '../support/raw_client.ts';

/** One operation, bound to one side's keyspace and prepared ids. */
export interface Operation {
  readonly opcode: number;
  /** The body of the next request. */
  readonly next: () => Uint8Array;
  /** Kind of RESULT expected: 1 void, 2 rows. */
  readonly expect: number;
  /** Rows in one answer; 0 for writes. */
  readonly rows: number;
}

/** Rows of the partition and of the table that pages are read from. */
export const PAGE_ROWS = 5000;

/** CREATE TABLE statements; compression off so that bytes stored can be compared. */
export function tables(keyspace: string): string[] {
  const cells = 'name text, amount bigint, seen timestamp, note text';
  const options = `compression = {'enabled': false}`;
  return [
    `CREATE TABLE ${keyspace}.users (id uuid PRIMARY KEY, ${cells}) WITH ${options}`,
    `CREATE TABLE ${keyspace}.events (id uuid, at bigint, ${cells}, PRIMARY KEY (id, at)) WITH ${options}`,
  ];
}

const NOTE = 'a note of about sixty characters, as an application has many.';

/** 8 bytes of a bigint. */
export function long(value: bigint): Buffer {
  const out = Buffer.alloc(8);
  out.writeBigInt64BE(value);
  return out;
}

/** The four cells of row `n`. */
export function cells(n: number): Buffer[] {
  return [
    Buffer.from(`user number ${String(n).padStart(8, '0')}`),
    long(BigInt(n) * 1_000_003n),
    long(1_700_000_000_000n + BigInt(n)),
    Buffer.from(`${NOTE.slice(0, 52)}${String(n).padStart(8, '0')}`),
  ];
}

/** A key that both sides and all runs agree on. */
export function key(n: number): Buffer {
  const out = Buffer.from('00000000000040008000000000000000', 'hex');
  out.writeUInt32BE(Math.imul(n, 2654435761) >>> 0, 0);
  out.writeUInt32BE(n, 12);
  return out;
}

function uuidText(bytes: Buffer): string {
  const h = bytes.toString('hex');
  return `${h.slice(0, 8)}-${h.slice(8, 12)}-${h.slice(12, 16)}-${h.slice(16, 20)}-${h.slice(20)}`;
}

/** Rows written before the measurement, so that reads find something. */
export const STORED = 2000;
const ONE_PARTITION = key(0xfffffff0);

/** Prepares a statement. @throws TypeError with the server's error. */
export async function prepare(client: RawClient, cql: string): Promise<Buffer> {
  const answer = await client.prepare(cql);
  if (answer.kind !== 'prepared')
    throw new TypeError(
      `PREPARE '${cql}': ${answer.kind === 'error' ? answer.message : answer.kind}`,
    );
  return answer.id;
}

/** The body of an EXECUTE. */
export function execute(id: Buffer, values: readonly RawValue[], pageSize?: number): Buffer {
  return encodeParameters(new RawWriter().shortBytes(id), {
    values,
    skipMetadata: true,
    ...(pageSize === undefined ? {} : { pageSize }),
  }).done();
}

/** Bodies made beforehand, one after the other and again. */
export function rotating<T>(count: number, make: (n: number) => T): () => T {
  const made = Array.from({ length: count }, (_, n) => make(n));
  let at = 0;
  return () => made[at++ % count] as T;
}

function query(cql: string): Buffer {
  return encodeParameters(new RawWriter().longString(cql), {}).done();
}

/** The operations of one side, by name. `client`: a connection to prepare on (ids are the server's, not the connection's). */
export async function operations(
  client: RawClient,
  keyspace: string,
): Promise<Map<string, Operation>> {
  const out = new Map<string, Operation>();
  let fresh = 0x10000000 + (randomBytes(3).readUIntBE(0, 3) << 4);
  for (const table of ['users', 'events'] as const) {
    const at = table === 'events';
    const t = `${keyspace}.${table}`;
    const columns = at ? 'id, at, name, amount, seen, note' : 'id, name, amount, seen, note';
    const insert = await prepare(
      client,
      `INSERT INTO ${t} (${columns}) VALUES (${columns.replace(/[a-z]+/g, '?')})`,
    );
    const select = await prepare(
      client,
      `SELECT ${columns} FROM ${t} WHERE id = ?${at ? ' AND at = ?' : ''}`,
    );
    const keys = (k: Buffer): Buffer[] => (at ? [k, long(7n)] : [k]);
    // One body, its key overwritten for each request: the key is the first value, 16 bytes after its length.
    const template = execute(insert, [...keys(key(1)), ...cells(1)]);
    const where = template.indexOf(key(1));
    out.set(`${table} insert prepared`, {
      opcode: OP.execute,
      next: () => {
        key(fresh++).copy(template, where);
        return template;
      },
      expect: 1,
      rows: 0,
    });
    out.set(`${table} select prepared`, {
      opcode: OP.execute,
      next: rotating(STORED, (n) => execute(select, keys(key(n)))),
      expect: 2,
      rows: 1,
    });
    const literal = (n: number): string => {
      const [name, amount, seen, note] = cells(n) as [Buffer, Buffer, Buffer, Buffer];
      const cellText = `'${name.toString()}', ${amount.readBigInt64BE(0)}, ${seen.readBigInt64BE(0)}, '${note.toString()}'`;
      return `INSERT INTO ${t} (${columns}) VALUES (${uuidText(key(n))}, ${at ? '7, ' : ''}${cellText})`;
    };
    out.set(`${table} insert literal`, {
      opcode: OP.query,
      next: () => query(literal(fresh++ % 99_999_999)),
      expect: 1,
      rows: 0,
    });
    out.set(`${table} select literal`, {
      opcode: OP.query,
      next: rotating(STORED, (n) =>
        query(
          `SELECT ${columns} FROM ${t} WHERE id = ${uuidText(key(n))}${at ? ' AND at = 7' : ''}`,
        ),
      ),
      expect: 2,
      rows: 1,
    });
  }
  const partition = await prepare(client, `SELECT * FROM ${keyspace}.events WHERE id = ?`);
  out.set('page of one partition', {
    opcode: OP.execute,
    next: () => execute(partition, [ONE_PARTITION], PAGE_ROWS),
    expect: 2,
    rows: PAGE_ROWS,
  });
  const scan = await prepare(client, `SELECT * FROM ${keyspace}.users`);
  out.set('page of a scan', {
    opcode: OP.execute,
    next: () => execute(scan, [], PAGE_ROWS),
    expect: 2,
    rows: PAGE_ROWS,
  });
  return out;
}

/** Writes the rows that are read later: STORED single rows in both tables, PAGE_ROWS in one partition and in the table. */
export async function fill(client: RawClient, keyspace: string): Promise<void> {
  const users = await prepare(
    client,
    `INSERT INTO ${keyspace}.users (id, name, amount, seen, note) VALUES (?, ?, ?, ?, ?)`,
  );
  const events = await prepare(
    client,
    `INSERT INTO ${keyspace}.events (id, at, name, amount, seen, note) VALUES (?, ?, ?, ?, ?, ?)`,
  );
  const jobs: (() => Promise<unknown>)[] = [];
  const run = (id: Buffer, values: Buffer[]) => async (): Promise<void> => {
    const answer = await client.execute(id, { values });
    if (answer.kind === 'error') throw new TypeError(answer.message);
  };
  for (let n = 0; n < PAGE_ROWS + 500; n++) {
    jobs.push(
      run(users, [key(n), ...cells(n)]),
      run(events, [ONE_PARTITION, long(BigInt(n)), ...cells(n)]),
    );
    if (n < STORED) jobs.push(run(events, [key(n), long(7n), ...cells(n)]));
  }
  let next = 0;
  await Promise.all(
    Array.from({ length: 64 }, async () => {
      while (next < jobs.length) await (jobs[next++] as () => Promise<unknown>)();
    }),
  );
}

/** Reads row 5 of both tables in full. @throws TypeError when it is not what was written. */
export async function check(client: RawClient, keyspace: string): Promise<void> {
  for (const [table, where] of [
    ['users', 'id = ?'],
    ['events', 'id = ? AND at = 7'],
  ] as const) {
    const id = await prepare(
      client,
      `SELECT name, amount, seen, note FROM ${keyspace}.${table} WHERE ${where}`,
    );
    const answer = await client.execute(id, { values: [key(5)] });
    const want = cells(5);
    const row = answer.kind === 'rows' ? answer.rows[0] : undefined;
    if (row === undefined || !want.every((cell, i) => row[i]?.equals(cell) === true))
      throw new TypeError(`${table}: the row read is not the row written`);
  }
}
