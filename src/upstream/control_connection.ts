import type { ConnectionOptions } from 'node:tls';
import cassandra from 'cassandra-driver';
import { InvalidRequestError, UpstreamError } from '../errors/index.ts';
import type { CqlErrorCode } from '../errors/index.ts';
import { readNullElements } from './null_elements.ts';

readNullElements();

/** Where the connection says what happens; never gets values. */
export interface ControlConnectionLogger {
  info(fields: Readonly<Record<string, unknown>>, message: string): void;
  warn(fields: Readonly<Record<string, unknown>>, message: string): void;
}

/** Settings of the control connection. */
export interface ControlConnectionOptions {
  /** `host:port`. */
  readonly contactPoints: readonly string[];
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** Default: that of the first contact point. */
  readonly localDataCenter?: string | undefined;
  /** As node:tls takes them; read at each connection. Plain text if undefined. */
  readonly tls?: ConnectionOptions | undefined;
  readonly logger: ControlConnectionLogger;
  /** Default 12,000 ms. */
  readonly requestTimeoutMs?: number;
}

/** The answer to a statement of the proxy's own. */
export interface ControlResult {
  readonly rows: readonly Readonly<Record<string, unknown>>[];
  readonly columns: readonly {
    readonly name: string;
    readonly type: { readonly code: number; readonly info?: unknown };
  }[];
}

/** The value of a parameter that leaves its column as it is. */
export const UNSET: unknown = cassandra.types.unset;

/** A statement with its parameters. */
export interface ControlStatement {
  readonly query: string;
  readonly params: readonly unknown[];
}

/** How a statement is executed; the default is LOCAL_ONE for reads of local tables. */
export interface ExecuteOptions {
  readonly consistency?: 'one' | 'quorum' | 'serial';
  /** Prepared unless false. */
  readonly prepare?: boolean;
}

/** One page of an answer. */
export interface ControlPage extends ControlResult {
  /** What the next page is asked for with; `undefined` after the last one. */
  readonly next: string | undefined;
}

const CONSISTENCY = {
  all: cassandra.types.consistencies.all,
  one: cassandra.types.consistencies.one,
  quorum: cassandra.types.consistencies.quorum,
  serial: cassandra.types.consistencies.serial,
} as const;

/** The proxy's own connection to the cluster. */
export class ControlConnection {
  readonly #options: ControlConnectionOptions;
  readonly #client: cassandra.Client;

  constructor(options: ControlConnectionOptions) {
    this.#options = options;
    this.#client = new cassandra.Client(clientOptions(options));
    this.#client.on('log', (level: string, source: string, message: string) => {
      if (level === 'warning' || level === 'error') options.logger.warn({ source }, message);
    });
  }

  /**
   * Connects.
   * @throws UpstreamError when no contact point answers or the login is refused.
   */
  async connect(): Promise<void> {
    try {
      await this.#client.connect();
      this.#options.logger.info(
        { contactPoints: this.#options.contactPoints },
        'control connection is open',
      );
    } catch (error) {
      throw upstreamError(error, 'cannot connect to Cassandra');
    }
  }

  /** Closes all of its sockets. */
  async close(): Promise<void> {
    await this.#client.shutdown();
  }

  /**
   * Executes one statement and reads all pages.
   * @throws InvalidRequestError with Cassandra's code when it refuses; UpstreamError otherwise, an unknown outcome for writes.
   */
  async execute(
    query: string,
    params: readonly unknown[] = [],
    options: ExecuteOptions = {},
  ): Promise<ControlResult> {
    try {
      const result = await this.#client.execute(query, [...params], {
        prepare: options.prepare ?? true,
        consistency: CONSISTENCY[options.consistency ?? 'one'],
        fetchSize: 0x7fffffff,
      });
      // The driver's declarations leave out that both are missing from an answer without rows.
      const { rows, columns } = result as unknown as Partial<ControlResult>;
      return { rows: rows ?? [], columns: columns ?? [] };
    } catch (error) {
      throw upstreamError(error, 'a statement of the proxy failed');
    }
  }

  /**
   * Reads one page. Never retried.
   * @throws InvalidRequestError with Cassandra's code when it refuses; UpstreamError otherwise
   */
  async page(
    query: string,
    params: readonly unknown[],
    options: {
      readonly consistency: keyof typeof CONSISTENCY;
      readonly fetchSize: number;
      readonly state: string | undefined;
    },
  ): Promise<ControlPage> {
    try {
      const result = await this.#client.execute(query, [...params], {
        prepare: true,
        consistency: CONSISTENCY[options.consistency],
        fetchSize: options.fetchSize,
        retry: new cassandra.policies.retry.FallthroughRetryPolicy(),
        ...(options.state === undefined ? {} : { pageState: options.state }),
      });
      const { rows, columns, pageState } = result as unknown as Partial<ControlResult> & {
        readonly pageState?: string | null;
      };
      return { rows: rows ?? [], columns: columns ?? [], next: pageState ?? undefined };
    } catch (error) {
      throw upstreamError(error, 'a read of the proxy failed');
    }
  }

  /**
   * Executes statements of one partition together, with the timestamps they name themselves. Never retried.
   * @throws InvalidRequestError with Cassandra's code when it refuses; UpstreamError otherwise, an unknown outcome
   */
  async executeUnlogged(
    statements: readonly ControlStatement[],
    consistency: keyof typeof CONSISTENCY,
  ): Promise<void> {
    const options = {
      prepare: true,
      consistency: CONSISTENCY[consistency],
      retry: new cassandra.policies.retry.FallthroughRetryPolicy(),
    };
    try {
      const [only] = statements;
      if (statements.length === 1 && only !== undefined) {
        await this.#client.execute(only.query, [...only.params], options);
        return;
      }
      await this.#client.batch(
        statements.map(({ query, params }) => ({ query, params: [...params] })),
        { ...options, logged: false },
      );
    } catch (error) {
      throw upstreamError(error, 'a write of the proxy failed');
    }
  }

  /**
   * Writes rows of one partition at QUORUM, as one statement or one UNLOGGED batch. The statements have their own timestamps,
   * so they may be repeated.
   * @throws as {@link execute}
   */
  async writePartition(statements: readonly ControlStatement[]): Promise<void> {
    const options = {
      prepare: true,
      consistency: cassandra.types.consistencies.quorum,
      isIdempotent: true,
    };
    const [first] = statements;
    if (first === undefined) return;
    try {
      if (statements.length === 1) {
        await this.#client.execute(first.query, [...first.params], options);
      } else {
        await this.#client.batch(
          statements.map(({ query, params }) => ({ query, params: [...params] })),
          { ...options, logged: false },
        );
      }
    } catch (error) {
      throw upstreamError(error, 'a write to a table failed');
    }
  }

  /**
   * Executes a conditional batch on one partition: QUORUM, Paxos at SERIAL. Never retried.
   * @returns true when it was applied.
   */
  async executeConditionalBatch(statements: readonly ControlStatement[]): Promise<boolean> {
    try {
      const result = await this.#client.batch(
        statements.map(({ query, params }) => ({ query, params: [...params] })),
        {
          prepare: true,
          consistency: cassandra.types.consistencies.quorum,
          serialConsistency: cassandra.types.consistencies.serial,
          isIdempotent: false,
          retry: new cassandra.policies.retry.FallthroughRetryPolicy(),
        },
      );
      return result.wasApplied();
    } catch (error) {
      throw upstreamError(error, 'a conditional batch of the proxy failed');
    }
  }

  /**
   * Calls `listener` when Cassandra tells of a change of schema, and when the connection that hears of them was lost and
   * is open again. Events may come late, double or not at all: they are a reason to read, never the news itself.
   */
  onSchemaEvent(listener: () => void): void {
    // With its own metadata switched off the driver passes events on nowhere but to its log.
    this.#client.on('log', (_level: string, source: string, message: string) => {
      if (source !== 'ControlConnection') return;
      if (message === 'Schema change' || message.startsWith('ControlConnection connected to')) {
        listener();
      }
    });
  }
}

function clientOptions(options: ControlConnectionOptions): cassandra.ClientOptions {
  const requestTimeoutMs = options.requestTimeoutMs ?? 12_000;
  return {
    contactPoints: [...options.contactPoints],
    ...(options.localDataCenter === undefined
      ? {
          policies: {
            loadBalancing: new cassandra.policies.loadBalancing.RoundRobinPolicy(),
          },
        }
      : { localDataCenter: options.localDataCenter }),
    ...(options.username === undefined
      ? {}
      : {
          authProvider: new cassandra.auth.PlainTextAuthProvider(
            options.username,
            options.password ?? '',
          ),
        }),
    ...(options.tls === undefined ? {} : { sslOptions: options.tls }),
    // Keys of maps may be bytes, which no object has as names.
    encoding: { useBigIntAsLong: true, copyBuffer: true, map: Map },
    isMetadataSyncEnabled: false,
    socketOptions: { readTimeout: requestTimeoutMs, connectTimeout: 5000 },
    pooling: { warmup: true },
  };
}

/** Cassandra's refusals keep their code and text; everything else becomes UpstreamError. */
function upstreamError(error: unknown, what: string): Error {
  if (error instanceof cassandra.errors.ResponseError) {
    const refusals: readonly number[] = [0x2000, 0x2100, 0x2200, 0x2300, 0x2400];
    if (refusals.includes(error.code)) {
      return new InvalidRequestError(error.message, error.code as CqlErrorCode);
    }
    return new UpstreamError('UPSTREAM_RESPONSE', `${what}: ${error.message}`, { cause: error });
  }
  const message =
    error instanceof cassandra.errors.NoHostAvailableError
      ? noNodeText(error)
      : error instanceof Error
        ? error.message
        : 'unknown error';
  return new UpstreamError('UPSTREAM_CONTROL', `${what}: ${message}`, { cause: error });
}

/** Each node and its error in one line; the driver's own text has the first one's stack in it. */
function noNodeText(error: cassandra.errors.NoHostAvailableError): string {
  const inner = error.innerErrors as Readonly<Record<string, unknown>> | undefined;
  const nodes = Object.entries(inner ?? {}).map(
    ([node, cause]) => `${node} (${cause instanceof Error ? cause.message : 'no answer'})`,
  );
  return nodes.length === 0
    ? error.message
    : `no node can be used: ${nodes.join(', ')}; check CQLOCK_CONTACT_POINTS, CQLOCK_USERNAME and CQLOCK_PASSWORD`;
}
