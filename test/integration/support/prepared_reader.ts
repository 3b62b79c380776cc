/** A client of a prepared SELECT as drivers of protocol v4 are: it skips metadata and trusts what it was told last. */
import type { RawClient } from '../../support/raw_client.ts';
import type { RawColumn } from '../../support/raw_codec.ts';

const UNPREPARED = 0x2500;
const MOST_ATTEMPTS = 10;

/** Rows of text columns with the names a driver would give them. */
export interface NamedRows {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly (string | null)[])[];
}

/** Reads with skip_metadata; prepares again only where the server says UNPREPARED. */
export class PreparedReader {
  readonly #client: RawClient;
  readonly #cql: string;
  #id: Buffer;
  #columns: readonly RawColumn[];

  private constructor(
    client: RawClient,
    cql: string,
    { id, columns }: { id: Buffer; columns: readonly RawColumn[] },
  ) {
    this.#client = client;
    this.#cql = cql;
    this.#id = id;
    this.#columns = columns;
  }

  /** PREPAREs. */
  static async prepare(client: RawClient, cql: string): Promise<PreparedReader> {
    return new PreparedReader(client, cql, await prepareStatement(client, cql));
  }

  /** EXECUTEs. @throws Error for any error but UNPREPARED, and for rows that do not fit the known columns. */
  async read(): Promise<NamedRows> {
    for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
      const id = this.#id;
      const known = this.#columns;
      const answer = await this.#client.execute(id, { skipMetadata: true });
      if (answer.kind === 'error' && answer.code === UNPREPARED) {
        const again = await prepareStatement(this.#client, this.#cql);
        this.#id = again.id;
        this.#columns = again.columns;
        continue;
      }
      if (answer.kind !== 'rows') {
        throw new Error(
          `${this.#cql}: ${answer.kind === 'error' ? `${answer.code.toString(16)} ${answer.message}` : answer.kind}`,
        );
      }
      const columns = answer.columns ?? known;
      if (columns.length !== answer.columnCount) {
        throw new Error(
          `${String(answer.columnCount)} columns without metadata; the client knows ${String(columns.length)}`,
        );
      }
      return {
        columns: columns.map((column) => column.name),
        rows: answer.rows.map((row) => row.map((cell) => cell?.toString('utf8') ?? null)),
      };
    }
    throw new Error(`${this.#cql}: UNPREPARED ${String(MOST_ATTEMPTS)} times`);
  }
}

async function prepareStatement(
  client: RawClient,
  cql: string,
): Promise<{ id: Buffer; columns: readonly RawColumn[] }> {
  const answer = await client.prepare(cql);
  if (answer.kind !== 'prepared') {
    throw new Error(`${cql}: ${answer.kind === 'error' ? answer.message : answer.kind}`);
  }
  return { id: answer.id, columns: answer.columns ?? [] };
}
