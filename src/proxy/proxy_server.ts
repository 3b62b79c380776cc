import { OverloadError, toProxyError } from '../errors/index.ts';
import type { KeyService } from '../keys/index.ts';
import type { Snapshot } from '../schema/index.ts';
import type { Clock } from '../util/index.ts';
import { schemaVersionOf } from '../system/index.ts';
import type { Authenticator } from './authenticator.ts';
import { ClientConnection } from './client_connection.ts';
import { schemaChanges } from './events.ts';
import type { SharedServices } from './session.ts';
import type { Connector, Transport } from './transport.ts';

/** What the proxy serves its clients with. */
export interface ProxyServerOptions {
  readonly services: SharedServices;
  readonly keys: KeyService;
  readonly connector: Connector;
  readonly authenticator: Authenticator;
  /** Nodes of Cassandra; each new client connection takes the next one that answers. */
  readonly contactPoints: readonly { readonly host: string; readonly port: number }[];
  readonly hostId: Uint8Array;
  readonly cqlVersion: () => string;
  readonly clock: Clock;
  readonly limits: {
    readonly maxFrameBytes: number;
    readonly maxInFlightRequests: number;
    readonly loginTimeoutMs: number;
    readonly maxConnections: number;
  };
}

/** All client connections of a process. */
export class ProxyServer {
  readonly #options: ProxyServerOptions;
  readonly #connections = new Set<ClientConnection>();
  readonly #stopListening: () => void;
  #isStopping = false;
  #nextNode = 0;
  #lastSnapshot: Snapshot;
  #schemaVersion: { readonly of: Snapshot; readonly bytes: Uint8Array } | undefined;

  constructor(options: ProxyServerOptions) {
    this.#options = options;
    const { catalog } = options.services;
    this.#lastSnapshot = catalog.snapshot();
    this.#stopListening = catalog.onChange((snapshot) => {
      const before = this.#lastSnapshot;
      this.#lastSnapshot = snapshot;
      for (const change of schemaChanges(before, snapshot)) {
        for (const connection of this.#connections) connection.schemaChanged(change);
      }
    });
  }

  /** Number of open client connections. */
  get connectionCount(): number {
    return this.#connections.size;
  }

  /** Serves a new client. */
  accept(transport: Transport): void {
    const { services, keys, authenticator, hostId, cqlVersion, clock, limits } = this.#options;
    if (this.#isStopping || this.#connections.size >= limits.maxConnections) {
      transport.destroy();
      return;
    }
    services.metrics.addClientConnections(1);
    const connection = new ClientConnection(transport, {
      services,
      leases: keys.leases(),
      authenticator,
      connect: () => this.#connect(),
      hostId,
      cqlVersion,
      schemaVersion: () => this.#currentSchemaVersion(),
      limits,
      clock,
      onClose: (closed) => {
        if (this.#connections.delete(closed)) services.metrics.addClientConnections(-1);
      },
    });
    this.#connections.add(connection);
  }

  /** Cuts the connections of roles that may not come in any more. */
  disconnect(roles: ReadonlySet<string>): void {
    for (const connection of [...this.#connections]) {
      const { verifiedRole } = connection;
      if (verifiedRole !== undefined && roles.has(verifiedRole)) connection.destroy();
    }
  }

  /** Lets requests in flight end, then closes all connections; those left after `timeoutMs` are cut. */
  async stop(timeoutMs: number, wait: (ms: number) => Promise<void>): Promise<void> {
    this.#isStopping = true;
    this.#stopListening();
    for (const connection of this.#connections) connection.drain();
    const step = 25;
    for (let waited = 0; waited < timeoutMs && this.#connections.size > 0; waited += step) {
      await wait(step);
    }
    for (const connection of this.#connections) connection.destroy();
  }

  async #connect(): Promise<{ readonly transport: Transport; readonly node: string }> {
    const { contactPoints, connector } = this.#options;
    let failure: Error | undefined;
    for (let attempt = 0; attempt < contactPoints.length; attempt++) {
      const point = contactPoints[this.#nextNode++ % contactPoints.length];
      if (point === undefined) continue;
      try {
        const transport = await connector(point.host, point.port);
        return { transport, node: `${point.host}:${String(point.port)}` };
      } catch (error) {
        failure = toProxyError(error);
      }
    }
    throw failure ?? new OverloadError('OVERLOAD_NO_NODE', 'no node of Cassandra is configured');
  }

  #currentSchemaVersion(): Uint8Array {
    const snapshot = this.#options.services.catalog.snapshot();
    if (this.#schemaVersion?.of !== snapshot) {
      this.#schemaVersion = { of: snapshot, bytes: schemaVersionOf(snapshot) };
    }
    return this.#schemaVersion.bytes;
  }
}
