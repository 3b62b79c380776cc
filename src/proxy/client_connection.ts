import { OverloadError, ProtocolError, toProxyError, type ProxyError } from '../errors/index.ts';
import type { ConnectionLeases } from '../keys/index.ts';
import type { Clock, TimerHandle } from '../util/index.ts';
import {
  decodeRequestPrefix,
  decompressBody,
  compressBody,
  encodeEnvelope,
  encodeEvent,
  encodeReady,
  encodeResponsePrefix,
  encodeSupported,
  decodeStartup,
  decodeRegister,
  EnvelopeAssembler,
  COMPRESSION_ALGORITHMS,
  HeaderFlag,
  Opcode,
  opcodeName,
  UnsupportedVersionError,
  unsupportedVersionBody,
} from '../wire/index.ts';
import type { CompressionAlgorithm, Envelope, SchemaChange } from '../wire/index.ts';
import type { Authenticator } from './authenticator.ts';
import { ClientLogin } from './client_login.ts';
import type { LoginStep } from './client_login.ts';
import { FlowControl } from './flow_control.ts';
import { NodeConnection } from './node_connection.ts';
import { endsConnection, versionChange } from './protocol_errors.ts';
import { errorReply, reply } from './reply.ts';
import type { Reply } from './reply.ts';
import { runRequest } from './run_request.ts';
import { MaskRights } from './mask_rights.ts';
import type { Session, SharedServices } from './session.ts';
import type { Transport } from './transport.ts';

/** What a client connection works with. */
export interface ClientConnectionOptions {
  readonly services: SharedServices;
  readonly leases: ConnectionLeases;
  readonly authenticator: Authenticator;
  /** Opens a connection to one of Cassandra's nodes that answers. */
  readonly connect: () => Promise<{ readonly transport: Transport; readonly node: string }>;
  /** 16 bytes, fixed for the proxy. */
  readonly hostId: Uint8Array;
  /** Cassandra's CQL version, for SUPPORTED. */
  readonly cqlVersion: () => string;
  readonly schemaVersion: () => Uint8Array;
  readonly limits: {
    readonly maxFrameBytes: number;
    readonly maxInFlightRequests: number;
    /** A client that has not logged in after this time is cut, milliseconds. */
    readonly loginTimeoutMs: number;
  };
  readonly clock: Clock;
  readonly onClose: (connection: ClientConnection) => void;
}

/** Shorter bodies are not worth compressing. */
const MIN_COMPRESSED_BYTES = 512;
/** The highest version spoken; errors about versions carry it. */
const HIGHEST_VERSION = 4;
const EVENT_TYPES: ReadonlySet<string> = new Set([
  'TOPOLOGY_CHANGE',
  'STATUS_CHANGE',
  'SCHEMA_CHANGE',
]);

/** answering: a message of the login is being answered; another one is out of order. */
type Phase = 'new' | 'answering' | 'authenticating' | 'ready' | 'closed';

/** One client: handshake, stream ids, limits, back-pressure. Statements are run by run_request. */
export class ClientConnection {
  readonly #transport: Transport;
  readonly #options: ClientConnectionOptions;
  readonly #assembler: EnvelopeAssembler;
  #phase: Phase = 'new';
  #version = HIGHEST_VERSION;
  #compression: CompressionAlgorithm | undefined;
  #node: NodeConnection | undefined;
  #session: Session | undefined;
  readonly #login: ClientLogin;
  #verifiedRole: string | undefined;
  #isRegistered = false;
  readonly #flow: FlowControl;
  readonly #deadline: TimerHandle;

  constructor(transport: Transport, options: ClientConnectionOptions) {
    this.#transport = transport;
    this.#options = options;
    this.#flow = new FlowControl(transport, options.limits.maxInFlightRequests);
    this.#assembler = new EnvelopeAssembler({
      maxBodyBytes: options.limits.maxFrameBytes,
      direction: 'request',
      acceptVersion: (version) => version === 3 || version === 4,
    });
    this.#login = new ClientLogin({
      authenticator: options.authenticator,
      transport,
      connect: () => this.#connect(),
      loggedIn: ({ name }) => {
        this.#verifiedRole = name;
      },
    });
    this.#deadline = options.clock.after(options.limits.loginTimeoutMs, () => {
      options.services.metrics.countLogin('timeout');
      this.destroy();
    });
    transport.setHandlers({
      onData: (chunk) => {
        this.#receive(chunk);
      },
      onDrain: () => {
        this.#balance();
      },
      onClose: () => {
        this.#closed();
      },
    });
  }

  /** Requests that are not answered yet. */
  get inFlight(): number {
    return this.#flow.inFlight;
  }

  /** The role that the proxy itself has verified; undefined where Cassandra alone did, or nobody has logged in. */
  get verifiedRole(): string | undefined {
    return this.#verifiedRole;
  }

  /** Tells the client of a change of the schema, if it registered for it. */
  schemaChanged(change: SchemaChange): void {
    if (!this.#isRegistered || this.#phase !== 'ready') return;
    const body = encodeEvent({ type: 'SCHEMA_CHANGE', schemaChange: change }, this.#version);
    this.#write(-1, Opcode.EVENT, 0, body);
  }

  /** Takes no more requests; closes when those in flight are answered. */
  drain(): void {
    this.#flow.drain();
    if (this.#flow.isDrained) this.#transport.end();
  }

  /** Closes at once. */
  destroy(): void {
    this.#transport.destroy();
    this.#closed();
  }

  #receive(chunk: Buffer): void {
    let envelopes: Envelope[];
    try {
      envelopes = this.#assembler.push(chunk);
    } catch (error) {
      this.#malformed(error);
      return;
    }
    for (const envelope of envelopes) this.#handle(envelope);
    if (this.#assembler.error !== undefined) this.#malformed(this.#assembler.error);
    this.#balance();
  }

  /** Answers what is no message. Spec: native_protocol_v4 2.1; a version is refused on stream 0 and the connection kept. */
  #malformed(error: unknown): void {
    const { metrics } = this.#options.services;
    if (error instanceof UnsupportedVersionError) {
      this.#assembler.reset();
      metrics.recordRequest('negotiation', error.code, 0, 0);
      this.#transport.write(
        encodeEnvelope(
          {
            version: HIGHEST_VERSION,
            isResponse: true,
            flags: 0,
            streamId: 0,
            opcode: Opcode.ERROR,
          },
          unsupportedVersionBody(error.version),
        ),
      );
      return;
    }
    this.#fail(0, toProxyError(error));
  }

  /** Answers with an ERROR and, where the next message cannot be understood, closes: the peer broke the protocol. */
  #fail(streamId: number, error: ProxyError): void {
    this.#options.services.metrics.recordRequest('malformed', error.code, 0, 0);
    this.#send(streamId, errorReply(error));
    if (endsConnection(error, this.#phase === 'ready')) this.#transport.end();
  }

  #handle(envelope: Envelope): void {
    if (this.#phase === 'closed') return;
    if (this.#phase !== 'new' && envelope.version !== this.#version) {
      this.#fail(envelope.streamId, versionChange(envelope.version, this.#version));
      return;
    }
    this.#version = envelope.version;
    const flow = this.#flow;
    let bytes = envelope.body.length;
    flow.begin(bytes);
    const started = performance.now();
    let upstreamMs = 0;
    let kind = requestName(envelope.opcode);
    const finish = (answer: Reply): void => {
      flow.end(bytes);
      const proxyMs = Math.max(0, performance.now() - started - upstreamMs);
      this.#options.services.metrics.recordRequest(kind, answer.outcome, proxyMs, upstreamMs);
      if (this.#phase === 'closed') return;
      this.#send(envelope.streamId, answer);
      if (flow.isDrained) this.#transport.end();
      else if (flow.isClientPaused) this.#balance();
    };
    this.#answer(
      envelope,
      (more) => {
        bytes += more;
        flow.grow(more);
      },
      (ms) => {
        upstreamMs += ms;
      },
      (name) => {
        kind = name;
      },
    )
      .then(finish, (error: unknown) => {
        const proxyError = toProxyError(error);
        this.#log(proxyError);
        finish(errorReply(proxyError));
        if (endsConnection(proxyError, this.#phase === 'ready')) this.#transport.end();
      })
      .catch((error: unknown) => {
        // An answer that cannot be sent: its client would wait for ever, and all others must not end for it.
        this.#log(toProxyError(error));
        this.destroy();
      });
  }

  /** Only what an operator must know: defects, failed authentication of data and metadata, refused keys. */
  #log(error: ProxyError): void {
    const isNotable =
      error.code.startsWith('INTERNAL') ||
      error.code.startsWith('CIPHERTEXT') ||
      error.code.startsWith('METADATA') ||
      error.code.startsWith('KEY_') ||
      error.code.startsWith('LOGIN_');
    if (isNotable) {
      this.#options.services.logger.error(
        { err: error, peer: this.#transport.peer },
        'request failed',
      );
    }
  }

  async #answer(
    envelope: Envelope,
    onBytes: (more: number) => void,
    onUpstreamMs: (ms: number) => void,
    onKind: (kind: string) => void,
  ): Promise<Reply> {
    let { body } = envelope;
    if ((envelope.flags & HeaderFlag.COMPRESSION) !== 0) {
      body = this.#decompressed(body);
      onBytes(body.length);
    }
    switch (envelope.opcode) {
      case Opcode.OPTIONS:
        return reply(Opcode.SUPPORTED, this.#supported());
      case Opcode.STARTUP:
        return this.#startup(body);
      case Opcode.AUTH_RESPONSE:
        return this.#authenticate(body);
      case Opcode.REGISTER:
        return this.#register(body);
      default: {
        const session = this.#session;
        if (session === undefined) {
          throw new ProtocolError(
            'PROTOCOL_STATE',
            `Unexpected message ${requestName(envelope.opcode).toUpperCase()}, expecting STARTUP or OPTIONS`,
          );
        }
        if (this.#flow.inFlight > this.#options.limits.maxInFlightRequests * 4) {
          throw new OverloadError(
            'OVERLOAD_REQUESTS',
            'too many requests in flight on this connection',
          );
        }
        const prefix = decodeRequestPrefix({
          version: envelope.version,
          flags: envelope.flags,
          body,
        });
        return runRequest(session, {
          opcode: envelope.opcode,
          body: prefix.body,
          flags: envelope.flags & HeaderFlag.TRACING,
          onUpstreamMs,
          onKind,
        });
      }
    }
  }

  #decompressed(body: Buffer): Buffer {
    if (this.#compression === undefined) {
      throw new ProtocolError(
        'PROTOCOL_COMPRESSION',
        'a compressed message on a connection without compression',
      );
    }
    return decompressBody(this.#compression, body, this.#options.limits.maxFrameBytes);
  }

  #supported(): Buffer {
    return encodeSupported(
      new Map([
        ['CQL_VERSION', [this.#options.cqlVersion()]],
        ['COMPRESSION', [...COMPRESSION_ALGORITHMS]],
        ['PROTOCOL_VERSIONS', ['3/v3', '4/v4']],
      ]),
    );
  }

  async #startup(body: Buffer): Promise<Reply> {
    if (this.#phase !== 'new') {
      throw new ProtocolError(
        'PROTOCOL_STATE',
        'Unexpected message STARTUP, the connection is already initialized',
      );
    }
    const options = decodeStartup(body);
    const compression = options.get('COMPRESSION')?.toLowerCase();
    if (compression !== undefined && compression !== '') {
      const algorithm = COMPRESSION_ALGORITHMS.find((known) => known === compression);
      if (algorithm === undefined) {
        throw new ProtocolError(
          'PROTOCOL_COMPRESSION',
          'Unknown compression algorithm; supported are lz4 and snappy',
        );
      }
      this.#compression = algorithm;
    }
    this.#phase = 'answering';
    // Compression ends at the proxy: what goes to Cassandra is ciphertext, which does not compress.
    const upstreamOptions = new Map(options);
    upstreamOptions.delete('COMPRESSION');
    return this.#step(() => this.#login.start(upstreamOptions), 'new');
  }

  async #connect(): Promise<NodeConnection> {
    const { transport, node } = await this.#options.connect();
    const connection = new NodeConnection(
      transport,
      node,
      this.#version,
      this.#options.limits.maxFrameBytes * 8,
      {
        onEvent: () => undefined,
        onDrain: () => {
          this.#balance();
        },
        // Requests in flight are answered with an error first; then the driver connects anew.
        onClose: () => {
          this.drain();
        },
      },
      this.#options.clock,
    );
    if (this.#isClosed()) connection.close();
    this.#node = connection;
    this.#flow.setNode(connection);
    return connection;
  }

  #isClosed(): boolean {
    return this.#phase === 'closed';
  }

  #authenticate(body: Buffer): Promise<Reply> {
    if (this.#phase !== 'authenticating') {
      throw new ProtocolError('PROTOCOL_STATE', 'Unexpected message AUTH_RESPONSE');
    }
    this.#phase = 'answering';
    return this.#step(() => this.#login.respond(body), 'authenticating');
  }

  /** One step of the login. When it fails, the connection is where it was before. */
  async #step(run: () => Promise<LoginStep>, before: 'new' | 'authenticating'): Promise<Reply> {
    let next: LoginStep;
    try {
      next = await run();
    } catch (error) {
      if (!this.#isClosed()) this.#phase = before;
      throw error;
    }
    if (this.#isClosed()) return next.answer;
    this.#phase = next.state;
    if (next.state === 'ready') {
      this.#deadline.cancel();
      if (next.principal !== undefined) this.#options.leases.identify(next.principal);
      this.#session = this.#createSession(next.role);
    }
    return next.answer;
  }

  #createSession(role: string | undefined): Session {
    const { services, leases, hostId, schemaVersion } = this.#options;
    const { local } = this.#transport;
    return {
      services,
      version: this.#version,
      node: this.#node as NodeConnection,
      leases,
      rights: new MaskRights(role),
      identity: {
        listenAddress: local.address,
        listenPort: local.port,
        hostId,
        get schemaVersion(): Uint8Array {
          return schemaVersion();
        },
      },
      keyspace: undefined,
      knownMetadata: new Map(),
    };
  }

  #register(body: Buffer): Promise<Reply> {
    if (this.#phase !== 'ready') {
      throw new ProtocolError(
        'PROTOCOL_STATE',
        'Unexpected message REGISTER, expecting STARTUP or OPTIONS',
      );
    }
    const types = decodeRegister(body).map((type) => type.toUpperCase());
    const unknown = types.find((type) => !EVENT_TYPES.has(type));
    if (unknown !== undefined) {
      throw new ProtocolError('PROTOCOL_VALUE', 'Invalid value for an event type in REGISTER');
    }
    // Topology and status are those of the nodes behind the proxy; clients see one proxy.
    if (types.includes('SCHEMA_CHANGE')) this.#isRegistered = true;
    return Promise.resolve(reply(Opcode.READY, encodeReady()));
  }

  #send(streamId: number, answer: Reply): void {
    let { body } = answer;
    let flags = 0;
    if (answer.prefix !== undefined) {
      ({ body, flags } = encodeResponsePrefix(answer.prefix, body, this.#version));
    }
    this.#write(streamId, answer.opcode, flags, body);
  }

  #write(streamId: number, opcode: number, flags: number, body: Buffer): void {
    let sent = body;
    let sentFlags = flags;
    if (this.#compression !== undefined && body.length >= MIN_COMPRESSED_BYTES) {
      sent = compressBody(this.#compression, body);
      sentFlags |= HeaderFlag.COMPRESSION;
    }
    this.#transport.write(
      encodeEnvelope(
        { version: this.#version, isResponse: true, flags: sentFlags, streamId, opcode },
        sent,
      ),
    );
    if (this.#flow.isClientBehind) this.#balance();
  }

  #balance(): void {
    if (this.#phase !== 'closed') this.#flow.balance();
  }

  #closed(): void {
    if (this.#phase === 'closed') return;
    this.#phase = 'closed';
    this.#deadline.cancel();
    this.#node?.close();
    this.#options.leases.release();
    this.#options.onClose(this);
  }
}

/** A name from a fixed set: an opcode that does not exist must not make a metric of its own. */
function requestName(opcode: number): string {
  return opcodeName(opcode)?.toLowerCase() ?? 'unknown';
}
