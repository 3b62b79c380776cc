import { AuthenticationError, ProtocolError, UpstreamError } from '../errors/index.ts';
import {
  decodeError,
  decodeResponsePrefix,
  encodeAuthenticate,
  encodeAuthResponse,
  encodeAuthSuccess,
  encodeReady,
  encodeStartup,
  Opcode,
} from '../wire/index.ts';
import type { Envelope } from '../wire/index.ts';
import type { Authenticator, VerifiedClient } from './authenticator.ts';
import type { NodeConnection } from './node_connection.ts';
import { plainLogin, plainToken, UNKNOWN_USER } from './plain_user.ts';
import { forwarded, reply } from './reply.ts';
import type { Reply } from './reply.ts';
import type { Transport } from './transport.ts';

/** As Cassandra names its own, so that drivers answer with user and password. */
const PASSWORD_AUTHENTICATOR = 'org.apache.cassandra.auth.PasswordAuthenticator';
const BAD_CREDENTIALS = 0x0100;

/** What a step of a login came to. */
export interface LoginStep {
  readonly answer: Reply;
  /** Who has come in; undefined: nobody yet, or nobody asked (`anonymous`). */
  readonly principal: string | undefined;
  /** The role it is in Cassandra; undefined: nobody yet, nobody asked, or it logged in by another way than SASL PLAIN. */
  readonly role?: string | undefined;
  readonly state: 'ready' | 'authenticating' | 'new';
}

/** What a login works with. */
export interface LoginPorts {
  readonly authenticator: Authenticator;
  readonly transport: Transport;
  /** Opens the client's own connection to Cassandra. */
  readonly connect: () => Promise<NodeConnection>;
  readonly loggedIn: (client: VerifiedClient) => void;
}

/**
 * The way of one client in. Delegated: Cassandra's questions and the client's answers are passed on. Else the proxy verifies
 * the client first, and Cassandra is not even connected to before.
 */
export class ClientLogin {
  readonly #ports: LoginPorts;
  #isChallenged = false;
  readonly #address: string;
  #startup: ReadonlyMap<string, string> = new Map();
  #node: NodeConnection | undefined;
  /** By its certificate. */
  #client: VerifiedClient | undefined;

  constructor(ports: LoginPorts) {
    this.#ports = ports;
    this.#address = ports.transport.peer.replace(/:\d+$/, '');
  }

  /** Answers STARTUP. `options` are those for Cassandra. */
  async start(options: ReadonlyMap<string, string>): Promise<LoginStep> {
    const { authenticator, transport } = this.#ports;
    this.#startup = options;
    if (authenticator.mode === 'password') {
      const answer = reply(Opcode.AUTHENTICATE, encodeAuthenticate(PASSWORD_AUTHENTICATOR));
      return { answer, principal: undefined, state: 'authenticating' };
    }
    if (authenticator.mode === 'certificate') {
      this.#client = this.#judged(transport.certificate?.commonName ?? UNKNOWN_USER, () =>
        authenticator.verifyCertificate(transport.certificate),
      );
      if (this.#client.cassandraPassword !== undefined) {
        await this.#loginAs(this.#client, this.#client.cassandraPassword);
        return { ...this.#comeIn(this.#client), answer: reply(Opcode.READY, encodeReady()) };
      }
    }
    this.#node ??= await this.#ports.connect();
    const answer = await this.#node.request(Opcode.STARTUP, encodeStartup(options));
    return this.#passedOn(answer, undefined, 'new');
  }

  /** Answers AUTH_RESPONSE. `body` is that of the message. */
  async respond(body: Buffer): Promise<LoginStep> {
    const { authenticator } = this.#ports;
    const login = plainLogin(body);
    if (authenticator.mode === 'password') {
      if (login === undefined) {
        throw new AuthenticationError(
          'LOGIN_REFUSED',
          'a user name and a password are needed (SASL PLAIN)',
        );
      }
      const client = await this.#verified(login.user, login.password);
      await this.#loginAs(client, client.cassandraPassword ?? login.password);
      const answer = reply(Opcode.AUTH_SUCCESS, encodeAuthSuccess(null));
      return { ...this.#comeIn(client), answer };
    }
    const node = this.#node;
    if (node === undefined) {
      throw new ProtocolError('PROTOCOL_STATE', 'Unexpected message AUTH_RESPONSE');
    }
    if (this.#client !== undefined && login?.user !== this.#client.cassandraRole) {
      throw new AuthenticationError(
        'LOGIN_REFUSED',
        `the certificate is that of role ${this.#client.name}, which logs in as ${this.#client.cassandraRole} and as nobody else`,
      );
    }
    const user = login?.user ?? UNKNOWN_USER;
    authenticator.admit(user, this.#address);
    const answer = await node.request(Opcode.AUTH_RESPONSE, body);
    const isRefused = answer.opcode === Opcode.ERROR && isBadCredentials(answer);
    if (isRefused || answer.opcode === Opcode.AUTH_SUCCESS) {
      authenticator.ended(user, this.#address, !isRefused);
    }
    return this.#passedOn(answer, user, 'authenticating');
  }

  /** What Cassandra's answer means where it is passed on. */
  #passedOn(
    answer: Envelope,
    user: string | undefined,
    before: 'new' | 'authenticating',
  ): LoginStep {
    switch (answer.opcode) {
      case Opcode.READY:
      case Opcode.AUTH_SUCCESS: {
        if (this.#client !== undefined) {
          return { ...this.#comeIn(this.#client), answer: forwarded(answer) };
        }
        // A name in the last of several answers may be anything.
        const role = user === UNKNOWN_USER || this.#isChallenged ? undefined : user;
        return { answer: forwarded(answer), principal: user, role, state: 'ready' };
      }
      case Opcode.AUTHENTICATE:
      case Opcode.AUTH_CHALLENGE:
        if (answer.opcode === Opcode.AUTH_CHALLENGE) this.#isChallenged = true;
        return { answer: forwarded(answer), principal: undefined, state: 'authenticating' };
      default:
        return { answer: forwarded(answer), principal: undefined, state: before };
    }
  }

  async #verified(user: string, password: string): Promise<VerifiedClient> {
    const { authenticator } = this.#ports;
    authenticator.admit(user, this.#address);
    try {
      return await authenticator.verifyPassword(user, password);
    } catch (error) {
      if (error instanceof AuthenticationError) authenticator.ended(user, this.#address, false);
      throw error;
    }
  }

  #judged(user: string, verify: () => VerifiedClient): VerifiedClient {
    const { authenticator } = this.#ports;
    authenticator.admit(user, this.#address);
    try {
      return verify();
    } catch (error) {
      if (error instanceof AuthenticationError) authenticator.ended(user, this.#address, false);
      throw error;
    }
  }

  #comeIn(client: VerifiedClient): {
    readonly principal: string;
    readonly role: string;
    readonly state: 'ready';
  } {
    this.#ports.authenticator.ended(client.name, this.#address, true);
    this.#ports.loggedIn(client);
    return { principal: client.name, role: client.cassandraRole, state: 'ready' };
  }

  /** Logs in on Cassandra for a client that the proxy has verified. */
  async #loginAs(client: VerifiedClient, password: string): Promise<void> {
    this.#node ??= await this.#ports.connect();
    const node = this.#node;
    let answer = await node.request(Opcode.STARTUP, encodeStartup(this.#startup));
    if (answer.opcode === Opcode.AUTHENTICATE) {
      const token = plainToken(client.cassandraRole, password);
      answer = await node.request(Opcode.AUTH_RESPONSE, encodeAuthResponse(token));
    }
    if (answer.opcode === Opcode.READY || answer.opcode === Opcode.AUTH_SUCCESS) return;
    node.close();
    this.#node = undefined;
    if (answer.opcode === Opcode.ERROR && isBadCredentials(answer)) {
      throw new AuthenticationError(
        'LOGIN_CASSANDRA',
        `the proxy knows role ${client.name}, but Cassandra refuses the password of its role ${client.cassandraRole}: set the same one in both`,
      );
    }
    throw new UpstreamError('UPSTREAM_ANSWER', 'Cassandra answered a login with something else');
  }
}

function isBadCredentials(answer: Envelope): boolean {
  return decodeError(decodeResponsePrefix(answer).body).code === BAD_CREDENTIALS;
}
