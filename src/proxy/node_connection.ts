import { OverloadError, ProtocolError, UpstreamError } from '../errors/index.ts';
import type { Clock, TimerHandle } from '../util/index.ts';
import { encodeEnvelope, EnvelopeAssembler, Opcode } from '../wire/index.ts';
import type { Envelope } from '../wire/index.ts';
import type { Transport } from './transport.ts';

interface Pending {
  readonly resolve: (envelope: Envelope) => void;
  readonly reject: (error: unknown) => void;
}

/** What a {@link NodeConnection} tells its owner. */
export interface NodeConnectionHandlers {
  onEvent(envelope: Envelope): void;
  onDrain(): void;
  onClose(error: Error | undefined): void;
}

/** A node that says nothing for so long while something is asked of it is asked whether it is there, and has as long to answer. */
const SILENCE_MS = 10_000;
/** Highest stream id + 1. Spec: native_protocol_v4 2.3. */
const STREAM_IDS = 32_768;

/**
 * One connection to a Cassandra node, on which the proxy owns the stream ids. Requests are answered in any order.
 */
export class NodeConnection {
  /** `host:port` of the node. */
  readonly node: string;
  readonly #transport: Transport;
  readonly #version: number;
  readonly #assembler: EnvelopeAssembler;
  readonly #pending: (Pending | undefined)[] = [];
  readonly #freeIds: number[] = [];
  readonly #clock: Clock;
  #closed = false;
  #isPaused = false;
  #hasSpoken = false;
  #isProbed = false;
  #silence: TimerHandle | undefined;

  constructor(
    transport: Transport,
    node: string,
    version: number,
    maxBodyBytes: number,
    handlers: NodeConnectionHandlers,
    clock: Clock,
  ) {
    this.node = node;
    this.#transport = transport;
    this.#version = version;
    this.#clock = clock;
    this.#assembler = new EnvelopeAssembler({
      maxBodyBytes,
      direction: 'response',
      // An error about the version itself carries the node's own highest version.
      acceptVersion: () => true,
    });
    transport.setHandlers({
      onData: (chunk) => {
        this.#receive(chunk, handlers);
      },
      onDrain: () => {
        handlers.onDrain();
      },
      onClose: (error) => {
        this.#fail(error);
        handlers.onClose(error);
      },
    });
  }

  /** Requests without an answer yet. */
  get inFlight(): number {
    return this.#pending.length - this.#freeIds.length;
  }

  /** Bytes the node has not taken yet. */
  get bufferedBytes(): number {
    return this.#transport.bufferedBytes;
  }

  /**
   * Sends a request and resolves with the answer, ERROR included.
   *
   * @throws UpstreamError when the connection is lost before the answer, OverloadError when no stream id is free.
   */
  request(opcode: number, body: Uint8Array, flags = 0): Promise<Envelope> {
    return new Promise((resolve, reject) => {
      if (this.#closed) {
        reject(this.#lost());
        return;
      }
      const streamId = this.#freeIds.pop() ?? this.#pending.length;
      if (streamId >= STREAM_IDS) {
        reject(
          new OverloadError(
            'OVERLOAD_STREAM_IDS',
            'too many requests wait for Cassandra on this connection',
          ),
        );
        return;
      }
      this.#pending[streamId] = { resolve, reject };
      if (this.#silence === undefined) this.#listen();
      this.#transport.write(
        encodeEnvelope(
          { version: this.#version, isResponse: false, flags, streamId, opcode },
          body,
        ),
      );
    });
  }

  /** Stops reading answers until {@link resume}: the client does not take them fast enough. */
  pause(): void {
    this.#isPaused = true;
    this.#transport.pause();
  }

  /** Reads answers again. */
  resume(): void {
    this.#isPaused = false;
    this.#transport.resume();
  }

  /** Closes the connection; requests without an answer fail. */
  close(): void {
    this.#transport.destroy();
    this.#fail(undefined);
  }

  #listen(): void {
    this.#hasSpoken = false;
    this.#silence = this.#clock.after(SILENCE_MS, () => {
      this.#silence = undefined;
      this.#judgeSilence();
    });
  }

  /** A node that lost its power, or its network, closes nothing: without this, requests would wait until TCP gives up. */
  #judgeSilence(): void {
    if (this.#closed || this.inFlight === 0) return;
    if (this.#hasSpoken || this.#isPaused) {
      this.#isProbed = false;
      this.#listen();
      return;
    }
    if (this.#isProbed) {
      this.#transport.destroy();
      this.#fail(new Error(`no answer for ${String(2 * SILENCE_MS)} ms`));
      return;
    }
    this.#isProbed = true;
    // Any answer will do.
    this.request(Opcode.OPTIONS, Buffer.alloc(0)).catch(() => undefined);
    if (this.#silence === undefined) this.#listen();
  }

  #receive(chunk: Buffer, handlers: NodeConnectionHandlers): void {
    this.#hasSpoken = true;
    try {
      for (const envelope of this.#assembler.push(chunk)) {
        if (envelope.streamId < 0) handlers.onEvent(envelope);
        else this.#settle(envelope);
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#transport.destroy();
      this.#fail(error);
    }
  }

  #settle(envelope: Envelope): void {
    const pending = this.#pending[envelope.streamId];
    if (pending === undefined) {
      throw new ProtocolError(
        'PROTOCOL_STREAM_ID',
        'Cassandra answered a request that was not sent',
      );
    }
    this.#pending[envelope.streamId] = undefined;
    this.#freeIds.push(envelope.streamId);
    pending.resolve(envelope);
  }

  #fail(cause: unknown): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#silence?.cancel();
    for (const pending of this.#pending) pending?.reject(this.#lost(cause));
    this.#pending.length = 0;
    this.#freeIds.length = 0;
  }

  #lost(cause?: unknown): UpstreamError {
    return new UpstreamError(
      'UPSTREAM_CONNECTION_LOST',
      `the connection to Cassandra (${this.node}) was lost; whether the request was executed is unknown`,
      { cause },
    );
  }
}
