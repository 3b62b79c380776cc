/** Runs one statement on Cassandra directly and through the proxy, and compares all that the client can see of the answer. */
import { expect } from 'vitest';
import type { Endpoint } from '../../support/endpoint.ts';
import { RawClient } from '../../support/raw_client.ts';
import type { RawQueryOptions } from '../../support/raw_client.ts';
import type { RawColumn, RawResult, RawType } from '../../support/raw_codec.ts';
import { REPLICATION } from './pair.ts';

/** Stands for the keyspace in statements: each side has its own. */
export const KS = 'KS';

/** How the answers to a statement are compared. */
export interface Comparison extends RawQueryOptions {
  /** Rows as a multiset: a scan, whose order of partitions is the proxy's own. */
  readonly anyOrder?: boolean;
  /** Texts of errors may differ: one side prints a value, or it is a syntax error. */
  readonly anyText?: boolean;
  /** Warnings may differ: Cassandra names its own statement id, or counts stored bytes. */
  readonly anyWarning?: boolean;
  /** Columns of which only null or not is compared, by position: write times and tokens. */
  readonly ignore?: readonly number[];
}

/** Where the two sides are. */
interface Endpoints {
  readonly direct: Endpoint;
  readonly proxy: Endpoint;
}

/** One answer as it is compared. */
export type Seen = Readonly<Record<string, unknown>>;

/** A connection each to Cassandra and to the proxy, with a keyspace of one's own on either side. */
export class SideBySide {
  readonly direct: RawClient;
  readonly proxy: RawClient;
  readonly #keyspaces: { readonly direct: string; readonly proxy: string };

  private constructor(direct: RawClient, proxy: RawClient, name: string) {
    this.direct = direct;
    this.proxy = proxy;
    this.#keyspaces = { direct: `${name}_plain`, proxy: `${name}_enc` };
  }

  /** Connects and makes the keyspaces `<name>_plain` and `<name>_enc`. */
  static async open(endpoints: Endpoints, name: string, version = 4): Promise<SideBySide> {
    const sides = await SideBySide.connect(endpoints, name, { version });
    await sides.done(`DROP KEYSPACE IF EXISTS ${KS}`);
    await sides.done(`CREATE KEYSPACE ${KS} WITH replication = ${REPLICATION}`);
    return sides;
  }

  /** Connects, with keyspaces that are there already. */
  static async connect(
    endpoints: Endpoints,
    name: string,
    options: { readonly version?: number; readonly username?: string; readonly password?: string },
  ): Promise<SideBySide> {
    return new SideBySide(
      await RawClient.connect({ ...endpoints.direct, ...options }),
      await RawClient.connect({ ...endpoints.proxy, ...options }),
      name,
    );
  }

  close(): void {
    this.direct.close();
    this.proxy.close();
  }

  /** The text of a statement for one side. */
  text(cql: string, side: 'direct' | 'proxy'): string {
    return cql.replaceAll(KS, this.#keyspaces[side]);
  }

  /** Runs a statement on both sides; it has to succeed. */
  async done(...statements: readonly string[]): Promise<void> {
    for (const cql of statements) {
      for (const side of ['direct', 'proxy'] as const) {
        const answer = await this[side].query(this.text(cql, side));
        if (answer.kind === 'error') throw new Error(`${side}: ${cql}: ${answer.message}`);
      }
    }
  }

  /** Compares the answers to a QUERY and returns what both gave. */
  async same(cql: string, how: Comparison = {}): Promise<Seen> {
    const [direct, proxy] = await Promise.all([
      this.direct.query(this.text(cql, 'direct'), how),
      this.proxy.query(this.text(cql, 'proxy'), how),
    ]);
    return this.compare(cql, how, direct, proxy);
  }

  /** Compares the answers to a PREPARE, and to an EXECUTE for each set of values. */
  async samePrepared(
    cql: string,
    executions: readonly RawQueryOptions[],
    how: Comparison = {},
  ): Promise<Seen[]> {
    const direct = await this.direct.prepare(this.text(cql, 'direct'));
    const proxy = await this.proxy.prepare(this.text(cql, 'proxy'));
    const seen = [this.compare(`PREPARE ${cql}`, how, direct, proxy)];
    if (direct.kind !== 'prepared' || proxy.kind !== 'prepared') return seen;
    for (const [index, options] of executions.entries()) {
      const [expected, actual] = await Promise.all([
        this.direct.execute(direct.id, options),
        this.proxy.execute(proxy.id, options),
      ]);
      seen.push(this.compare(`${cql} with values ${String(index)}`, how, expected, actual));
    }
    return seen;
  }

  /** Compares two answers. */
  compare(what: string, how: Comparison, direct: RawResult, proxy: RawResult): Seen {
    const expected = this.seen(direct, how, 'direct');
    expect.soft(this.seen(proxy, how, 'proxy'), what).toEqual(expected);
    return expected;
  }

  /** What a client sees of an answer, with the side's keyspace named as in the statement. */
  seen(answer: RawResult, how: Comparison, side: 'direct' | 'proxy'): Seen {
    const own = (value: string): string => value.replaceAll(this.#keyspaces[side], KS);
    const columns = (list: readonly RawColumn[] | null): unknown =>
      list?.map((c) => `${own(c.keyspace)}.${c.table}.${own(c.name)} ${own(typeText(c.type))}`);
    const common = {
      kind: answer.kind,
      ...(how.anyWarning === true ? {} : { warnings: answer.warnings.map(own) }),
    };
    switch (answer.kind) {
      case 'rows': {
        const rows = answer.rows.map((row) =>
          row
            .map((cell, at) => {
              if (cell === null) return 'null';
              return how.ignore?.includes(at) === true ? 'something' : cell.toString('hex');
            })
            .join(' '),
        );
        if (how.anyOrder === true) rows.sort();
        return {
          ...common,
          columns: columns(answer.columns),
          rows,
          hasMore: answer.pagingState !== null,
        };
      }
      case 'error':
        return {
          ...common,
          code: answer.code.toString(16),
          ...(how.anyText === true ? {} : { message: own(answer.message) }),
        };
      case 'prepared':
        return {
          ...common,
          bind: columns(answer.bind),
          pkIndexes: answer.pkIndexes,
          columns: columns(answer.columns),
        };
      case 'schema_change':
        return {
          ...common,
          change: `${answer.change} ${answer.target} ${own(answer.keyspace)} ${answer.name}`,
        };
      case 'set_keyspace':
        return { ...common, keyspace: own(answer.keyspace) };
      case 'void':
      case 'other':
        return common;
    }
  }
}

function typeText(type: RawType): string {
  const inner = (type.of ?? []).map(typeText).join();
  const name = type.udt === undefined ? '' : `${type.udt.keyspace}.${type.udt.name}`;
  return `${String(type.id)}${type.custom ?? ''}${name}<${inner}>`;
}
