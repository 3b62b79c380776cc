import { describe, expect, it } from 'vitest';
import { start } from '../../../src/app/index.ts';
import type { ProxyFactory } from '../../../src/app/index.ts';
import { runCommand } from '../../../src/app/run_command.ts';
import { loadConfig } from '../../../src/config/index.ts';
import type { Config } from '../../../src/config/index.ts';
import { ConfigError, UpstreamError } from '../../../src/errors/index.ts';
import { silentLogger } from '../../../src/observability/index.ts';

function config(): Config {
  return loadConfig(
    { CQLOCK_CONTACT_POINTS: '10.1.1.1:9042', CQLOCK_HTTP_LISTEN: '127.0.0.1:0' },
    '/work',
  );
}

async function status(lines: readonly string[], path: string): Promise<number> {
  const base = /http:\/\/[\d.:]+/.exec(lines.join('\n'))?.[0] ?? '';
  return (await fetch(`${base}${path}`)).status;
}

describe('start', () => {
  it('uses the contact points, says how to connect, and stops the proxy when asked', async () => {
    const abort = new AbortController();
    const lines: string[] = [];
    const events: string[] = [];
    let isReady = true;
    const createProxy: ProxyFactory = (context) => {
      events.push(`made with ${context.contactPoints.map((p) => p.host).join()}`);
      expect(context.startedCassandra).toBe(false);
      return Promise.resolve({
        address: { host: '127.0.0.1', port: 9142 },
        ready: () => ({ ok: isReady, reasons: isReady ? [] : ['no node'] }),
        stop: () => {
          events.push('stopped');
          return Promise.resolve();
        },
      });
    };
    const done = start({
      config: config(),
      createProxy,
      logger: silentLogger,
      say: (line) => lines.push(line),
      signal: abort.signal,
    });
    await expect.poll(() => lines.join('\n')).toContain('cqlsh 127.0.0.1 9142');
    expect(await status(lines, '/readyz')).toBe(200);
    isReady = false;
    expect(await status(lines, '/readyz')).toBe(503);
    expect(await status(lines, '/healthz')).toBe(200);
    abort.abort();
    await done;
    expect(events).toEqual(['made with 10.1.1.1', 'stopped']);
    await expect(status(lines, '/healthz')).rejects.toThrow();
  });

  it('passes on why the proxy could not be made, with nothing left open', async () => {
    const failing = start({
      config: config(),
      createProxy: () => Promise.reject(new UpstreamError('UPSTREAM_CONNECT', 'no node answers')),
      logger: silentLogger,
      say: () => undefined,
      signal: new AbortController().signal,
    });
    await expect(failing).rejects.toMatchObject({ code: 'UPSTREAM_CONNECT' });
  });
});

describe('runCommand', () => {
  async function run(
    command: () => Promise<void>,
    signal = new AbortController().signal,
    isResumable = false,
  ): Promise<{ code: number; said: string[] }> {
    const said: string[] = [];
    const code = await runCommand(command, {
      logger: silentLogger,
      complain: (line) => said.push(line),
      signal,
      isResumable,
    });
    return { code, said };
  }

  it('gives 0 for done and for a start that was stopped', async () => {
    expect(await run(() => Promise.resolve())).toEqual({ code: 0, said: [] });
    const signal = AbortSignal.abort();
    expect((await run(() => Promise.reject(signal.reason as Error), signal)).code).toBe(0);
  });

  it('gives 130 for work that was stopped before it was done, and says so', async () => {
    const signal = AbortSignal.abort();
    expect(await run(() => Promise.reject(signal.reason as Error), signal, true)).toEqual({
      code: 130,
      said: ['cqlock: stopped; the same command goes on with it'],
    });
    expect((await run(() => Promise.resolve(), signal, true)).code).toBe(0);
  });

  it('gives 2 for a wrong setting and 1 for what failed, with the code of the error', async () => {
    const wrong = await run(() => Promise.reject(new ConfigError('CONFIG_PORT', 'port in use')));
    expect(wrong).toEqual({ code: 2, said: ['cqlock: port in use [CONFIG_PORT]'] });
    const failed = await run(() => Promise.reject(new UpstreamError('UPSTREAM_START', 'no')));
    expect(failed.code).toBe(1);
  });

  it('does not show the text of an unknown error', async () => {
    const { code, said } = await run(() => Promise.reject(new TypeError('secret text')));
    expect(code).toBe(1);
    expect(said.join()).not.toContain('secret text');
  });
});
