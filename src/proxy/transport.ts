/** What a connection is told by its transport. */
export interface TransportHandlers {
  /** Received bytes; the receiver may keep views of them. */
  onData(chunk: Buffer): void;
  /** The peer took what was buffered: there is room again. */
  onDrain(): void;
  /** The connection is gone; called once. */
  onClose(error: Error | undefined): void;
}

/** Who a client is by its certificate, which a CA of the settings vouches for. */
export interface ClientCertificate {
  /** CN of the subject, if there is exactly one. */
  readonly commonName: string | undefined;
  /** As `DNS:name`, `URI:name`, `email:name`, `IP Address:address`. */
  readonly altNames: readonly string[];
  /** SHA-256 of the certificate, hexadecimal, lower case. */
  readonly fingerprint: string;
}

/** A byte stream in both directions. Implemented over sockets by net; tests use one in memory. */
export interface Transport {
  /** `address:port` of the peer, for logs. */
  readonly peer: string;
  /** The address and port on this side, as the peer reached it. */
  readonly local: { readonly address: string; readonly port: number };
  /** The client's, verified; undefined where it showed none, or on another side. */
  readonly certificate?: ClientCertificate | undefined;
  /** Bytes that were written but not yet taken by the peer. */
  readonly bufferedBytes: number;
  setHandlers(handlers: TransportHandlers): void;
  /** Queues bytes; all that is written in one turn of the event loop leaves together. */
  write(chunk: Uint8Array): void;
  /** Stops reading until {@link resume}; the peer is held back by TCP. */
  pause(): void;
  resume(): void;
  /** Sends what is queued, then closes. */
  end(): void;
  /** Closes at once. */
  destroy(): void;
}

/** Opens a connection to a Cassandra node. @throws UpstreamError when it cannot be reached. */
export type Connector = (host: string, port: number) => Promise<Transport>;
