import { connect as connectSocket, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { ConfigError, UpstreamError } from '../errors/index.ts';
import type { Transport, TransportHandlers } from '../proxy/index.ts';

/** What is counted of a socket's traffic. */
export type ByteCounter = (direction: 'in' | 'out', count: number) => void;

/** Small writes of one turn are joined up to this size; larger ones go out as they are. */
const JOIN_BYTES = 64 * 1024;

/** A {@link Transport} over a TCP socket. */
export class SocketTransport implements Transport {
  readonly peer: string;
  readonly local: { readonly address: string; readonly port: number };
  readonly #socket: Socket;
  readonly #count: ByteCounter;
  #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  #isFlushScheduled = false;
  #isEnding = false;

  constructor(socket: Socket, count: ByteCounter) {
    this.#socket = socket;
    this.#count = count;
    this.peer = `${socket.remoteAddress ?? 'unknown'}:${String(socket.remotePort ?? 0)}`;
    this.local = {
      address: socket.localAddress ?? '127.0.0.1',
      port: socket.localPort ?? 0,
    };
    socket.setNoDelay(true);
  }

  get bufferedBytes(): number {
    return this.#queuedBytes + this.#socket.writableLength;
  }

  setHandlers(handlers: TransportHandlers): void {
    let failure: Error | undefined;
    this.#socket.on('data', (chunk: Buffer) => {
      this.#count('in', chunk.length);
      handlers.onData(chunk);
    });
    this.#socket.on('drain', () => {
      handlers.onDrain();
    });
    this.#socket.on('error', (error) => {
      failure = error;
    });
    this.#socket.on('close', () => {
      handlers.onClose(failure);
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

/** Connects to a node of Cassandra. @throws UpstreamError naming the node. */
export function connectTo(
  host: string,
  port: number,
  timeoutMs: number,
  count: ByteCounter,
): Promise<Transport> {
  return new Promise((resolve, reject) => {
    const socket = connectSocket({ host, port });
    const fail = (error?: Error): void => {
      clearTimeout(timer);
      socket.destroy();
      reject(
        new UpstreamError(
          'UPSTREAM_UNREACHABLE',
          `Cassandra cannot be reached at ${host}:${String(port)}`,
          { cause: error },
        ),
      );
    };
    const timer = setTimeout(fail, timeoutMs);
    socket.once('error', fail);
    socket.once('connect', () => {
      clearTimeout(timer);
      socket.off('error', fail);
      resolve(new SocketTransport(socket, count));
    });
  });
}

/** A listening port. */
export interface Listener {
  readonly host: string;
  readonly port: number;
  /** Takes no new connections; those that are open stay. */
  close(): void;
}

/** Listens for clients. @throws ConfigError when the address is in use or not to be had. */
export function listen(
  host: string,
  port: number,
  count: ByteCounter,
  accept: (transport: Transport) => void,
): Promise<Listener> {
  return new Promise((resolve, reject) => {
    const server: Server = createServer((socket) => {
      accept(new SocketTransport(socket, count));
    });
    server.once('error', (error: NodeJS.ErrnoException) => {
      const reason =
        error.code === 'EADDRINUSE'
          ? 'the port is in use: stop what listens there or set CQLOCK_LISTEN to another port'
          : `it cannot be listened on (${error.code ?? 'unknown error'}): set CQLOCK_LISTEN`;
      reject(new ConfigError('CONFIG_LISTEN', `${host}:${String(port)}: ${reason}`));
    });
    server.listen({ host, port }, () => {
      const address = server.address() as AddressInfo;
      resolve({
        host: address.address,
        port: address.port,
        close: () => {
          server.close();
        },
      });
    });
  });
}
