/** A TCP proxy before a server, which can be made to fail as networks and servers do. */
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** How connections fail; `none` relays them. */
export type Fault =
  | 'none'
  /** Nothing listens. */
  | 'refuse'
  /** Connections are taken and nothing is ever said. */
  | 'hang'
  /** The request is read, then the connection is reset. */
  | 'reset'
  /** Bytes that are no protocol at all. */
  | 'garbage'
  /** The connection ends in the middle of the answer. */
  | 'truncate'
  /** The answer comes so slowly that it never ends. */
  | 'trickle'
  /** The answer given here, whatever was asked. */
  | { readonly answer: string };

/** A running proxy. */
export interface FaultProxy {
  readonly port: number;
  /** Connections since it was started. */
  readonly connections: number;
  /** Changes what happens; open connections end. */
  set(fault: Fault): Promise<void>;
  stop(): Promise<void>;
}

/** An answer of an HTTP server. */
export function httpAnswer(status: string, type: string, body: string): Fault {
  const length = Buffer.byteLength(body);
  return {
    answer: `HTTP/1.1 ${status}\r\nContent-Type: ${type}\r\nContent-Length: ${length}\r\nConnection: close\r\n\r\n${body}`,
  };
}

/** Listens on a free port of 127.0.0.1 and relays to `port`. */
export async function startFaultProxy(port: number): Promise<FaultProxy> {
  const open = new Set<Socket>();
  let fault: Fault = 'none';
  let connections = 0;
  const server: Server = createServer((client) => {
    connections += 1;
    open.add(client);
    client.on('error', () => undefined);
    client.on('close', () => open.delete(client));
    serve(client, fault, port, open);
  });
  await listen(server, 0);
  const ownPort = (server.address() as AddressInfo).port;
  const closeAll = (): void => {
    for (const socket of open) socket.destroy();
  };
  return {
    port: ownPort,
    get connections() {
      return connections;
    },
    set: async (next) => {
      fault = next;
      if (next === 'refuse' && server.listening) {
        const closed = new Promise((resolve) => server.close(resolve));
        closeAll();
        await closed;
      } else {
        closeAll();
        if (next !== 'refuse' && !server.listening) await listen(server, ownPort);
      }
    },
    stop: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      closeAll();
      await closed;
    },
  };
}

function serve(client: Socket, fault: Fault, port: number, open: Set<Socket>): void {
  if (fault === 'hang') return;
  if (fault === 'none' || fault === 'truncate' || fault === 'trickle') {
    const upstream = connect({ host: '127.0.0.1', port });
    open.add(upstream);
    upstream.on('error', () => client.destroy());
    upstream.on('close', () => {
      open.delete(upstream);
      if (fault !== 'trickle') client.end();
    });
    client.on('close', () => upstream.destroy());
    client.pipe(upstream);
    if (fault === 'none') upstream.pipe(client);
    else {
      upstream.once('data', (chunk: Buffer) => {
        client.write(chunk.subarray(0, 40));
        if (fault === 'truncate') client.end();
      });
    }
    return;
  }
  client.once('data', () => {
    if (fault === 'reset') client.resetAndDestroy();
    else if (fault === 'garbage') client.end(Buffer.alloc(512, 0xa7));
    else if (typeof fault === 'object') client.end(fault.answer);
  });
}

async function listen(server: Server, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      server.off('error', reject);
      resolve();
    });
  });
}
