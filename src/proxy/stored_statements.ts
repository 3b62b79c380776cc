import { createHash } from 'node:crypto';
import { CqlErrorCode, UpstreamError } from '../errors/index.ts';
import { encodeExecute, encodePrepare, Opcode } from '../wire/index.ts';
import type { ColumnSpec, Envelope, PreparedVariables, QueryOptions } from '../wire/index.ts';
import { decodeError, decodeResponsePrefix, decodeResult } from './cassandra_answer.ts';
import { RecentMap } from './recent_map.ts';
import type { NodeConnection } from './node_connection.ts';
import { CassandraError } from './reply.ts';

/** A statement prepared on a node. */
export interface StoredPrepared {
  readonly id: Buffer;
  readonly variables: PreparedVariables;
  readonly resultColumns: readonly ColumnSpec[];
}

/** Statements of one table version. */
type Versions = RecentMap<string, StoredPrepared | Promise<StoredPrepared>>;

/**
 * How often a statement is prepared again that Cassandra forgets at once. Its cache of prepared statements (Caffeine's W-TinyLFU) takes
 * a new one when it is full only if that was prepared more often than the one that would have to go was used; it counts to 15.
 */
export const PREPARE_ATTEMPTS = 16;

const TABLE_LIMIT = 4_000;
const STATEMENT_LIMIT = 2_000;

/**
 * The stored statements that are prepared on Cassandra, by node. An id is the same on all connections to a node, so one
 * PREPARE serves them all.
 */
export class StoredStatements {
  /** By node, table version and text: joined keys would be hashed anew for each request. */
  readonly #nodes = new Map<string, RecentMap<string, Versions>>();

  /**
   * The prepared form of `text`; PREPAREs it on the first use.
   *
   * @param version changes when the table changes, so that nothing prepared before is used after
   * @throws CassandraError with Cassandra's own answer when it refuses the statement
   */
  prepared(
    connection: NodeConnection,
    protocolVersion: number,
    version: string,
    text: string,
  ): StoredPrepared | Promise<StoredPrepared> {
    return (
      this.known(connection, version, text) ??
      this.#remembered(connection, version, text, prepare(connection, protocolVersion, text))
    );
  }

  /** The prepared form of `text`, if it was used before. */
  known(
    connection: NodeConnection,
    version: string,
    text: string,
  ): StoredPrepared | Promise<StoredPrepared> | undefined {
    return this.#of(connection, version).get(text);
  }

  /**
   * PREPAREs a statement so that its id ends with the version of its table: a comment makes the id one of this version
   * only, so no other proxy that has a newer catalog can bring it back to life after Cassandra dropped it; and `confirm`
   * makes sure, once it is prepared, that the version was still the current one.
   */
  prepareFenced(
    connection: NodeConnection,
    protocolVersion: number,
    version: string,
    text: string,
    confirm: () => Promise<void>,
  ): Promise<StoredPrepared> {
    const tag = createHash('sha256').update(version).digest('hex').slice(0, 16);
    const preparing = prepare(connection, protocolVersion, `${text} /* ${tag} */`).then(
      async (prepared) => {
        await confirm();
        return prepared;
      },
      async (error: unknown) => {
        // A column may be gone that this version still has: then the plan is old, not the statement wrong.
        await confirm();
        throw error;
      },
    );
    return this.#remembered(connection, version, text, preparing);
  }

  #remembered(
    connection: NodeConnection,
    version: string,
    text: string,
    preparing: Promise<StoredPrepared>,
  ): Promise<StoredPrepared> {
    const statements = this.#of(connection, version);
    const remembered = preparing.then(
      (prepared) => {
        statements.set(text, prepared);
        return prepared;
      },
      (error: unknown) => {
        statements.delete(text);
        throw error;
      },
    );
    statements.set(text, remembered);
    return remembered;
  }

  /** Forgets a statement that the node does not know any more. */
  forget(connection: NodeConnection, version: string, text: string): void {
    this.#of(connection, version).delete(text);
  }

  #of(connection: NodeConnection, version: string): Versions {
    let versions = this.#nodes.get(connection.node);
    if (versions === undefined) {
      versions = new RecentMap(TABLE_LIMIT);
      this.#nodes.set(connection.node, versions);
    }
    let statements = versions.get(version);
    if (statements === undefined) {
      statements = new RecentMap(STATEMENT_LIMIT);
      versions.set(version, statements);
    }
    return statements;
  }
}

async function prepare(
  connection: NodeConnection,
  version: number,
  text: string,
): Promise<StoredPrepared> {
  const envelope = await connection.request(Opcode.PREPARE, encodePrepare(text, version));
  const { body } = decodeResponsePrefix(envelope);
  if (envelope.opcode === Opcode.ERROR) throw new CassandraError(decodeError(body));
  if (envelope.opcode !== Opcode.RESULT) throw unexpected();
  const result = decodeResult(body, version);
  if (result.kind !== 'prepared') throw unexpected();
  // The id outlives the received chunk it is a view of.
  return {
    id: Buffer.from(result.prepared.id),
    variables: result.prepared.variables,
    resultColumns: result.prepared.resultMetadata.columns,
  };
}

function unexpected(): UpstreamError {
  return new UpstreamError('UPSTREAM_ANSWER', 'Cassandra answered PREPARE with something else');
}

/** Sends an EXECUTE. @returns the answer, or 'unprepared' when the node forgot the statement. */
export async function execute(
  connection: NodeConnection,
  version: number,
  prepared: StoredPrepared,
  options: QueryOptions,
  flags: number,
): Promise<Envelope | 'unprepared'> {
  const envelope = await connection.request(
    Opcode.EXECUTE,
    encodeExecute(prepared.id, options, version),
    flags,
  );
  return isUnprepared(envelope) ? 'unprepared' : envelope;
}

/** Whether an answer says that a prepared statement is not known. */
export function isUnprepared(envelope: Envelope): boolean {
  if (envelope.opcode !== Opcode.ERROR) return false;
  const { body } = decodeResponsePrefix(envelope);
  return decodeError(body).code === CqlErrorCode.UNPREPARED;
}
