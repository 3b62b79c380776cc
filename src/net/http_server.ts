import { createServer } from 'node:http';
import type { ServerResponse } from 'node:http';
import { ConfigError } from '../errors/index.ts';

/** Whether the proxy can serve clients right now, and if not, why. */
export interface Readiness {
  readonly ok: boolean;
  readonly reasons: readonly string[];
  /** What an operator should see beside it. */
  readonly details?: Readonly<Record<string, string>>;
}

/** What the HTTP server serves. */
export interface HttpServerOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly metrics: { render(): Promise<string>; readonly contentType: string };
  readonly ready: () => Readiness;
}

/** A running HTTP server. */
export interface HttpServer {
  readonly host: string;
  readonly port: number;
  /** Stops listening and ends open connections. */
  close(): Promise<void>;
}

/**
 * Serves `/metrics`, `/healthz` (200 as long as the process runs its event loop) and `/readyz` (503 with reasons when
 * clients cannot be served). Read-only, without authentication: it listens on a loopback address unless told otherwise.
 * @throws ConfigError CONFIG_HTTP_LISTEN when it cannot listen.
 */
export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const server = createServer(
    { requestTimeout: 10_000, maxHeaderSize: 8_192 },
    (request, response) => {
      request.resume();
      if (request.method !== 'GET' && request.method !== 'HEAD') {
        response.setHeader('Allow', 'GET, HEAD');
        reply(response, 405, 'text/plain; charset=utf-8', 'only GET\n');
        return;
      }
      const path = (request.url ?? '/').split('?', 1)[0];
      switch (path) {
        case '/healthz':
          replyJson(response, 200, { status: 'ok' });
          return;
        case '/readyz': {
          const { ok, reasons, details } = options.ready();
          const status = ok ? 'ready' : 'not ready';
          replyJson(response, ok ? 200 : 503, { status, reasons, ...details });
          return;
        }
        case '/metrics':
          options.metrics.render().then(
            (text) => {
              reply(response, 200, options.metrics.contentType, text);
            },
            () => {
              reply(response, 500, 'text/plain; charset=utf-8', 'metrics could not be read\n');
            },
          );
          return;
        default:
          reply(response, 404, 'text/plain; charset=utf-8', '/metrics, /healthz or /readyz\n');
      }
    },
  );
  await new Promise<void>((settle, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const where = `${options.host}:${String(options.port)}`;
      const why =
        cause.code === 'EADDRINUSE'
          ? 'it is in use; choose another with CQLOCK_HTTP_LISTEN'
          : (cause.code ?? '');
      reject(
        new ConfigError('CONFIG_HTTP_LISTEN', `cannot serve HTTP on ${where}: ${why}`, { cause }),
      );
    });
    server.listen(options.port, options.host, settle);
  });
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : options.port;
  return {
    host: options.host,
    port,
    close: () =>
      new Promise((settle) => {
        server.close(() => {
          settle();
        });
        server.closeAllConnections();
      }),
  };
}

function replyJson(response: ServerResponse, status: number, content: unknown): void {
  reply(response, status, 'application/json', `${JSON.stringify(content)}\n`);
}

function reply(response: ServerResponse, status: number, contentType: string, body: string): void {
  response.writeHead(status, {
    'Content-Type': contentType,
    'Content-Length': Buffer.byteLength(body),
    'Cache-Control': 'no-store',
  });
  response.end(body);
}
