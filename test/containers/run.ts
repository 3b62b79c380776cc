/**
 * The product's own image beside Cassandra, by testcontainers and by docker-compose.yml. Arguments go to vitest. Ends with 77,
 * after one line that says why, where no Docker engine or no images can be had.
 */
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { spawn } from 'node:child_process';
import { parse } from 'yaml';
import { defaultCacheDirectory } from '../../src/app/embedded_cassandra/index.ts';
import { findEngine } from './engine.ts';
import type { Engine } from './engine.ts';
import { prepareImages } from './images.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const CANNOT_RUN = 77;

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** The image of a service in docker-compose.yml. */
async function officialImages() {
  const text = await readFile(resolve(ROOT, 'docker-compose.yml'), 'utf8');
  const { services } = parse(text, { merge: true }) as {
    services: Readonly<Record<string, { image?: string } | undefined>>;
  };
  const imageOf = (service: string): string => {
    const image = services[service]?.image;
    if (image === undefined) throw new TypeError(`no image of ${service} in docker-compose.yml`);
    return image;
  };
  const dockerfile = await readFile(resolve(ROOT, 'Dockerfile'), 'utf8');
  return {
    build: /^ARG BUILD_IMAGE=(.+)$/m.exec(dockerfile)?.[1] ?? '',
    node: /^ARG NODE_IMAGE=(.+)$/m.exec(dockerfile)?.[1] ?? '',
    cassandra: imageOf('cassandra'),
    prometheus: imageOf('prometheus'),
    openssl: imageOf('certificates'),
    grafana: imageOf('grafana'),
  };
}

/** Vitest with these tests, until its end or until `signal`. */
async function runVitest(
  env: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<number> {
  const vitest = resolve(ROOT, 'node_modules/vitest/vitest.mjs');
  const config = resolve(ROOT, 'vitest.containers.config.ts');
  const child = spawn(
    process.execPath,
    [vitest, 'run', '--config', config, ...process.argv.slice(2)],
    { cwd: ROOT, stdio: 'inherit', env: { ...process.env, ...env } },
  );
  signal.addEventListener('abort', () => child.kill('SIGTERM'));
  return new Promise((ended, failed) => {
    child.once('error', failed);
    child.once('close', (code) => ended(code ?? 1));
  });
}

/** Prepares images and runs the tests; the exit code. */
async function testIn(engine: Engine, cache: string, signal: AbortSignal): Promise<number> {
  const options = { root: ROOT, cache, env: engine.env, say };
  const images = await prepareImages(await officialImages(), options);
  if ('missing' in images) {
    say(`containers are not tested: ${images.missing}`);
    return CANNOT_RUN;
  }
  return runVitest({ ...engine.env, CQLOCK_TEST_IMAGES: JSON.stringify(images) }, signal);
}

const cache = defaultCacheDirectory(process.env);
const engine = await findEngine(cache, say);
if (engine.missing !== undefined) {
  say(`containers are not tested: ${engine.missing}`);
  process.exitCode = CANNOT_RUN;
} else {
  const interrupted = new AbortController();
  const interrupt = (): void => {
    interrupted.abort();
    void engine.stop().finally(() => process.exit(130));
  };
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
  try {
    process.exitCode = await testIn(engine, cache, interrupted.signal);
  } finally {
    await engine.stop();
  }
}
