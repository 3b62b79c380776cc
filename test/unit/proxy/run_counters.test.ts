import { describe, expect, it } from 'vitest';
import { CryptoTicks } from '../../../src/encryption/index.ts';
import { counterBytes, counterValue } from '../../../src/encryption/counter_plan.ts';
import type { WritePlan } from '../../../src/encryption/write_plan.ts';
import type { BoundWrite } from '../../../src/encryption/write_seal.ts';
import { CounterMemory } from '../../../src/proxy/counter_memory.ts';
import { WrittenPartitions } from '../../../src/proxy/partial_write.ts';
import { runCounters } from '../../../src/proxy/run_counters.ts';
import type { RequestContext, Session } from '../../../src/proxy/session.ts';
import { StalePlanError } from '../../../src/proxy/stale_plan.ts';
import { TurnQueue } from '../../../src/proxy/turn_queue.ts';
import type { ColumnEntry, TableEntry } from '../../../src/schema/index.ts';
import { native } from '../../../src/values/index.ts';
import {
  Consistency,
  decodeExecute,
  encodeError,
  Opcode,
  RowsWriter,
} from '../../../src/wire/index.ts';
import type { Envelope, QueryOptions } from '../../../src/wire/index.ts';
import { encryptedTable } from '../../support/table_entry.ts';
import { tableKeys } from '../crypto/support.ts';
import { systemTurnEnds } from '../../../src/util/index.ts';

function column(name: string, kind: ColumnEntry['kind']): ColumnEntry {
  return {
    name,
    id: Buffer.alloc(16, name),
    kind,
    position: 0,
    type: native(kind === 'regular' ? 'counter' : 'int'),
    padded: false,
    clusteringOrder: undefined,
    scheme: 'cell',
    storedType: 'blob',
  };
}

const [PK, C] = [column('pk', 'partition'), column('c', 'regular')] as const;
const TABLE: TableEntry = {
  ...encryptedTable(Buffer.alloc(16, 1), {
    provider: '',
    keyArn: '',
    serviceOwned: true,
    tableKeys: [],
    deks: [],
    minEpoch: 1,
  }),
  partitionKey: [PK],
  regulars: [C],
  columns: new Map([PK, C].map((one) => [one.name, one])),
  allColumns: [PK, C],
};
const KEYS = tableKeys(3);

function increment(amount: bigint): BoundWrite {
  return {
    plan: {
      table: TABLE,
      clustering: [],
      cells: [{ column: C }],
      counter: 'increments',
    } as unknown as WritePlan,
    partitions: [[Buffer.of(0, 0, 0, 1)]],
    clustering: [],
    cells: [counterBytes(amount)],
    cellKeys: [],
    plain: [],
  };
}

/** A Cassandra of one row that compares and sets. `interfere` runs before each request. */
class FakeNode {
  readonly node = 'fake:9042';
  stored: Buffer | null = null;
  readonly options: QueryOptions[] = [];
  interfere: (request: number) => Envelope | undefined = () => undefined;

  request(opcode: number, body: Uint8Array): Promise<Envelope> {
    expect(opcode).toBe(Opcode.EXECUTE);
    const { options } = decodeExecute(Buffer.from(body), 4);
    this.options.push(options);
    const instead = this.interfere(this.options.length);
    if (instead !== undefined) return Promise.resolve(instead);
    const [next, , compared] = options.values;
    const bytes = (value: unknown): Buffer | null =>
      value instanceof Uint8Array ? Buffer.from(value) : null;
    const [wanted, now] = [bytes(compared), this.stored];
    const isSame = wanted === null || now === null ? wanted === now : wanted.equals(now);
    if (isSame) this.stored = bytes(next);
    return Promise.resolve(answer(isSame, now));
  }
}

function answer(applied: boolean, cell: Buffer | null): Envelope {
  const spec = (name: string, type: 'boolean' | 'blob') => ({
    keyspace: 'ks',
    table: 't',
    name,
    type: native(type),
  });
  const columns = [spec('[applied]', 'boolean'), ...(applied ? [] : [spec('c', 'blob')])];
  const writer = new RowsWriter({ columns }, 4);
  writer.writeCell(Buffer.of(applied ? 1 : 0));
  if (!applied) writer.writeCell(cell);
  return envelope(Opcode.RESULT, writer.finish());
}

function envelope(opcode: number, body: Buffer): Envelope {
  return { version: 4, isResponse: true, flags: 0, streamId: 0, opcode, body };
}

function sessionOf(node: FakeNode): Session {
  return {
    version: 4,
    node,
    leases: { acquire: () => KEYS },
    services: {
      ticks: new CryptoTicks(systemTurnEnds),
      catalog: { ageMs: () => 0, snapshot: () => ({ table: () => TABLE }) },
      catalogMaxAgeMs: 1,
      stored: { known: () => ({ id: Buffer.of(1) }) },
      metrics: { addCellsEncrypted: () => undefined, addCellsDecrypted: () => undefined },
      onCellsEncrypted: () => undefined,
      delay: () => Promise.resolve(),
      counterTurns: new TurnQueue(() => new Promise(() => undefined)),
      counterMemory: new CounterMemory(),
    },
  } as unknown as Session;
}

const request = (consistency: number = Consistency.LOCAL_QUORUM): RequestContext => ({
  options: {
    consistency,
    values: [],
    names: undefined,
    skipMetadata: false,
    pageSize: undefined,
    pagingState: undefined,
    serialConsistency: Consistency.LOCAL_SERIAL,
    defaultTimestamp: 5n,
  },
  flags: 0,
  onUpstreamMs: () => undefined,
  written: new WrittenPartitions(),
});

/** What the row's counter is, read by an increment of nothing. */
async function value(node: FakeNode, nothing = increment(0n)): Promise<bigint> {
  const { stored } = node;
  if (stored === null) return 0n;
  const ticks = new CryptoTicks(systemTurnEnds);
  const session = sessionOf(node);
  await runCounters(session, request(), [nothing]);
  const { batch, queued } = await ticks.open((opening) => {
    const partition = opening.partition(KEYS, [lastKey(node)]);
    return opening.openCell(
      opening.row(partition, []),
      { columnId: C.id, kind: 'counter', name: 'ks.t.c', padded: false },
      node.stored ?? Buffer.alloc(0),
    );
  });
  return counterValue(batch.bytes(queued));
}

function lastKey(node: FakeNode): Buffer {
  return Buffer.from(node.options.at(-1)?.values[1] as Uint8Array);
}

describe('increments', () => {
  it('of a new counter take one round, of an old one two', async () => {
    const node = new FakeNode();
    await runCounters(sessionOf(node), request(), [increment(5n)]);
    expect(node.options).toHaveLength(1);
    await runCounters(sessionOf(node), request(), [increment(-7n)]);
    expect(node.options).toHaveLength(3);
    expect(await value(node)).toBe(-2n);
  });

  it('of a counter that the process incremented last take one round', async () => {
    const node = new FakeNode();
    const session = sessionOf(node);
    for (const amount of [5n, -7n, 40n]) await runCounters(session, request(), [increment(amount)]);
    expect(node.options).toHaveLength(3);
    expect(await value(node)).toBe(38n);
  });

  it('read a counter that somebody else wrote or deleted since', async () => {
    const node = new FakeNode();
    const session = sessionOf(node);
    await runCounters(session, request(), [increment(5n)]);
    await runCounters(sessionOf(node), request(), [increment(10n)]);
    const before = node.options.length;
    await runCounters(session, request(), [increment(1n)]);
    expect(node.options).toHaveLength(before + 2);
    expect(await value(node)).toBe(16n);
    await runCounters(session, request(), [increment(1n)]);
    node.stored = null;
    await runCounters(session, request(), [increment(3n)]);
    expect(await value(node)).toBe(3n);
  });

  it('read a counter after one whose outcome is unknown, and after a change of the table', async () => {
    const node = new FakeNode();
    const session = sessionOf(node);
    await runCounters(session, request(), [increment(5n)]);
    const extra = Buffer.from('0008000000010000000200064341533300', 'hex');
    node.interfere = () =>
      envelope(Opcode.ERROR, encodeError({ code: 0x1100, message: 'timed out', extra }));
    await expect(runCounters(session, request(), [increment(1n)])).rejects.toThrow('timed out');
    node.interfere = () => undefined;
    const before = node.options.length;
    await runCounters(session, request(), [increment(2n)]);
    expect(node.options).toHaveLength(before + 2);
    const changed = increment(3n);
    const table = { ...TABLE, version: 'another' };
    const services = {
      ...session.services,
      catalog: { ageMs: () => 0, snapshot: () => ({ table: () => table }) },
    };
    await runCounters({ ...session, services } as unknown as Session, request(), [
      { ...changed, plan: { ...changed.plan, table } },
    ]);
    expect(node.options).toHaveLength(before + 4);
    expect(await value(node)).toBe(10n);
  });

  it('go by Paxos in the whole cluster and are committed as the client wants, at Paxos own times', async () => {
    const node = new FakeNode();
    await runCounters(sessionOf(node), request(), [increment(5n)]);
    expect(node.options[0]).toMatchObject({
      consistency: Consistency.LOCAL_QUORUM,
      serialConsistency: Consistency.SERIAL,
      defaultTimestamp: undefined,
    });
  });

  it('of two parties are both there, whoever comes between', async () => {
    const node = new FakeNode();
    await runCounters(sessionOf(node), request(), [increment(1n)]);
    let others = 0;
    const other = sessionOf(node);
    node.interfere = (count) => {
      // Somebody else increments between the reading and the comparison, three times.
      if (count % 2 === 0 && others < 3) {
        others++;
        void runCounters(other, request(), [increment(100n)]);
      }
      return undefined;
    };
    await runCounters(sessionOf(node), request(), [increment(10n)]);
    await new Promise((resolve) => setTimeout(resolve, 20));
    node.interfere = () => undefined;
    expect(others).toBeGreaterThan(0);
    expect(await value(node)).toBe(11n + 100n * BigInt(others));
  });

  it('are not repeated after a timeout, which says COUNTER', async () => {
    const node = new FakeNode();
    node.stored = null;
    const extra = Buffer.concat([
      Buffer.from('00080000000100000002', 'hex'),
      Buffer.of(0, 3),
      Buffer.from('CAS'),
    ]);
    node.interfere = () =>
      envelope(Opcode.ERROR, encodeError({ code: 0x1100, message: 'timed out', extra }));
    const run = runCounters(sessionOf(node), request(), [increment(1n)]);
    await expect(run).rejects.toMatchObject({ cqlCode: 0x1100, message: 'timed out' });
    const error = (await run.catch((thrown: unknown) => thrown)) as { extra: Uint8Array };
    expect(Buffer.from(error.extra).toString('latin1')).toContain('COUNTER');
    expect(node.options).toHaveLength(1);
  });

  it('end when others are always faster, and nothing was added', async () => {
    const node = new FakeNode();
    const others = sessionOf(new FakeNode());
    const fakes = others.node as unknown as FakeNode;
    node.interfere = () => answer(false, fakes.stored);
    // Each answer shows another cell: an increment of the other row's counter makes a new one.
    node.request = async (opcode, body) => {
      await runCounters(others, request(), [increment(1n)]);
      return FakeNode.prototype.request.call(node, opcode, body);
    };
    const run = runCounters(sessionOf(node), request(), [increment(1n)]);
    await expect(run).rejects.toMatchObject({ code: 'OVERLOAD_CONTENTION' });
    expect(node.stored).toBeNull();
  });

  it('of several partitions are counted once when the table changes between them', async () => {
    const first = new FakeNode();
    const second = new FakeNode();
    const session = sessionOf(first);
    let isChanged = false;
    const key = (options: QueryOptions): string =>
      Buffer.from(options.values[1] as Uint8Array).toString('hex');
    let firstKey: string | undefined;
    // Two partitions behind one connection. Cassandra forgets the statement of the second when the first is done.
    const node = {
      node: first.node,
      request: (opcode: number, body: Uint8Array): Promise<Envelope> => {
        const { options } = decodeExecute(Buffer.from(body), 4);
        firstKey ??= key(options);
        if (key(options) === firstKey) return first.request(opcode, body);
        if (isChanged) return second.request(opcode, body);
        isChanged = true;
        const gone = { code: 0x2500, message: 'unprepared', extra: Buffer.of(0, 1, 1) };
        return Promise.resolve(envelope(Opcode.ERROR, encodeError(gone)));
      },
    };
    const services = {
      ...session.services,
      stored: { known: () => ({ id: Buffer.of(1) }), forget: () => undefined },
      catalog: {
        ageMs: () => 0,
        snapshot: () => ({ table: () => TABLE }),
        refresh: () => Promise.resolve({ table: () => ({ ...TABLE }) }),
      },
    };
    const changing = { ...session, node, services } as unknown as Session;
    const other = (amount: bigint): BoundWrite => ({
      ...increment(amount),
      partitions: [[Buffer.of(0, 0, 0, 2)]],
    });
    const writes = [increment(5n), other(7n)];
    const context = request();
    await expect(runCounters(changing, context, writes)).rejects.toBeInstanceOf(StalePlanError);
    await runCounters(changing, context, writes);
    expect(await value(first)).toBe(5n);
    expect(await value(second, other(0n))).toBe(7n);
  });

  it('are an error where Cassandra refuses what is the same', async () => {
    const node = new FakeNode();
    node.interfere = () => answer(false, null);
    await expect(runCounters(sessionOf(node), request(), [increment(1n)])).rejects.toMatchObject({
      code: 'METADATA_FOREIGN_RESULT',
    });
  });

  it('are an error on a cell that is not genuine', async () => {
    const node = new FakeNode();
    await runCounters(sessionOf(node), request(), [increment(1n)]);
    const forged = Buffer.from(node.stored ?? Buffer.alloc(36));
    forged[20] = (forged[20] ?? 0) ^ 1;
    node.stored = forged;
    await expect(runCounters(sessionOf(node), request(), [increment(1n)])).rejects.toMatchObject({
      code: 'CIPHERTEXT_TAG',
    });
    expect(node.stored).toBe(forged);
  });

  it.each([
    [Consistency.ANY, 'ANY is not yet supported for counter table t'],
    [Consistency.SERIAL, 'inherently non-serializable'],
    [Consistency.LOCAL_SERIAL, 'inherently non-serializable'],
  ])('are refused at consistency %i', async (consistency, words) => {
    const node = new FakeNode();
    const run = runCounters(sessionOf(node), request(consistency), [increment(1n)]);
    await expect(run).rejects.toThrow(words);
    expect(node.options).toHaveLength(0);
  });
});
