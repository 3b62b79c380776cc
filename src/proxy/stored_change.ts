import { CqlErrorCode, InternalError } from '../errors/index.ts';
import type { Envelope } from '../wire/index.ts';
import { ask } from './ask.ts';
import type { Asked } from './ask.ts';
import { CassandraError, forwarded } from './reply.ts';
import type { Reply } from './reply.ts';
import { storedOptions } from './run_stored.ts';
import type { RequestContext, Session } from './session.ts';

/** Executes stored schema statements on the client's connection and keeps the last answer. */
export class StoredChange {
  readonly #session: Session;
  /** What the statements are run for. */
  readonly request: RequestContext;
  #answer: Envelope | undefined;

  constructor(session: Session, request: RequestContext) {
    this.#session = session;
    this.request = request;
  }

  /** Whether a statement was executed. */
  get hasRun(): boolean {
    return this.#answer !== undefined;
  }

  /** @throws CassandraError with Cassandra's refusal. */
  async run(text: string): Promise<'created' | 'exists'> {
    const { envelope, result } = await this.#ask(text);
    this.#answer = envelope;
    return result.kind === 'void' ? 'exists' : 'created';
  }

  /** Runs a read of which nothing but its permission matters. @throws CassandraError with Cassandra's refusal. */
  async read(text: string): Promise<void> {
    await this.#ask(text);
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

  #ask(text: string): Promise<Asked> {
    const options = storedOptions(this.request.options, []);
    return ask(this.#session, text, options, this.request);
  }
}
