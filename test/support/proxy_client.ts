/** Short words for tests that look at single answers of a proxy. */
import { RawClient } from './raw_client.ts';
import type { RawQueryOptions } from './raw_client.ts';

/** One connection whose answers are rows as hex text, or an error as `0xCODE message`. */
export interface ProxyClient {
  /** Rows of a statement. @throws when it is answered by an error. */
  rows(cql: string, options?: RawQueryOptions): Promise<readonly (readonly (string | null)[])[]>;
  /** The error of a statement; `undefined` when it is answered by anything else. */
  refusal(cql: string, options?: RawQueryOptions): Promise<string | undefined>;
  close(): void;
}

/** Connects to a proxy. */
export async function connectClient(endpoint: {
  readonly host: string;
  readonly port: number;
}): Promise<ProxyClient> {
  const client = await RawClient.connect({ host: endpoint.host, port: endpoint.port });
  return {
    rows: async (cql, options) => {
      const answer = await client.query(cql, options);
      if (answer.kind === 'error') throw new Error(`${cql}: ${answer.message}`);
      if (answer.kind !== 'rows') return [];
      return answer.rows.map((row) => row.map((cell) => cell?.toString('hex') ?? null));
    },
    refusal: async (cql, options) => {
      const answer = await client.query(cql, options);
      if (answer.kind !== 'error') return undefined;
      return `0x${answer.code.toString(16).padStart(4, '0')} ${answer.message}`;
    },
    close: () => {
      client.close();
    },
  };
}
