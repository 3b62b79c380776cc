import { spawn } from 'node:child_process';
import { mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { ConfigError } from '../../errors/index.ts';
import { takeFileLock } from './file_lock.ts';
import type { JavaRuntime } from './java_runtime.ts';

/** The Cassandra that is started from jars. */
export const CASSANDRA_VERSION = '5.0.6';

/** Where jars are kept if nothing else is said: CQLOCK_CACHE_DIR, else `.cache` in the working directory. */
export function defaultCacheDirectory(
  environment: Readonly<Record<string, string | undefined>>,
): string {
  const configured = environment['CQLOCK_CACHE_DIR'];
  return resolve(configured !== undefined && configured !== '' ? configured : '.cache');
}

const POM = `<?xml version="1.0" encoding="UTF-8"?>
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>cqlock</groupId>
  <artifactId>embedded-cassandra</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.cassandra</groupId>
      <artifactId>cassandra-all</artifactId>
      <version>${CASSANDRA_VERSION}</version>
    </dependency>
  </dependencies>
</project>
`;

const DOWNLOAD_TIMEOUT_MS = 20 * 60_000;
const EXPECTED_JARS = 100;

/**
 * Makes sure that Cassandra's jars are in the cache, by Maven the first time (66 MB), and gives their directory. The jars
 * appear under their final name only when all are there; a second process that comes meanwhile waits for the first.
 * @throws ConfigError CONFIG_MAVEN when Maven is missing or fails.
 */
export async function ensureCassandraJars(
  cacheDir: string,
  java: JavaRuntime,
  log: (line: string) => void,
  signal?: AbortSignal,
): Promise<string> {
  const home = join(cacheDir, `cassandra-${CASSANDRA_VERSION}`);
  const jarDir = join(home, 'jars');
  if (await exists(jarDir)) return jarDir;
  await mkdir(home, { recursive: true });
  const release = await takeFileLock(join(home, 'download.lock'), () => {
    log('waiting for another process that downloads Cassandra');
  });
  try {
    if (await exists(jarDir)) return jarDir;
    await download(home, jarDir, java, log, signal);
    return jarDir;
  } finally {
    await release();
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

async function download(
  home: string,
  jarDir: string,
  java: JavaRuntime,
  log: (line: string) => void,
  signal: AbortSignal | undefined,
): Promise<void> {
  const partial = join(home, 'jars.partial');
  await rm(partial, { recursive: true, force: true });
  await writeFile(join(home, 'pom.xml'), POM);
  log(`downloading Cassandra ${CASSANDRA_VERSION} from Maven Central (once, about 66 MB)`);
  const logFile = join(home, 'maven.log');
  const progress = setInterval(() => {
    void readdir(partial).then(
      (names) => {
        log(`  copied ${String(names.length)} of about ${String(EXPECTED_JARS)} jars`);
      },
      () => {
        log('  Maven is resolving and downloading');
      },
    );
  }, 10_000);
  try {
    await runMaven(home, partial, java, logFile, signal);
  } finally {
    clearInterval(progress);
  }
  const names = await readdir(partial).catch((): string[] => []);
  if (!names.includes(`cassandra-all-${CASSANDRA_VERSION}.jar`)) {
    throw new ConfigError('CONFIG_MAVEN', `Maven made no Cassandra jar; see ${logFile}`);
  }
  await rename(partial, jarDir);
  log(`Cassandra ${CASSANDRA_VERSION} is in ${jarDir}`);
}

function runMaven(
  home: string,
  output: string,
  java: JavaRuntime,
  logFile: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  return new Promise((resolvePromise, reject) => {
    const child = spawn(
      'mvn',
      [
        '--batch-mode',
        '--strict-checksums',
        '--file',
        join(home, 'pom.xml'),
        '--log-file',
        logFile,
        'dependency:copy-dependencies',
        '-DincludeScope=runtime',
        `-DoutputDirectory=${output}`,
      ],
      {
        cwd: home,
        stdio: 'ignore',
        timeout: DOWNLOAD_TIMEOUT_MS,
        env: java.home === undefined ? process.env : { ...process.env, JAVA_HOME: java.home },
        ...(signal === undefined ? {} : { signal }),
      },
    );
    child.once('error', (error: NodeJS.ErrnoException) => {
      const hint =
        error.code === 'ENOENT'
          ? 'Maven (mvn) was not found. Install Maven, or start a Docker engine, or name a running Cassandra in CQLOCK_CONTACT_POINTS.'
          : 'Maven could not be run.';
      reject(new ConfigError('CONFIG_MAVEN', hint, { cause: error }));
    });
    child.once('exit', (code) => {
      if (code === 0) resolvePromise();
      else {
        reject(
          new ConfigError(
            'CONFIG_MAVEN',
            `Maven could not download Cassandra (exit code ${String(code)}). Is Maven Central, or the mirror in ~/.m2/settings.xml, reachable? See ${logFile}`,
          ),
        );
      }
    });
  });
}
