/**
 * A small CQL client over node:net: it sees raw metadata, raw values and error codes, pipelines any number of requests on one
 * connection, and never retries, repairs or hides anything. For tests and the load generator only.
 * It imports nothing of the product.
 */
import { connect as tcpConnect, type Socket } from 'node:net';
import { OP, RawWriter, readResponse, type RawResult, type RawValue } from './raw_codec.ts';

/** Where and how to connect. */
export interface RawClientOptions {
  readonly host: string;
  readonly port: number;
  /** Protocol version, 3 or 4 (default). */
  readonly version?: number;
  readonly startup?: Readonly<Record<string, string>>;
  readonly username?: string;
  readonly password?: string;
  /** A request without an answer after this many ms makes the connection fail. Default 60,000. */
  readonly timeoutMs?: number;
}

/** Parameters of QUERY, EXECUTE and BATCH. */
export interface RawQueryOptions {
  /** Default ONE (1). */
  readonly consistency?: number;
  readonly serialConsistency?: number;
  readonly values?: readonly RawValue[];
  /** Names of the values, where they are sent by name. */
  readonly names?: readonly string[];
  readonly pageSize?: number;
  readonly pagingState?: Uint8Array;
  readonly skipMetadata?: boolean;
  /** Default timestamp in microseconds. */
  readonly timestamp?: bigint;
  readonly tracing?: boolean;
}

/** One child of a BATCH: text, or the id of a prepared statement. */
export interface RawBatchChild {
  readonly statement: string | Uint8Array;
  readonly values: readonly RawValue[];
}

/** One response as it came. */
export interface RawFrame {
  readonly version: number;
  readonly flags: number;
  readonly stream: number;
  readonly opcode: number;
  readonly body: Buffer;
}

/** What went wrong with a connection (never an ERROR of the server: those are results). */
export class RawClientError extends Error {
  override readonly name = 'RawClientError';
}

/** Encodes one request frame, header and body. */
export function encodeFrame(
  version: number,
  flags: number,
  stream: number,
  opcode: number,
  body: Uint8Array,
): Buffer {
  return new RawWriter()
    .byte(version)
    .byte(flags)
    .short(stream)
    .byte(opcode)
    .int(body.length)
    .raw(body)
    .done();
}

/** Encodes <query_parameters> of v3 and v4 with the consistency before them. */
export function encodeParameters(w: RawWriter, o: RawQueryOptions): RawWriter {
  const values = o.values ?? [];
  let flags = 0;
  if (o.values !== undefined) flags |= 0x01;
  if (o.skipMetadata === true) flags |= 0x02;
  if (o.pageSize !== undefined) flags |= 0x04;
  if (o.pagingState !== undefined) flags |= 0x08;
  if (o.serialConsistency !== undefined) flags |= 0x10;
  if (o.timestamp !== undefined) flags |= 0x20;
  if (o.names !== undefined) flags |= 0x40;
  w.short(o.consistency ?? 1).byte(flags);
  if (o.values !== undefined) {
    w.short(values.length);
    values.forEach((value, i) => {
      if (o.names !== undefined) w.string(o.names[i] ?? '');
      w.value(value);
    });
  }
  if (o.pageSize !== undefined) w.int(o.pageSize);
  if (o.pagingState !== undefined) w.int(o.pagingState.length).raw(o.pagingState);
  if (o.serialConsistency !== undefined) w.short(o.serialConsistency);
  if (o.timestamp !== undefined) w.long(o.timestamp);
  return w;
}

interface Waiter {
  readonly done: (frame: RawFrame) => void;
  readonly failed: (error: Error) => void;
  readonly since: number;
}

/** One connection. Streams are handed out as needed, up to 30,000 at once. */
export class RawClient {
  readonly version: number;
  /** Called with every EVENT (stream −1). */
  onEvent: ((frame: RawFrame) => void) | null = null;
  private readonly socket: Socket;
  private readonly waiting = new Map<number, Waiter>();
  private readonly free: number[] = [];
  private nextStream = 1;
  private chunks: Buffer[] = [];
  private have = 0;
  private corked = false;
  private broken: Error | null = null;
  private readonly watchdog: NodeJS.Timeout;

  private constructor(socket: Socket, version: number, timeoutMs: number) {
    this.socket = socket;
    this.version = version;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => {
      this.receive(chunk);
    });
    socket.on('error', (error) => {
      this.fail(error);
    });
    socket.on('close', () => {
      this.fail(new RawClientError('connection closed by the server'));
    });
    this.watchdog = setInterval(() => {
      const limit = Date.now() - timeoutMs;
      for (const waiter of this.waiting.values()) {
        if (waiter.since < limit) {
          this.fail(new RawClientError(`no answer within ${timeoutMs} ms`));
          this.socket.destroy();
          return;
        }
      }
    }, 1000);
    this.watchdog.unref();
  }

  /** Connects without any handshake. */
  static async open(options: RawClientOptions): Promise<RawClient> {
    const socket = tcpConnect({ host: options.host, port: options.port });
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    return new RawClient(socket, options.version ?? 4, options.timeoutMs ?? 60_000);
  }

  /** Connects, sends STARTUP, authenticates where asked. @throws RawClientError with the server's refusal. */
  static async connect(options: RawClientOptions): Promise<RawClient> {
    const client = await RawClient.open(options);
    const startup = { CQL_VERSION: '3.0.0', ...options.startup };
    let frame = await client.request(OP.startup, new RawWriter().stringMap(startup).done());
    if (frame.opcode === OP.authenticate) {
      const token = Buffer.from(
        `\0${options.username ?? 'cassandra'}\0${options.password ?? 'cassandra'}`,
        'utf8',
      );
      frame = await client.request(OP.authResponse, new RawWriter().value(token).done());
    }
    if (frame.opcode !== OP.ready && frame.opcode !== OP.authSuccess) {
      client.close();
      const answer = readResponse(client.version, frame.opcode, frame.flags, frame.body);
      throw new RawClientError(
        answer.kind === 'error' ? answer.message : `opcode ${frame.opcode} after STARTUP`,
      );
    }
    return client;
  }

  /** Requests without an answer yet. */
  get inFlight(): number {
    return this.waiting.size;
  }

  /** Sends one request. @throws RawClientError when the connection breaks. */
  async request(opcode: number, body: Uint8Array, flags = 0): Promise<RawFrame> {
    return new Promise((resolve, reject) => {
      this.send(opcode, body, flags, resolve, reject);
    });
  }

  /** The same with callbacks, for load generators. */
  send(
    opcode: number,
    body: Uint8Array,
    flags: number,
    done: (frame: RawFrame) => void,
    failed: (error: Error) => void,
  ): void {
    if (this.broken !== null) {
      failed(this.broken);
      return;
    }
    const stream = this.free.pop() ?? this.nextStream++;
    if (stream > 30_000) {
      failed(new RawClientError('more than 30,000 requests in flight'));
      return;
    }
    this.waiting.set(stream, { done, failed, since: Date.now() });
    // All requests of one tick go out in one write.
    if (!this.corked) {
      this.corked = true;
      this.socket.cork();
      process.nextTick(() => {
        this.corked = false;
        this.socket.uncork();
      });
    }
    this.socket.write(encodeFrame(this.version, flags, stream, opcode, body));
  }

  /** Sends bytes as they are (malformed frames on purpose). */
  sendBytes(bytes: Uint8Array): void {
    this.socket.write(bytes);
  }

  /** QUERY. */
  async query(cql: string, options: RawQueryOptions = {}): Promise<RawResult> {
    return this.answer(
      OP.query,
      encodeParameters(new RawWriter().longString(cql), options).done(),
      options.tracing,
    );
  }

  /** PREPARE. */
  async prepare(cql: string, options: { readonly tracing?: boolean } = {}): Promise<RawResult> {
    return this.answer(OP.prepare, new RawWriter().longString(cql).done(), options.tracing);
  }

  /** EXECUTE. */
  async execute(id: Uint8Array, options: RawQueryOptions = {}): Promise<RawResult> {
    return this.answer(
      OP.execute,
      encodeParameters(new RawWriter().shortBytes(id), options).done(),
      options.tracing,
    );
  }

  /** BATCH; kind 0 logged, 1 unlogged, 2 counter. */
  async batch(
    kind: number,
    children: readonly RawBatchChild[],
    options: RawQueryOptions = {},
  ): Promise<RawResult> {
    const w = new RawWriter().byte(kind).short(children.length);
    for (const { statement, values } of children) {
      if (typeof statement === 'string') w.byte(0).longString(statement);
      else w.byte(1).shortBytes(statement);
      w.short(values.length);
      for (const value of values) w.value(value);
    }
    let flags = 0;
    if (options.serialConsistency !== undefined) flags |= 0x10;
    if (options.timestamp !== undefined) flags |= 0x20;
    w.short(options.consistency ?? 1).byte(flags);
    if (options.serialConsistency !== undefined) w.short(options.serialConsistency);
    if (options.timestamp !== undefined) w.long(options.timestamp);
    return this.answer(OP.batch, w.done(), options.tracing);
  }

  /** OPTIONS: what the server supports. */
  async supported(): Promise<RawFrame> {
    return this.request(OP.options, new Uint8Array(0));
  }

  /** REGISTER for events. */
  async register(events: readonly string[]): Promise<RawFrame> {
    const w = new RawWriter().short(events.length);
    for (const event of events) w.string(event);
    return this.request(OP.register, w.done());
  }

  /** Closes the connection; requests in flight fail. */
  close(): void {
    clearInterval(this.watchdog);
    this.socket.destroy();
  }

  private async answer(
    opcode: number,
    body: Uint8Array,
    tracing: boolean | undefined,
  ): Promise<RawResult> {
    const frame = await this.request(opcode, body, tracing === true ? 0x02 : 0);
    return readResponse(this.version, frame.opcode, frame.flags, frame.body);
  }

  private fail(error: Error): void {
    clearInterval(this.watchdog);
    this.broken ??= error;
    const waiters = [...this.waiting.values()];
    this.waiting.clear();
    for (const waiter of waiters) waiter.failed(this.broken);
  }

  private receive(chunk: Buffer): void {
    this.chunks.push(chunk);
    this.have += chunk.length;
    // Joining is put off until a frame is whole: a page of megabytes comes in many chunks.
    if (this.have < 9 || (this.chunks.length > 1 && this.have < this.wanted())) return;
    let buf = this.chunks.length === 1 ? chunk : Buffer.concat(this.chunks, this.have);
    while (buf.length >= 9) {
      const length = buf.readInt32BE(5);
      if (buf.length < 9 + length) break;
      const frame = {
        version: buf[0] ?? 0,
        flags: buf[1] ?? 0,
        stream: buf.readInt16BE(2),
        opcode: buf[4] ?? 0,
        body: buf.subarray(9, 9 + length),
      };
      buf = buf.subarray(9 + length);
      this.dispatch(frame);
    }
    this.chunks = buf.length === 0 ? [] : [buf];
    this.have = buf.length;
  }

  private wanted(): number {
    let first = this.chunks[0] as Buffer;
    if (first.length < 9) {
      first = Buffer.concat(this.chunks, this.have);
      this.chunks = [first];
    }
    return 9 + first.readInt32BE(5);
  }

  private dispatch(frame: RawFrame): void {
    if (frame.opcode === OP.event) {
      this.onEvent?.(frame);
      return;
    }
    const waiter = this.waiting.get(frame.stream);
    if (waiter === undefined) {
      this.fail(new RawClientError(`answer on stream ${frame.stream}, which waits for nothing`));
      this.socket.destroy();
      return;
    }
    this.waiting.delete(frame.stream);
    this.free.push(frame.stream);
    waiter.done(frame);
  }
}
