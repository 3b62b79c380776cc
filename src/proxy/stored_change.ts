import { CqlErrorCode, InternalError } from '../errors/index.ts';
import { encodeQuery, Opcode } from '../wire/index.ts';
import type { Envelope } from '../wire/index.ts';
import { decodeError, decodeResponsePrefix, decodeResult } from './cassandra_answer.ts';
import { CassandraError, forwarded } from './reply.ts';
import type { Reply } from './reply.ts';
import { storedOptions } from './run_stored.ts';
import type { RequestContext, Session } from './session.ts';

/** Executes stored schema statements on the client's connection and keeps the last answer. */
export class StoredChange {
  readonly #session: Session;
  readonly #request: RequestContext;
  #answer: Envelope | undefined;

  constructor(session: Session, request: RequestContext) {
    this.#session = session;
    this.#request = request;
  }

  /** Whether a statement was executed. */
  get hasRun(): boolean {
    return this.#answer !== undefined;
  }

  /** @throws CassandraError with Cassandra's refusal. */
  async run(text: string): Promise<'created' | 'exists'> {
    const envelope = await this.#send(text);
    this.#answer = envelope;
    const { body } = decodeResponsePrefix(envelope);
    return decodeResult(body, this.#session.version).kind === 'void' ? 'exists' : 'created';
  }

  /** Runs a read of which nothing but its permission matters. @throws CassandraError with Cassandra's refusal. */
  async read(text: string): Promise<void> {
    await this.#send(text);
  }

  /** Runs a statement that is made to fail on `name`; any other failure is the client's answer. */
  async probe(text: string, name: string): Promise<'allowed' | 'exists'> {
    try {
      if ((await this.run(text)) === 'exists') return 'exists';
    } catch (error) {
      const isExpected =
        error instanceof CassandraError &&
        (error.cqlCode === CqlErrorCode.INVALID || error.cqlCode === CqlErrorCode.SYNTAX_ERROR) &&
        error.message.includes(name);
      if (isExpected) return 'allowed';
      throw error;
    }
    throw new InternalError('Cassandra executed a statement that was made to fail');
  }

  reply(): Reply {
    if (this.#answer === undefined) throw new InternalError('a schema change without an answer');
    return forwarded(this.#answer);
  }

  async #send(text: string): Promise<Envelope> {
    const { version, node } = this.#session;
    const started = performance.now();
    const envelope = await node.request(
      Opcode.QUERY,
      encodeQuery(text, storedOptions(this.#request.options, []), version),
      this.#request.flags,
    );
    this.#request.onUpstreamMs(performance.now() - started);
    const { body, ...prefix } = decodeResponsePrefix(envelope);
    if (envelope.opcode === Opcode.ERROR) throw new CassandraError(decodeError(body), prefix);
    return envelope;
  }
}
