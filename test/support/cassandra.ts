/**
 * A Cassandra of its own for a test: free ports, a data directory that goes away, cheap schema changes.
 * The jars come from the cache of the project (or CQLOCK_CACHE_DIR), filled by the first start.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  defaultCacheDirectory,
  ensureCassandraJars,
  findFreePort,
  findJava,
  javaModuleOptions,
  startEmbeddedCassandra,
} from '../../src/app/embedded_cassandra/index.ts';
import type { EmbeddedCassandra } from '../../src/app/embedded_cassandra/index.ts';

/** How the Cassandra of a test differs from the usual one. */
export interface TestCassandraOptions {
  /** Keeps data of an earlier one, or another place; not removed at `stop`. A temporary directory if not given. */
  readonly dataDir?: string;
  /** Port of the native protocol; a free one if not given. */
  readonly port?: number;
  /** Heap in MiB; 768 if not given. */
  readonly heapMb?: number;
  readonly clusterName?: string;
  /** Settings of cassandra.yaml, e.g. `{ authenticator: 'PasswordAuthenticator' }`. */
  readonly yaml?: Readonly<Record<string, unknown>>;
  readonly extraJvm?: readonly string[];
  /**
   * Schema changes without flush (a tenth of the time), durable only if Cassandra is stopped or flushed properly: true if
   * not given. Tests that kill Cassandra set false.
   */
  readonly cheapSchemaChanges?: boolean;
  /** Its speed is measured, so Java's optimising compiler is on: false if not given, as it costs a short life more than it gives. */
  readonly measured?: boolean;
  readonly log?: (line: string) => void;
}

/** What nodetool printed, and how it ended. */
export interface NodetoolResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A running Cassandra of a test. */
export interface TestCassandra {
  readonly host: string;
  readonly port: number;
  readonly dataDir: string;
  readonly pid: number;
  readonly jmxPort: number;
  readonly logFile: string;
  /** Runs nodetool, e.g. `nodetool('flush', 'ks')`; rejects if it fails. */
  nodetool(...args: string[]): Promise<NodetoolResult>;
  /** SIGKILL, as a power cut does it; the data directory stays until `remove`. */
  kill9(): Promise<void>;
  /** Ends it and starts another on the same data and port. */
  restart(): Promise<TestCassandra>;
  /** Ends it properly (flushes its commit log); the data directory stays. */
  shutdown(): Promise<void>;
  /** Ends it (by SIGKILL: its data goes away too) and removes a temporary data directory. */
  stop(): Promise<void>;
}

const CHEAP_SCHEMA_CHANGES = [
  '-Dcassandra.test.flush_local_schema_changes=false',
  '-Dcassandra.unsafesystem=true',
];

const QUICK_COMPILER = ['-XX:TieredStopAtLevel=1'];

/** Well above a standstill of a busy machine; Cassandra's own are 2 to 10 s. Tests of timeouts make them by themselves. */
const PATIENT = {
  read_request_timeout: '10s',
  range_request_timeout: '10s',
  write_request_timeout: '10s',
  counter_write_request_timeout: '10s',
  cas_contention_timeout: '10s',
};

/** Starts a Cassandra for a test; call `stop` in afterAll. */
export async function startCassandra(options: TestCassandraOptions = {}): Promise<TestCassandra> {
  try {
    return await startOnce(options);
  } catch (error) {
    // Something else on the machine took a port that was drawn, before Cassandra listened on it.
    const isTaken = String(error).includes('Address already in use');
    if (!isTaken || options.port !== undefined || options.dataDir !== undefined) throw error;
    return startOnce(options);
  }
}

async function startOnce(options: TestCassandraOptions): Promise<TestCassandra> {
  const ownsDataDir = options.dataDir === undefined;
  const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), 'cqlock-cassandra-')));
  const port = options.port ?? (await findFreePort());
  const cheap = options.cheapSchemaChanges ?? true;
  let node: EmbeddedCassandra;
  try {
    node = await startEmbeddedCassandra({
      dataDir,
      port,
      heapMb: options.heapMb ?? 768,
      ...(options.clusterName === undefined ? {} : { clusterName: options.clusterName }),
      yaml: {
        auto_snapshot: false,
        materialized_views_enabled: true,
        user_defined_functions_enabled: true,
        commitlog_total_space: '512MiB',
        ...PATIENT,
        ...options.yaml,
      },
      extraJvm: [
        ...(cheap ? CHEAP_SCHEMA_CHANGES : []),
        ...(options.measured === true ? [] : QUICK_COMPILER),
        ...(options.extraJvm ?? []),
      ],
      ...(options.log === undefined ? {} : { log: options.log }),
    });
  } catch (error) {
    if (ownsDataDir) await rm(dataDir, { recursive: true, force: true });
    throw error;
  }
  const kill9 = async (): Promise<void> => {
    try {
      process.kill(node.pid, 'SIGKILL');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
    await node.exited;
  };
  return {
    host: node.host,
    port: node.port,
    dataDir,
    pid: node.pid,
    jmxPort: node.jmxPort,
    logFile: node.logFile,
    nodetool: (...args) => runNodetool(node, args),
    kill9,
    restart: async () => {
      await node.stop();
      const next = await startCassandra({ ...options, dataDir, port });
      return ownsDataDir ? removingAtStop(next, dataDir) : next;
    },
    shutdown: () => node.stop(),
    stop: async () => {
      await kill9();
      await node.stop();
      if (ownsDataDir) await rm(dataDir, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}

function removingAtStop(node: TestCassandra, dataDir: string): TestCassandra {
  return {
    ...node,
    restart: async () => removingAtStop(await node.restart(), dataDir),
    stop: async () => {
      await node.stop();
      await rm(dataDir, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}

async function runNodetool(
  node: EmbeddedCassandra,
  args: readonly string[],
): Promise<NodetoolResult> {
  const java = await findJava(process.env['JAVA_HOME']);
  const jars = await ensureCassandraJars(defaultCacheDirectory(process.env), java, () => undefined);
  const quietLogging = join(node.dataDir, 'conf', 'logback-tools.xml');
  await writeFile(quietLogging, '<configuration><root level="OFF" /></configuration>\n');
  return new Promise((resolve, reject) => {
    execFile(
      java.command,
      [
        ...javaModuleOptions(),
        '-Xmx128M',
        '-XX:TieredStopAtLevel=1',
        '-Dcom.sun.jndi.rmiURLParsing=legacy',
        `-Dlogback.configurationFile=${quietLogging}`,
        '-cp',
        `${jars}/*`,
        'org.apache.cassandra.tools.NodeTool',
        '-h',
        '127.0.0.1',
        '-p',
        String(node.jmxPort),
        ...args,
      ],
      { maxBuffer: 64 * 1024 * 1024, timeout: 120_000 },
      (error, stdout, stderr) => {
        const result = { code: error === null ? 0 : 1, stdout, stderr };
        if (error === null) resolve(result);
        else reject(new Error(`nodetool ${args.join(' ')} failed: ${stdout}${stderr}`));
      },
    );
  });
}
