import { preparedStatementId } from '../crypto/index.ts';
import type { ParsedStatement } from '../cql/index.ts';
import type { Snapshot } from '../schema/index.ts';
import type { Compiled } from './compile.ts';
import { LruMap } from './lru.ts';

/** A statement a client prepared. */
export interface PreparedEntry {
  readonly id: Buffer;
  readonly text: string;
  readonly keyspace: string | undefined;
  readonly parsed: ParsedStatement;
  compiled: Compiled;
  /** Fingerprint of what PREPARE told the client of the result. */
  resultFingerprint: string;
  variablesFingerprint: string;
}

const PREPARED_LIMIT = 10_000;
const LITERAL_LIMIT = 2_000;

/**
 * The statements of all connections: prepared ones by id, literal ones by keyspace and shape, so that a plan is made once
 * for all constants.
 */
export class StatementCache {
  readonly #prepared = new LruMap<string, PreparedEntry>(PREPARED_LIMIT);
  readonly #literal = new LruMap<string, Compiled>(LITERAL_LIMIT);

  /** The id of a statement: the same on every proxy. */
  idOf(keyspace: string | undefined, text: string): Buffer {
    return preparedStatementId(keyspace, text);
  }

  /** A prepared statement by its id in hex. */
  prepared(id: string): PreparedEntry | undefined {
    return this.#prepared.get(id);
  }

  /** Remembers a prepared statement. */
  setPrepared(entry: PreparedEntry): void {
    this.#prepared.set(entry.id.toString('hex'), entry);
  }

  /** Forgets a prepared statement: the client has to prepare it again. */
  forgetPrepared(entry: PreparedEntry): void {
    this.#prepared.delete(entry.id.toString('hex'));
  }

  /** The plan for literal statements of a shape, if it is still current. */
  literal(keyspace: string | undefined, shape: string, snapshot: Snapshot): Compiled | undefined {
    const compiled = this.#literal.get(literalKey(keyspace, shape));
    return compiled !== undefined && isCurrent(compiled, snapshot) ? compiled : undefined;
  }

  /** Remembers the plan for a shape. Plans that belong to a connection or have no values are not worth it. */
  setLiteral(keyspace: string | undefined, shape: string, compiled: Compiled): void {
    if (compiled.kind === 'select' || compiled.kind === 'write' || compiled.kind === 'batch') {
      this.#literal.set(literalKey(keyspace, shape), compiled);
    }
  }
}

function literalKey(keyspace: string | undefined, shape: string): string {
  return `${keyspace ?? ''}\0${shape}`;
}

/** Whether the tables a plan was made for are still the same. */
export function isCurrent(compiled: Compiled, snapshot: Snapshot): boolean {
  switch (compiled.kind) {
    case 'select':
    case 'write': {
      const { table } = compiled.plan;
      return snapshot.failure === undefined && snapshot.table(table.keyspace, table.name) === table;
    }
    case 'batch':
      return (
        snapshot.failure === undefined &&
        compiled.plans.every(({ table }) => snapshot.table(table.keyspace, table.name) === table)
      );
    case 'virtual':
    case 'forward':
    case 'statement':
      return false;
  }
}
