import type { Address, Config } from '../config/index.ts';
import type { BackupPort } from '../lifecycle/index.ts';
import type { Readiness } from '../net/index.ts';
import type { Logger, Metrics } from '../observability/index.ts';
import type { Clock } from '../util/index.ts';

/** What the proxy is made from. */
export interface ProxyContext {
  readonly config: Config;
  /** Nodes of Cassandra, at least one. */
  readonly contactPoints: readonly Address[];
  /** Whether this process started that Cassandra; then its cluster may be initialised without being asked. */
  readonly startedCassandra: boolean;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Takes a line of progress for the user. */
  readonly say: (line: string) => void;
  /** The machine's if not given; tests move it. */
  readonly clock?: Clock;
  /** Where tables whose key is lost are backed up; nowhere if not given, and then nothing is dropped. */
  readonly backup?: BackupPort;
  /** Ends a start that is still going on. */
  readonly signal: AbortSignal;
}

/** A proxy that listens. */
export interface RunningProxy {
  /** Where it really listens. */
  readonly address: Address;
  /** Whether clients can be served, and if not, why. */
  ready(): Readiness;
  /** Takes no new connections, lets requests in flight end, closes everything. May be called once. */
  stop(): Promise<void>;
}

/** Makes and starts the proxy; rejects when it cannot be started, with nothing left open. */
export type ProxyFactory = (context: ProxyContext) => Promise<RunningProxy>;
