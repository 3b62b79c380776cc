/** What a Cassandra started by the product needs to know. */
export interface EmbeddedCassandraOptions {
  /** Directory of everything that is its own: data, commit log, generated configuration, logs. Made if it is missing. */
  readonly dataDir: string;
  /** Port of the native protocol on 127.0.0.1. */
  readonly port: number;
  /** Heap in MiB; 1024 if not given. */
  readonly heapMb?: number;
  /** Cluster name, fixed once the data directory exists; 'cqlock' if not given. */
  readonly clusterName?: string;
  /** Settings of cassandra.yaml that replace or join the generated ones, e.g. `{ authenticator: 'PasswordAuthenticator' }`. */
  readonly yaml?: Readonly<Record<string, unknown>>;
  /** Further JVM options, after the generated ones. */
  readonly extraJvm?: readonly string[];
  /** Where Cassandra's jars are kept; see {@link EmbeddedCassandraOptions.dataDir} for data. */
  readonly cacheDir?: string;
  /** Port of JMX on 127.0.0.1 (nodetool); a free one is chosen if not given. */
  readonly jmxPort?: number;
  /** Milliseconds until a Cassandra that does not answer is given up; 180,000 if not given. */
  readonly startTimeoutMs?: number;
  /** Milliseconds between SIGTERM and SIGKILL in `stop`; 30,000 if not given. */
  readonly stopTimeoutMs?: number;
  /** Gives the start up: what was started is ended, the start is rejected. */
  readonly signal?: AbortSignal;
  /** Takes one line of progress for the user. */
  readonly log?: (line: string) => void;
}

/** How a Cassandra ended. */
export interface CassandraExit {
  readonly code: number | null;
  readonly signal: string | null;
}

/** A running Cassandra; whoever started it must stop it. */
export interface EmbeddedCassandra {
  readonly host: string;
  readonly port: number;
  readonly dataDir: string;
  /** Process id of the JVM; 0 where it runs in a container. */
  readonly pid: number;
  /** Port of JMX on 127.0.0.1; 0 where it runs in a container. */
  readonly jmxPort: number;
  /** The log to look into when something is wrong. */
  readonly logFile: string;
  /** Settles when it has ended, whether asked to or not. */
  readonly exited: Promise<CassandraExit>;
  /** Ends it: asks, waits, then forces. May be called more than once. */
  stop(): Promise<void>;
}
