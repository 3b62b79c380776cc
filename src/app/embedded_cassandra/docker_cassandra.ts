import { createHash } from 'node:crypto';
import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { ConfigError, UpstreamError } from '../../errors/index.ts';
import { cassandraYaml } from './cassandra_yaml.ts';
import { isPortFree } from './ports.ts';
import type { CassandraExit, EmbeddedCassandra, EmbeddedCassandraOptions } from './types.ts';
import { waitUntilReady } from './wait_until_ready.ts';

/** {@link EmbeddedCassandraOptions} for a container; JVM options and cache do not apply. */
export type DockerCassandraOptions = Omit<EmbeddedCassandraOptions, 'cacheDir' | 'jmxPort'> & {
  /** Image to run; `cassandra:5.0` if not given. */
  readonly image?: string;
};

const HOST = '127.0.0.1';
const IMAGE = 'cassandra:5.0';
const PING_TIMEOUT_MS = 5_000;
const PULL_TIMEOUT_MS = 10 * 60_000;
const STORAGE_IN_CONTAINER = '/var/lib/cassandra';
const CONF_IN_CONTAINER = '/cqlock';

/**
 * Starts Cassandra in a container where a Docker engine answers and has, or can pull, the image; undefined where not,
 * after one line that says why. The container is named after the data directory: one left over is replaced, data is kept.
 * @throws ConfigError CONFIG_PORT when the port is busy.
 * @throws UpstreamError UPSTREAM_START when the container runs, but Cassandra in it does not come up.
 */
export async function startDockerCassandra(
  options: DockerCassandraOptions,
): Promise<EmbeddedCassandra | undefined> {
  const log = options.log ?? ((): void => undefined);
  const image = options.image ?? IMAGE;
  const unusable = await whyUnusable(image, log, options.signal);
  if (unusable !== undefined) {
    log(`no container is used: ${unusable}`);
    return undefined;
  }
  const dataDir = resolve(options.dataDir);
  const confDir = join(dataDir, 'conf');
  const logFile = join(dataDir, 'logs', 'container.log');
  await mkdir(confDir, { recursive: true });
  await mkdir(join(dataDir, 'logs'), { recursive: true });
  const name = `cqlock-cassandra-${createHash('sha256').update(dataDir).digest('hex').slice(0, 12)}`;
  await docker(['rm', '--force', name]);
  if (!(await isPortFree(options.port))) {
    throw new ConfigError(
      'CONFIG_PORT',
      `port ${String(options.port)} of ${HOST} is in use, so Cassandra cannot listen there. ` +
        'Stop what uses it, or choose another with CQLOCK_EMBEDDED_CASSANDRA_PORT.',
    );
  }
  await writeFile(
    join(confDir, 'cassandra.yaml'),
    cassandraYaml({
      clusterName: options.clusterName ?? 'cqlock',
      storageDir: STORAGE_IN_CONTAINER,
      nativePort: 9042,
      storagePort: 7000,
      rpcAddress: '0.0.0.0',
      extra: options.yaml ?? {},
    }),
  );
  const user = `${String(process.getuid?.() ?? 999)}:${String(process.getgid?.() ?? 999)}`;
  const heap = `${String(options.heapMb ?? 1024)}M`;
  log(`starting ${image} as container ${name}, data in ${dataDir}`);
  const run = await docker([
    'run',
    '--detach',
    ...['--name', name],
    ...(process.getuid?.() === 0 ? [] : ['--user', user]),
    ...['--publish', `${HOST}:${String(options.port)}:9042`],
    ...['--volume', `${dataDir}:${STORAGE_IN_CONTAINER}`],
    ...['--volume', `${confDir}:${CONF_IN_CONTAINER}:ro`],
    ...['--env', `MAX_HEAP_SIZE=${heap}`, '--env', 'HEAP_NEWSIZE=256M'],
    ...['--env', `JVM_EXTRA_OPTS=${extraOptions(options.extraJvm ?? [])}`],
    image,
  ]);
  if (run.code !== 0) {
    await docker(['rm', '--force', name]);
    log(`no container is used: ${firstLine(run.output)}`);
    return undefined;
  }

  let exit: CassandraExit | undefined;
  const exited = docker(['wait', name]).then(({ output }): CassandraExit => {
    exit = { code: Number.parseInt(output, 10) || 0, signal: null };
    return exit;
  });
  const keepLog = async (): Promise<void> => {
    await writeFile(logFile, (await docker(['logs', '--tail', '2000', name])).output);
  };
  let stopping: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    stopping ??= (async (): Promise<void> => {
      const seconds = Math.ceil((options.stopTimeoutMs ?? 30_000) / 1000);
      await docker(['stop', '--time', String(seconds), name]);
      await keepLog();
      const removed = await docker(['rm', '--force', name]);
      if (removed.code !== 0) {
        throw new UpstreamError(
          'UPSTREAM_STOP',
          `container ${name} could not be removed: ${firstLine(removed.output)}`,
        );
      }
    })();
    return stopping;
  };
  try {
    await waitUntilReady({
      port: options.port,
      timeoutMs: options.startTimeoutMs ?? 180_000,
      logFiles: [logFile],
      beforeFailure: keepLog,
      ended: () => exit,
      log,
      signal: options.signal,
    });
  } catch (error) {
    await stop();
    throw error;
  }
  return { host: HOST, port: options.port, dataDir, pid: 0, jmxPort: 0, logFile, exited, stop };
}

function extraOptions(extraJvm: readonly string[]): string {
  return [
    `-Dcassandra.config=file://${CONF_IN_CONTAINER}/cassandra.yaml`,
    '-Dcassandra.skip_wait_for_gossip_to_settle=0',
    '-Dcassandra.ring_delay_ms=1000',
    '-Dcassandra.superuser_setup_delay_ms=0',
    ...extraJvm,
  ].join(' ');
}

async function whyUnusable(
  image: string,
  log: (line: string) => void,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  const ping = await docker(['version', '--format', '{{.Server.Version}}'], PING_TIMEOUT_MS);
  if (ping.code !== 0) return 'no Docker engine answers';
  if ((await docker(['image', 'inspect', image])).code === 0) return undefined;
  log(`pulling ${image} (once)`);
  const pull = await docker(['pull', '--quiet', image], PULL_TIMEOUT_MS, signal);
  return pull.code === 0 ? undefined : `${image} cannot be pulled: ${firstLine(pull.output)}`;
}

function firstLine(text: string): string {
  return text.trim().split('\n')[0] ?? '';
}

function docker(
  args: readonly string[],
  timeoutMs?: number,
  signal?: AbortSignal,
): Promise<{ code: number; output: string }> {
  return new Promise((settle) => {
    execFile(
      'docker',
      args,
      {
        timeout: timeoutMs ?? 0,
        maxBuffer: 32 * 1024 * 1024,
        ...(signal === undefined ? {} : { signal }),
      },
      (error, stdout, stderr) => {
        settle({ code: error === null ? 0 : 1, output: stdout + stderr });
      },
    );
  });
}
