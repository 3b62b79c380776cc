import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { ConfigError } from '../errors/index.ts';
import { KmsFault } from '../kms/index.ts';
import { answerRequest, faultAnswer } from './answer_request.ts';
import type { Answer, RequestParts } from './answer_request.ts';

const MAX_BODY_BYTES = 256 * 1024;
const MAX_CONNECTIONS = 1024;
const TIMEOUTS = { requestTimeout: 10_000, headersTimeout: 5_000, maxHeaderSize: 16_384 };

/** Settings of the listener. */
export interface KmsListenerOptions extends RequestParts {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** PEM; undefined: plain HTTP, for a loopback address. */
  readonly tls: { readonly cert: string; readonly key: string } | undefined;
}

/** A running listener. */
export interface KmsListener {
  readonly host: string;
  readonly port: number;
  /** New connections use another certificate; those that are open keep theirs. */
  replaceCertificate(tls: { readonly cert: Buffer; readonly key: Buffer }): void;
  /** Stops listening and ends open connections. */
  close(): Promise<void>;
}

/**
 * Serves the AWS KMS API (JSON 1.1 over HTTP, Signature Version 4) for the customer managed keys of a key store.
 * @throws ConfigError CONFIG_KMS_LISTEN when it cannot listen.
 */
export async function startKmsListener(options: KmsListenerOptions): Promise<KmsListener> {
  const onRequest: RequestListener = (request, response) => {
    serve(options, request, response).catch((error: unknown) => {
      options.onFailure(error);
      response.destroy();
    });
  };
  const server = makeServer(options, onRequest);
  server.maxConnections = MAX_CONNECTIONS;
  const where = `${options.host}:${String(options.port)}`;
  await new Promise<void>((settle, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const why =
        cause.code === 'EADDRINUSE'
          ? 'it is in use; choose another with CQLOCK_KMS_LISTEN'
          : (cause.code ?? '');
      reject(
        new ConfigError('CONFIG_KMS_LISTEN', `cannot serve the KMS on ${where}: ${why}`, { cause }),
      );
    });
    server.listen(options.port, options.host, settle);
  });
  const address = server.address();
  return {
    host: options.host,
    port: typeof address === 'object' && address !== null ? address.port : options.port,
    replaceCertificate: (tls) => {
      if ('setSecureContext' in server) server.setSecureContext({ ...tls, minVersion: 'TLSv1.2' });
    },
    close: () =>
      new Promise((settle) => {
        server.close(() => {
          settle();
        });
        server.closeAllConnections();
      }),
  };
}

function makeServer(options: KmsListenerOptions, onRequest: RequestListener) {
  if (options.tls === undefined) return createServer(TIMEOUTS, onRequest);
  try {
    return createTlsServer({ ...TIMEOUTS, ...options.tls, minVersion: 'TLSv1.2' }, onRequest);
  } catch (cause) {
    throw new ConfigError(
      'CONFIG_KMS_LISTEN',
      'the certificate and key of the KMS listener (CQLOCK_KMS_TLS_CERT_FILE, CQLOCK_KMS_TLS_KEY_FILE) cannot be used',
      { cause },
    );
  }
}

async function serve(
  options: KmsListenerOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const requestId = randomUUID();
  if (request.method !== 'POST' || request.url !== '/') {
    request.resume();
    const fault = new KmsFault('UnknownOperationException', 'KMS takes POST / only');
    reply(response, faultAnswer(fault), requestId, true);
    return;
  }
  const body = await readBody(request);
  if (body === undefined) {
    const fault = new KmsFault(
      'RequestEntityTooLargeException',
      `a request has at most ${MAX_BODY_BYTES} bytes`,
    );
    reply(response, faultAnswer(fault), requestId, true);
    return;
  }
  const { method, rawHeaders } = request;
  const answer = await answerRequest(options, { method, rawHeaders, body }, requestId);
  body.fill(0);
  reply(response, answer, requestId, false);
}

/** The body; undefined when it is longer than the limit. What is beyond the limit is not kept. */
async function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    length += part.length;
    if (length > MAX_BODY_BYTES) return undefined;
    parts.push(part);
  }
  return Buffer.concat(parts);
}

function reply(
  response: ServerResponse,
  { status, body }: Answer,
  requestId: string,
  isLast: boolean,
): void {
  response.writeHead(status, {
    'Content-Type': 'application/x-amz-json-1.1',
    'Content-Length': Buffer.byteLength(body),
    'x-amzn-RequestId': requestId,
    'Cache-Control': 'no-cache, no-store',
    ...(isLast ? { Connection: 'close' } : {}),
  });
  response.end(body);
}
