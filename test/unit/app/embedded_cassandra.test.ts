import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { Server } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { cassandraYaml, logbackXml } from '../../../src/app/embedded_cassandra/cassandra_yaml.ts';
import { endProcess } from '../../../src/app/embedded_cassandra/end_process.ts';
import { javaMajorVersion } from '../../../src/app/embedded_cassandra/java_runtime.ts';
import {
  answersOptions,
  findFreePort,
  isPortFree,
} from '../../../src/app/embedded_cassandra/index.ts';
import {
  isRunning,
  isSameProcess,
  processIdentity,
} from '../../../src/app/embedded_cassandra/process_identity.ts';

describe('javaMajorVersion', () => {
  it.each([
    ['openjdk version "17.0.15" 2025-04-15\nOpenJDK Runtime', 17],
    ['java version "1.8.0_402"', 8],
    ['openjdk version "21" 2023-09-19', 21],
    ['openjdk version "11.0.22-ea"', 11],
    ['The operation couldn’t be completed. Unable to locate a Java Runtime.', undefined],
  ])('%s', (output, expected) => {
    expect(javaMajorVersion(output)).toBe(expected);
  });
});

describe('cassandraYaml', () => {
  const input = {
    clusterName: "it's: mine",
    storageDir: '/data dir/c',
    nativePort: 9242,
    storagePort: 7001,
    rpcAddress: '127.0.0.1',
    extra: {},
  };

  it('listens on the loopback address only and has room for ciphertext', () => {
    expect(parse(cassandraYaml(input))).toMatchObject({
      cluster_name: "it's: mine",
      data_file_directories: ['/data dir/c/data'],
      listen_address: '127.0.0.1',
      rpc_address: '127.0.0.1',
      native_transport_port: 9242,
      storage_port: 7001,
      batch_size_warn_threshold: '40KiB',
      batch_size_fail_threshold: '400KiB',
      native_transport_max_frame_size: '128MiB',
    });
  });

  it('lets settings of the caller win', () => {
    const extra = { authenticator: 'PasswordAuthenticator', num_tokens: 16 };
    expect(parse(cassandraYaml({ ...input, extra }))).toMatchObject(extra);
  });

  it('names an address that clients can use where it listens on all', () => {
    expect(parse(cassandraYaml({ ...input, rpcAddress: '0.0.0.0' }))).toMatchObject({
      broadcast_rpc_address: '127.0.0.1',
    });
  });

  it('escapes the path of the log', () => {
    expect(logbackXml('/a&b/<c>.log')).toContain('<file>/a&amp;b/&lt;c>.log</file>');
  });
});

describe('process identity', () => {
  it('knows a running process and no other', () => {
    const own = processIdentity(process.pid);
    expect(isSameProcess(own)).toBe(true);
    expect(isSameProcess({ ...own, started: 'earlier' })).toBe(false);
    for (const torn of [undefined, null, 1, {}, { pid: process.pid }, { pid: -1, started: '' }]) {
      expect(isSameProcess(torn)).toBe(false);
    }
  });

  it('ends a process, by force if it does not listen', async () => {
    const stubborn = spawn(process.execPath, [
      '-e',
      'process.on("SIGTERM", () => {}); console.log("up"); setInterval(() => {}, 1000)',
    ]);
    await once(stubborn.stdout, 'data');
    const pid = stubborn.pid as number;
    expect(isRunning(pid)).toBe(true);
    await endProcess(pid, 200);
    expect(isRunning(pid)).toBe(false);
    await endProcess(pid, 200);
  });
});

describe('answersOptions', () => {
  let server: Server | undefined;

  async function serve(answer: Uint8Array | undefined): Promise<number> {
    const made = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.on('data', () => {
        if (answer === undefined) return;
        // In two pieces, as a network may deliver it.
        socket.write(answer.subarray(0, 3));
        setTimeout(() => socket.write(answer.subarray(3)), 10);
      });
    });
    server = made;
    await new Promise<void>((settle) => made.listen(0, '127.0.0.1', settle));
    return (made.address() as { port: number }).port;
  }

  afterEach(() => {
    server?.close();
    server = undefined;
  });

  it('takes SUPPORTED for an answer', async () => {
    // Version 4 response, no flags, stream 0, SUPPORTED, a body of 2 bytes: an empty string multimap.
    const port = await serve(Uint8Array.of(0x84, 0, 0, 0, 0x06, 0, 0, 0, 2, 0, 0));
    expect(await answersOptions('127.0.0.1', port, 2_000)).toBe(true);
    expect(await isPortFree(port)).toBe(false);
  });

  it('takes an ERROR, silence, another protocol and a closed port for none', async () => {
    const error = await serve(Uint8Array.of(0x84, 0, 0, 0, 0x00, 0, 0, 0, 0));
    expect(await answersOptions('127.0.0.1', error, 2_000)).toBe(false);
    server?.close();
    const silent = await serve(undefined);
    expect(await answersOptions('127.0.0.1', silent, 100)).toBe(false);
    server?.close();
    const http = await serve(Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'));
    expect(await answersOptions('127.0.0.1', http, 2_000)).toBe(false);
    expect(await answersOptions('127.0.0.1', await findFreePort(), 2_000)).toBe(false);
  });
});

describe('findFreePort', () => {
  it('draws no port twice', async () => {
    // At random alone, 600 of 12,000 would hold about 15 pairs.
    const ports = await Promise.all(Array.from({ length: 600 }, () => findFreePort()));
    expect(new Set(ports).size).toBe(600);
  });
});

describe('watchOver', () => {
  const mark = `--mark=${String(process.pid)}`;
  let started: ChildProcess | undefined;

  afterEach(() => {
    started?.kill('SIGKILL');
  });

  const watched = ['-e', 'setInterval(() => {}, 1000)', '--', mark];

  /** A process that starts a sleeper, watches over it with `mark`, prints its id and waits. */
  async function parentOf(watchMark: string): Promise<{ parent: ChildProcess; pid: number }> {
    const module = new URL('../../../src/app/embedded_cassandra/watchdog.ts', import.meta.url).href;
    const program = `
      import { spawn } from 'node:child_process';
      const { watchOver } = await import(${JSON.stringify(module)});
      const child = spawn(process.execPath, ${JSON.stringify(watched)}, { detached: true, stdio: 'ignore' });
      watchOver(child.pid, ${JSON.stringify(watchMark)});
      console.log(child.pid);
      setInterval(() => {}, 1000);`;
    const parent = spawn(
      process.execPath,
      ['--import', './test/support/ts_loader.mjs', '--input-type=module', '-e', program],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    started = parent;
    const [line] = (await once(parent.stdout, 'data')) as [Buffer];
    return { parent, pid: Number(line.toString()) };
  }

  it('ends the process when its parent was killed', async () => {
    const { parent, pid } = await parentOf(mark);
    expect(isRunning(pid)).toBe(true);
    parent.kill('SIGKILL');
    await expect.poll(() => isRunning(pid), { timeout: 10_000 }).toBe(false);
  });

  it('leaves a process alone that is not the one it was told of', async () => {
    const { parent, pid } = await parentOf('--another-mark');
    parent.kill('SIGKILL');
    await once(parent, 'exit');
    await new Promise((settle) => setTimeout(settle, 1_000));
    expect(isRunning(pid)).toBe(true);
    await endProcess(pid, 1_000);
  });
});
