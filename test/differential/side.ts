/** One side of the comparison: a connection that runs steps and follows pages. */
import type { Endpoint } from '../support/endpoint.ts';
import { RawClient, type RawQueryOptions } from '../support/raw_client.ts';
import type { RawColumn, RawResult, RawValue } from '../support/raw_codec.ts';
import type { Outcome } from './compare.ts';
import { KS, type Step } from './model.ts';

const MAX_PAGES = 40;

type Prepared = RawResult & { readonly kind: 'prepared' };

/** A connection to one side, with the statements prepared there. */
export class Side {
  readonly keyspace: string;
  private readonly client: RawClient;
  private readonly prepared = new Map<string, Prepared>();

  private constructor(client: RawClient, keyspace: string) {
    this.client = client;
    this.keyspace = keyspace;
  }

  static async connect(endpoint: Endpoint, keyspace: string, version: number): Promise<Side> {
    return new Side(await RawClient.connect({ ...endpoint, version }), keyspace);
  }

  /** Text with this side's keyspace. */
  text(cql: string): string {
    return cql.replaceAll(KS, this.keyspace);
  }

  /** Runs text that must succeed. @throws TypeError with the server's error. */
  async must(cql: string): Promise<void> {
    const result = await this.client.query(this.text(cql));
    if (result.kind === 'error') throw new TypeError(`'${this.text(cql)}': ${result.message}`);
  }

  /** Runs text whatever comes of it. */
  async attempt(cql: string): Promise<RawResult> {
    return this.client.query(this.text(cql));
  }

  /** Forgets all prepared ids. */
  forget(): void {
    this.prepared.clear();
  }

  close(): void {
    this.client.close();
  }

  /** Runs a step to its end, following pages and healing UNPREPARED as drivers do. */
  async run(step: Step): Promise<Outcome> {
    if (step.union !== undefined) {
      const parts: Outcome[] = [];
      for (const cql of step.union) {
        const part = await this.run({
          kind: step.kind,
          form: step.form,
          cql,
          compare: step.compare,
          ...(step.pageSize === undefined ? {} : { pageSize: step.pageSize }),
        });
        if (part.first.kind !== 'rows') return part;
        parts.push(part);
      }
      return {
        ...(parts[0] as Outcome),
        rows: parts.flatMap((p) => p.rows),
        cut: parts.some((p) => p.cut),
      };
    }
    if (step.form === 'batch') return this.runBatch(step);
    const options = this.options(step);
    let prepared: Prepared | null = null;
    if (step.form === 'prepared') {
      const answer = await this.prepare(step.cql);
      if (answer.kind !== 'prepared') return single(answer, null);
      prepared = answer;
    }
    const pages: number[] = [];
    const rows: (readonly (Buffer | null)[])[] = [];
    let first: RawResult | null = null;
    let columns: readonly RawColumn[] | null = null;
    let state: Buffer | null = null;
    do {
      const page: RawQueryOptions = {
        ...options,
        ...(state === null ? {} : { pagingState: state }),
      };
      let result: RawResult =
        prepared === null
          ? await this.client.query(this.text(step.cql), page)
          : await this.client.execute(prepared.id, page);
      if (result.kind === 'error' && result.code === 0x2500 && prepared !== null) {
        this.prepared.delete(step.cql);
        const again = await this.prepare(step.cql);
        if (again.kind !== 'prepared') return single(again, null);
        prepared = again;
        result = await this.client.execute(prepared.id, page);
      }
      if (result.kind !== 'rows') return single(result, prepared);
      first ??= result;
      columns ??= result.columns ?? prepared?.columns ?? null;
      rows.push(...result.rows);
      pages.push(result.rows.length);
      state = result.pagingState;
    } while (state !== null && pages.length < MAX_PAGES);
    return { first, rows, columns, pages, cut: state !== null, prepared };
  }

  private async prepare(cql: string): Promise<RawResult> {
    const known = this.prepared.get(cql);
    if (known !== undefined) return known;
    const answer = await this.client.prepare(this.text(cql));
    if (answer.kind === 'prepared') this.prepared.set(cql, answer);
    return answer;
  }

  private options(step: Step): RawQueryOptions {
    return {
      ...(step.values === undefined ? {} : { values: step.values }),
      ...(step.names === undefined ? {} : { names: step.names }),
      ...(step.pageSize === undefined ? {} : { pageSize: step.pageSize }),
      ...(step.timestamp === undefined ? {} : { timestamp: step.timestamp }),
      ...(step.skipMetadata === true ? { skipMetadata: true } : {}),
    };
  }

  private async runBatch(step: Step): Promise<Outcome> {
    for (let attempt = 0; ; attempt++) {
      const children: { statement: string | Uint8Array; values: readonly RawValue[] }[] = [];
      for (const child of step.children ?? []) {
        if (!child.prepared) {
          children.push({ statement: this.text(child.cql), values: child.values });
          continue;
        }
        const answer = await this.prepare(child.cql);
        if (answer.kind !== 'prepared') return single(answer, null);
        children.push({ statement: answer.id, values: child.values });
      }
      const result = await this.client.batch(
        step.batchKind ?? 0,
        children,
        step.timestamp === undefined ? {} : { timestamp: step.timestamp },
      );
      if (result.kind === 'error' && result.code === 0x2500 && attempt < 2) {
        this.prepared.clear();
        continue;
      }
      return single(result, null);
    }
  }
}

function single(first: RawResult, prepared: Prepared | null): Outcome {
  const rows = first.kind === 'rows' ? first.rows : [];
  return {
    first,
    rows,
    columns: first.kind === 'rows' ? first.columns : null,
    pages: [rows.length],
    cut: false,
    prepared,
  };
}
