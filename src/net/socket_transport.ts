import { connect as connectSocket } from 'node:net';
import type { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { ConnectionOptions } from 'node:tls';
import { UpstreamError } from '../errors/index.ts';
import type { ClientCertificate, Transport, TransportHandlers } from '../proxy/index.ts';

/** What is counted of a socket's traffic. */
export type ByteCounter = (direction: 'in' | 'out', count: number) => void;

/** Small writes of one turn are joined up to this size; larger ones go out as they are. */
const JOIN_BYTES = 64 * 1024;

/** A peer that says nothing for so long is asked by TCP whether it is there. */
const KEEP_ALIVE_MS = 60_000;

/** A {@link Transport} over a TCP socket, with TLS or without. */
export class SocketTransport implements Transport {
  readonly peer: string;
  readonly local: { readonly address: string; readonly port: number };
  readonly certificate: ClientCertificate | undefined;
  readonly #socket: Socket;
  readonly #count: ByteCounter;
  #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  #isFlushScheduled = false;
  #isEnding = false;
  #failure: Error | undefined;

  /** @param certificate of a client, verified */
  constructor(socket: Socket, count: ByteCounter, certificate?: ClientCertificate) {
    this.certificate = certificate;
    this.#socket = socket;
    this.#count = count;
    this.peer = `${socket.remoteAddress ?? 'unknown'}:${String(socket.remotePort ?? 0)}`;
    this.local = {
      address: socket.localAddress ?? '127.0.0.1',
      port: socket.localPort ?? 0,
    };
    socket.setNoDelay(true);
    // A peer that is gone without a word is found out while nothing is sent, too.
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    // From the first moment: an error that nobody listens for ends the process.
    socket.on('error', (error) => {
      this.#failure = error;
    });
  }

  get bufferedBytes(): number {
    return this.#queuedBytes + this.#socket.writableLength;
  }

  setHandlers(handlers: TransportHandlers): void {
    this.#socket.on('data', (chunk: Buffer) => {
      this.#count('in', chunk.length);
      handlers.onData(chunk);
    });
    this.#socket.on('drain', () => {
      handlers.onDrain();
    });
    this.#socket.on('close', () => {
      handlers.onClose(this.#failure);
    });
  }

  write(chunk: Uint8Array): void {
    if (this.#isEnding || this.#socket.destroyed) return;
    this.#queue.push(chunk);
    this.#queuedBytes += chunk.length;
    if (this.#isFlushScheduled) return;
    this.#isFlushScheduled = true;
    process.nextTick(() => {
      this.#flush();
    });
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  end(): void {
    if (this.#isEnding) return;
    this.#flush();
    this.#isEnding = true;
    this.#socket.end();
    // A peer that does not close its half must not hold the socket.
    this.#socket.resume();
    const timer = setTimeout(() => this.#socket.destroy(), 1_000);
    timer.unref();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #flush(): void {
    this.#isFlushScheduled = false;
    const chunks = this.#queue;
    if (chunks.length === 0) return;
    this.#queue = [];
    this.#count('out', this.#queuedBytes);
    const [only] = chunks;
    if (chunks.length === 1 && only !== undefined) this.#socket.write(only);
    else if (this.#queuedBytes <= JOIN_BYTES) {
      this.#socket.write(Buffer.concat(chunks, this.#queuedBytes));
    } else {
      this.#socket.cork();
      for (const chunk of chunks) this.#socket.write(chunk);
      this.#socket.uncork();
    }
    this.#queuedBytes = 0;
  }
}

/**
 * Connects to a node of Cassandra.
 * @param tls gives what TLS is done with; plain text if undefined
 * @throws UpstreamError naming the node.
 */
export function connectTo(
  host: string,
  port: number,
  timeoutMs: number,
  count: ByteCounter,
  tls?: () => ConnectionOptions,
): Promise<Transport> {
  const node = `${host}:${String(port)}`;
  return new Promise((resolve, reject) => {
    const socket =
      tls === undefined ? connectSocket({ host, port }) : connectTls({ host, port, ...tls() });
    let isConnected = false;
    const fail = (cause?: Error): void => {
      clearTimeout(timer);
      socket.destroy();
      reject(isConnected ? tlsFailure(node, cause) : unreachable(node, cause));
    };
    const timer = setTimeout(fail, timeoutMs);
    socket.once('error', fail);
    socket.once('connect', () => {
      isConnected = true;
    });
    socket.once(tls === undefined ? 'connect' : 'secureConnect', () => {
      clearTimeout(timer);
      socket.off('error', fail);
      resolve(new SocketTransport(socket, count));
    });
  });
}

function unreachable(node: string, cause: unknown): UpstreamError {
  return new UpstreamError('UPSTREAM_UNREACHABLE', `Cassandra cannot be reached at ${node}`, {
    cause,
  });
}

function tlsFailure(node: string, cause: (Error & { readonly code?: string }) | undefined) {
  const why = cause === undefined ? 'no answer' : (cause.code ?? cause.message);
  return new UpstreamError(
    'UPSTREAM_TLS',
    `Cassandra at ${node} is not reached by TLS (${why}): check its client_encryption_options and CQLOCK_CASSANDRA_TLS_CA_FILE, _CERT_FILE, _SERVER_NAME`,
    { cause },
  );
}
