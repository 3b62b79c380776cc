/** A TCP relay that keeps what passes: to put between the proxy and Cassandra, to see what goes over the wire. */
import { createWriteStream, mkdirSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { join } from 'node:path';
import type { Endpoint } from './endpoint.ts';

/** A running recorder. */
export interface TcpRecorder {
  readonly host: string;
  readonly port: number;
  /** Files `N.to_upstream` and `N.from_upstream` for connection N. */
  readonly dir: string;
  /** Connections so far. */
  readonly connections: () => number;
  /** Closes all connections and waits until the files are written. */
  stop(): Promise<void>;
}

/** Listens on a free port of 127.0.0.1 and relays to `upstream`. */
export async function startTcpRecorder(
  upstream: Endpoint,
  dir: string,
  port = 0,
): Promise<TcpRecorder> {
  mkdirSync(dir, { recursive: true });
  let count = 0;
  const open = new Set<Socket>();
  const files: Promise<void>[] = [];
  const server = createServer((client) => {
    const n = count++;
    const server = connect({ host: upstream.host, port: upstream.port, noDelay: true });
    client.setNoDelay(true);
    for (const [from, to, name] of [
      [client, server, `${n}.to_upstream`],
      [server, client, `${n}.from_upstream`],
    ] as const) {
      const file = createWriteStream(join(dir, name));
      files.push(
        new Promise((resolve) => {
          file.once('close', () => {
            resolve();
          });
        }),
      );
      open.add(from);
      from.pipe(to);
      from.on('data', (chunk: Buffer) => file.write(chunk));
      from.on('error', () => to.destroy());
      from.on('close', () => {
        open.delete(from);
        to.destroy();
        file.end();
      });
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  return {
    host: '127.0.0.1',
    port: (server.address() as AddressInfo).port,
    dir,
    connections: () => count,
    stop: async () => {
      const closed = new Promise<void>((resolve) => {
        server.close(() => {
          resolve();
        });
      });
      for (const socket of open) socket.destroy();
      await closed;
      await Promise.all(files);
    },
  };
}
