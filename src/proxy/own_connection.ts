import { UpstreamError } from '../errors/index.ts';
import type { Clock } from '../util/index.ts';
import { encodeStartup, Opcode, Writer } from '../wire/index.ts';
import type { Envelope } from '../wire/index.ts';
import { decodeError, decodeResponsePrefix } from './cassandra_answer.ts';
import { NodeConnection } from './node_connection.ts';
import type { Connector } from './transport.ts';

/** What the proxy's own connections log in with; nothing where Cassandra asks for nothing. */
export interface OwnRole {
  readonly username: string | undefined;
  readonly password: string | undefined;
}

/**
 * Connections to nodes with the proxy's own role, for the steps of a client's request that the client's role may not take
 * although it may make the request. One for each node and protocol version, opened at the first use and kept.
 */
export class OwnConnections {
  readonly #connector: Connector;
  readonly #role: OwnRole;
  readonly #maxBodyBytes: number;
  readonly #clock: Clock;
  readonly #open = new Map<string, Promise<NodeConnection>>();

  constructor(connector: Connector, role: OwnRole, maxBodyBytes: number, clock: Clock) {
    this.#connector = connector;
    this.#role = role;
    this.#maxBodyBytes = maxBodyBytes;
    this.#clock = clock;
  }

  /**
   * The connection to a node.
   * @param node `host:port`
   * @throws UpstreamError when it cannot be reached or refuses the login
   */
  to(node: string, version: number): Promise<NodeConnection> {
    const key = `${node} ${String(version)}`;
    const known = this.#open.get(key);
    if (known !== undefined) return known;
    const opening: Promise<NodeConnection> = this.#connect(node, version, () => {
      this.#forget(key, opening);
    });
    this.#open.set(key, opening);
    opening.catch(() => {
      this.#forget(key, opening);
    });
    return opening;
  }

  /** Closes all of them. */
  async close(): Promise<void> {
    const all = [...this.#open.values()];
    this.#open.clear();
    for (const opening of all) {
      const connection = await opening.catch(() => undefined);
      connection?.close();
    }
  }

  #forget(key: string, opening: Promise<NodeConnection>): void {
    if (this.#open.get(key) === opening) this.#open.delete(key);
  }

  async #connect(node: string, version: number, onClose: () => void): Promise<NodeConnection> {
    const colon = node.lastIndexOf(':');
    const transport = await this.#connector(node.slice(0, colon), Number(node.slice(colon + 1)));
    const handlers = { onEvent: () => undefined, onDrain: () => undefined, onClose };
    const connection = new NodeConnection(
      transport,
      node,
      version,
      this.#maxBodyBytes,
      handlers,
      this.#clock,
    );
    try {
      await this.#logIn(connection);
      return connection;
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  async #logIn(connection: NodeConnection): Promise<void> {
    const startup = encodeStartup(new Map([['CQL_VERSION', '3.0.0']]));
    let answer = await connection.request(Opcode.STARTUP, startup);
    if (answer.opcode === Opcode.AUTHENTICATE) {
      const { username = '', password = '' } = this.#role;
      const token = new Writer(64);
      token.writeBytes(Buffer.from(`\0${username}\0${password}`, 'utf8'));
      answer = await connection.request(Opcode.AUTH_RESPONSE, token.toBuffer());
    }
    if (answer.opcode === Opcode.READY || answer.opcode === Opcode.AUTH_SUCCESS) return;
    throw new UpstreamError(
      'UPSTREAM_CONTROL',
      `Cassandra (${connection.node}) refuses the login of the proxy's own role: ${reason(answer)}`,
    );
  }
}

function reason(answer: Envelope): string {
  if (answer.opcode !== Opcode.ERROR) return 'it answered something else';
  return decodeError(decodeResponsePrefix(answer).body).message;
}
