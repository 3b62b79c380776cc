/**
 * A Cassandra that lies: a relay that hands every response frame to a function before the proxy gets it. It stands for
 * whoever controls the servers or the wire, and holds none of the keys.
 */
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { OP, RawReader, RawWriter } from './raw_codec.ts';

/** What a rewritten response has. */
export interface RelayedFrame {
  readonly opcode: number;
  readonly flags: number;
  readonly body: Buffer;
}

/** A running relay. */
export interface ManInTheMiddle {
  readonly host: string;
  readonly port: number;
  /** Gets every response; gives the body to send in its place. The identity at first. */
  rewrite: (frame: RelayedFrame) => Buffer;
  stop(): Promise<void>;
}

/** Listens on a free port of 127.0.0.1 and relays to `upstream`. */
export async function startManInTheMiddle(upstream: {
  readonly host: string;
  readonly port: number;
}): Promise<ManInTheMiddle> {
  const open = new Set<Socket>();
  const relay: { rewrite: ManInTheMiddle['rewrite'] } = { rewrite: (frame) => frame.body };
  const server = createServer((client) => {
    const node = connect({ host: upstream.host, port: upstream.port, noDelay: true });
    client.setNoDelay(true);
    for (const [socket, other] of [
      [client, node],
      [node, client],
    ] as const) {
      open.add(socket);
      socket.on('error', () => other.destroy());
      socket.on('close', () => {
        open.delete(socket);
        other.destroy();
      });
    }
    client.pipe(node);
    let buffered = Buffer.alloc(0);
    node.on('data', (chunk: Buffer) => {
      buffered = Buffer.concat([buffered, chunk]);
      while (buffered.length >= 9 && buffered.length >= 9 + buffered.readInt32BE(5)) {
        const end = 9 + buffered.readInt32BE(5);
        const head = Buffer.from(buffered.subarray(0, 9));
        const body = relay.rewrite({
          opcode: head.readUInt8(4),
          flags: head.readUInt8(1),
          body: buffered.subarray(9, end),
        });
        head.writeInt32BE(body.length, 5);
        client.write(Buffer.concat([head, body]));
        buffered = buffered.subarray(end);
      }
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  return Object.assign(relay, {
    host: '127.0.0.1',
    port: (server.address() as AddressInfo).port,
    stop: async () => {
      const closed = new Promise<void>((resolve) => {
        server.close(() => {
          resolve();
        });
      });
      for (const socket of open) socket.destroy();
      await closed;
    },
  });
}

/** A Rows result taken apart: everything before the number of rows, and the cells. */
export interface RowsBody {
  readonly columnCount: number;
  readonly rows: readonly (readonly (Buffer | null)[])[];
  /** The same result with other rows. */
  with(rows: readonly (readonly (Buffer | null)[])[]): Buffer;
  /** The same with another number of columns in the metadata. */
  withColumnCount(count: number, rows: readonly (readonly (Buffer | null)[])[]): Buffer;
}

/** Takes a Rows result of a table apart; `undefined` for any other response, also for those of system tables and records. */
export function rowsOf(frame: RelayedFrame): RowsBody | undefined {
  if (frame.opcode !== OP.result || frame.flags !== 0 || frame.body.readInt32BE(0) !== 2) {
    return undefined;
  }
  const { body } = frame;
  const reader = new RawReader(body.subarray(4));
  const flags = reader.int();
  const columnCount = reader.int();
  if ((flags & 0x02) !== 0) reader.bytes();
  if ((flags & 0x04) === 0) {
    const isGlobal = (flags & 0x01) !== 0;
    if (isGlobal && /^(system|cqlock)/.test(reader.string())) return undefined;
    if (isGlobal) reader.string();
    for (let left = columnCount; left > 0; left -= 1) {
      if (!isGlobal) {
        reader.string();
        reader.string();
      }
      reader.string();
      reader.type();
    }
  }
  const headLength = body.length - reader.left;
  const rows = Array.from({ length: reader.int() }, () =>
    Array.from({ length: columnCount }, () => reader.bytes()),
  );
  const build = (count: number, cells: readonly (readonly (Buffer | null)[])[]): Buffer => {
    const head = Buffer.from(body.subarray(0, headLength));
    head.writeInt32BE(count, 8);
    const writer = new RawWriter().raw(head).int(cells.length);
    for (const row of cells) for (const cell of row) writer.value(cell);
    return writer.done();
  };
  return { columnCount, rows, with: (cells) => build(columnCount, cells), withColumnCount: build };
}
