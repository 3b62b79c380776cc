import { createServer } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { startHttpServer } from '../../../src/net/index.ts';
import type { HttpServer } from '../../../src/net/index.ts';

describe('startHttpServer', () => {
  let server: HttpServer | undefined;
  let ready = { ok: true, reasons: [] as string[] };
  let failMetrics = false;

  async function get(path: string, method = 'GET'): Promise<{ status: number; text: string }> {
    server ??= await startHttpServer({
      host: '127.0.0.1',
      port: 0,
      metrics: {
        render: () =>
          failMetrics ? Promise.reject(new Error('secret text')) : Promise.resolve('a_total 1\n'),
        contentType: 'text/plain; version=0.0.4',
      },
      ready: () => ready,
    });
    const response = await fetch(`http://127.0.0.1:${String(server.port)}${path}`, { method });
    return { status: response.status, text: await response.text() };
  }

  afterEach(async () => {
    await server?.close();
    server = undefined;
    ready = { ok: true, reasons: [] };
    failMetrics = false;
  });

  it('serves metrics', async () => {
    expect(await get('/metrics?x=1')).toEqual({ status: 200, text: 'a_total 1\n' });
  });

  it('is ready, or says why not', async () => {
    expect((await get('/readyz')).status).toBe(200);
    ready = { ok: false, reasons: ['Cassandra is not reachable'] };
    const answer = await get('/readyz');
    expect(answer.status).toBe(503);
    expect(JSON.parse(answer.text)).toEqual({
      status: 'not ready',
      reasons: ['Cassandra is not reachable'],
    });
    expect((await get('/healthz')).status).toBe(200);
  });

  it('refuses other paths and methods, and hides why metrics fail', async () => {
    expect((await get('/')).status).toBe(404);
    expect((await get('/metrics', 'POST')).status).toBe(405);
    failMetrics = true;
    const answer = await get('/metrics');
    expect(answer.status).toBe(500);
    expect(answer.text).not.toContain('secret');
  });

  it('names the setting when the port is in use', async () => {
    const other = createServer();
    await new Promise<void>((settle) => other.listen(0, '127.0.0.1', settle));
    const port = (other.address() as { port: number }).port;
    await expect(
      startHttpServer({
        host: '127.0.0.1',
        port,
        metrics: { render: () => Promise.resolve(''), contentType: 'text/plain' },
        ready: () => ready,
      }),
    ).rejects.toMatchObject({
      code: 'CONFIG_HTTP_LISTEN',
      message: expect.stringContaining('CQLOCK_HTTP_LISTEN') as string,
    });
    await new Promise((settle) => other.close(settle));
  });
});
