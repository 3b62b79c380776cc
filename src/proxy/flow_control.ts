import type { NodeConnection } from './node_connection.ts';
import type { Transport } from './transport.ts';

/** Bytes of requests in flight above which a client is not read. */
const MAX_IN_FLIGHT_BYTES = 64 * 1024 * 1024;
/** Bytes a peer has not taken above which the other side is not read. */
const MAX_BUFFERED_BYTES = 4 * 1024 * 1024;

/** Counts what is in flight on a client connection, and reads each of its sides only while the other one takes what comes. */
export class FlowControl {
  readonly #client: Transport;
  readonly #maxInFlightRequests: number;
  #node: NodeConnection | undefined;
  #inFlight = 0;
  #inFlightBytes = 0;
  #isDraining = false;
  #isClientPaused = false;
  #isNodePaused = false;

  constructor(client: Transport, maxInFlightRequests: number) {
    this.#client = client;
    this.#maxInFlightRequests = maxInFlightRequests;
  }

  /** Requests that are not answered yet. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** The client is not read: who makes room has to {@link balance}. */
  get isClientPaused(): boolean {
    return this.#isClientPaused;
  }

  /** Whether no more requests are taken and all are answered. */
  get isDrained(): boolean {
    return this.#isDraining && this.#inFlight === 0;
  }

  /** Whether the client does not take its answers fast enough. */
  get isClientBehind(): boolean {
    return this.#client.bufferedBytes > MAX_BUFFERED_BYTES;
  }

  /** The other side, once it is there. */
  setNode(node: NodeConnection): void {
    this.#node = node;
    this.#isNodePaused = false;
  }

  begin(bytes: number): void {
    this.#inFlight++;
    this.#inFlightBytes += bytes;
  }

  /** A request takes more memory than was counted for it. */
  grow(bytes: number): void {
    this.#inFlightBytes += bytes;
  }

  end(bytes: number): void {
    this.#inFlight--;
    this.#inFlightBytes -= bytes;
  }

  /** Reads no more of the client. */
  drain(): void {
    this.#isDraining = true;
    this.balance();
  }

  /** Pauses and resumes both sides as it is needed now. */
  balance(): void {
    const { isClientBehind } = this;
    const isClientTooFast =
      this.#isDraining ||
      this.#inFlight >= this.#maxInFlightRequests ||
      this.#inFlightBytes >= MAX_IN_FLIGHT_BYTES ||
      (this.#node?.bufferedBytes ?? 0) > MAX_BUFFERED_BYTES ||
      isClientBehind;
    if (isClientTooFast !== this.#isClientPaused) {
      this.#isClientPaused = isClientTooFast;
      if (isClientTooFast) this.#client.pause();
      else this.#client.resume();
    }
    if (isClientBehind !== this.#isNodePaused && this.#node !== undefined) {
      this.#isNodePaused = isClientBehind;
      if (isClientBehind) this.#node.pause();
      else this.#node.resume();
    }
  }
}
