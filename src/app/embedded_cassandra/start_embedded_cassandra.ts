import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdir, open, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { ConfigError } from '../../errors/index.ts';
import { cassandraYaml, logbackXml } from './cassandra_yaml.ts';
import { defaultCacheDirectory, ensureCassandraJars } from './cassandra_jars.ts';
import { endProcess } from './end_process.ts';
import { findJava } from './java_runtime.ts';
import { daemonArguments, ownershipOption } from './jvm_options.ts';
import { findFreePort, isPortFree } from './ports.ts';
import { endLeftOver, readRunFile, runFileOf, writeRunFile } from './run_file.ts';
import type { CassandraExit, EmbeddedCassandra, EmbeddedCassandraOptions } from './types.ts';
import { waitUntilReady } from './wait_until_ready.ts';
import { watchOver } from './watchdog.ts';

const HOST = '127.0.0.1';
const DEFAULT_HEAP_MB = 1024;
const DEFAULT_START_TIMEOUT_MS = 180_000;
const DEFAULT_STOP_TIMEOUT_MS = 30_000;

/**
 * Starts Cassandra from its jars with the local Java and returns when it takes clients. The first time the jars are
 * downloaded. A Cassandra left over on this directory by a killed process is ended first; data is kept.
 * @throws ConfigError when Java or Maven is missing, the port is busy, or the data directory is in use.
 * @throws UpstreamError UPSTREAM_START when Cassandra does not come up; what was started is ended.
 */
export async function startEmbeddedCassandra(
  options: EmbeddedCassandraOptions,
): Promise<EmbeddedCassandra> {
  const log = options.log ?? ((): void => undefined);
  const dataDir = resolve(options.dataDir);
  const logDir = join(dataDir, 'logs');
  const confDir = join(dataDir, 'conf');
  const java = await findJava(process.env['JAVA_HOME']);
  const jarDir = await ensureCassandraJars(
    resolve(options.cacheDir ?? defaultCacheDirectory(process.env)),
    java,
    log,
    options.signal,
  );
  await mkdir(logDir, { recursive: true });
  await mkdir(confDir, { recursive: true });
  const previous = await readRunFile(dataDir);
  await endLeftOver(dataDir, previous, log);
  if (!(await isPortFree(options.port))) {
    throw new ConfigError(
      'CONFIG_PORT',
      `port ${String(options.port)} of ${HOST} is in use, so Cassandra cannot listen there. ` +
        'Stop what uses it, or choose another with CQLOCK_EMBEDDED_CASSANDRA_PORT.',
    );
  }
  const storagePort = await usablePort(previous?.storagePort);
  const jmxPort = options.jmxPort ?? (await usablePort(previous?.jmxPort));
  const yamlFile = join(confDir, 'cassandra.yaml');
  const logbackFile = join(confDir, 'logback.xml');
  const logFile = join(logDir, 'system.log');
  const consoleFile = join(logDir, 'console.log');
  await writeFile(
    yamlFile,
    cassandraYaml({
      clusterName: options.clusterName ?? 'cqlock',
      storageDir: dataDir,
      nativePort: options.port,
      storagePort,
      rpcAddress: HOST,
      extra: options.yaml ?? {},
    }),
  );
  await writeFile(logbackFile, logbackXml(logFile));
  const tempDir = join(dataDir, 'tmp');
  await rm(tempDir, { recursive: true, force: true });
  await mkdir(tempDir);
  options.signal?.throwIfAborted();

  log(`starting Cassandra on ${HOST}:${String(options.port)}, data in ${dataDir}`);
  const child = await spawnDaemon(
    java.command,
    daemonArguments({
      jarDir,
      dataDir,
      tempDir,
      yamlFile,
      logbackFile,
      heapMb: options.heapMb ?? DEFAULT_HEAP_MB,
      jmxPort,
      extraJvm: options.extraJvm ?? [],
    }),
    dataDir,
    consoleFile,
  );
  const pid = child.pid as number;
  let exit: CassandraExit | undefined;
  const exited = new Promise<CassandraExit>((settle) => {
    child.once('exit', (code, signal) => {
      exit = { code, signal };
      settle(exit);
    });
  });
  const endWatch = watchOver(pid, ownershipOption(dataDir));
  void exited.then(endWatch);

  let stopping: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    stopping ??= (async (): Promise<void> => {
      if (exit === undefined) {
        await endProcess(pid, options.stopTimeoutMs ?? DEFAULT_STOP_TIMEOUT_MS);
        await exited;
      }
      await writeRunFile(dataDir, { storagePort, jmxPort, daemon: undefined, owner: undefined });
    })();
    return stopping;
  };
  try {
    await writeRunFile(dataDir, runFileOf(pid, storagePort, jmxPort));
    const began = performance.now();
    await waitUntilReady({
      port: options.port,
      timeoutMs: options.startTimeoutMs ?? DEFAULT_START_TIMEOUT_MS,
      logFiles: [logFile, consoleFile],
      ended: () => exit,
      log,
      signal: options.signal,
    });
    log(`Cassandra is up after ${((performance.now() - began) / 1000).toFixed(1)} s`);
  } catch (error) {
    await stop();
    throw error;
  }
  return { host: HOST, port: options.port, dataDir, pid, jmxPort, logFile, exited, stop };
}

/** A port used before is kept: Cassandra knows itself by address and port. */
async function usablePort(previous: unknown): Promise<number> {
  if (typeof previous === 'number' && previous > 0 && (await isPortFree(previous))) return previous;
  return findFreePort();
}

/** In a process group of its own, so that Ctrl-C reaches the proxy first and Cassandra after it. */
async function spawnDaemon(
  command: string,
  args: readonly string[],
  cwd: string,
  consoleFile: string,
): Promise<ChildProcess> {
  await rm(consoleFile, { force: true });
  const output = await open(consoleFile, 'a');
  try {
    const child = spawn(command, args, {
      cwd,
      detached: true,
      stdio: ['ignore', output.fd, output.fd],
    });
    await new Promise<void>((settle, reject) => {
      child.once('spawn', settle);
      child.once('error', (cause) => {
        reject(new ConfigError('CONFIG_JAVA', `${command} could not be started`, { cause }));
      });
    });
    return child;
  } finally {
    await output.close();
  }
}
