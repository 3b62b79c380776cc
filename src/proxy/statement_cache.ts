import { preparedStatementId } from '../crypto/index.ts';
import type { ParsedStatement } from '../cql/index.ts';
import type { Snapshot } from '../schema/index.ts';
import type { Compiled } from './compile.ts';
import { RecentMap } from './recent_map.ts';

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

/** The key under which a statement id is looked up. */
export function idKey(id: Buffer): string {
  return id.toString('latin1');
}

const PREPARED_LIMIT = 10_000;
/** In place of a fingerprint: clients were told different ones. */
const CHANGED = 'changed';
const LITERAL_LIMIT = 2_000;
const LITERAL_KEYSPACES = 100;

/**
 * The statements of all connections: prepared ones by id, literal ones by keyspace and shape, so that a plan is made once
 * for all constants.
 */
export class StatementCache {
  readonly #prepared = new RecentMap<string, PreparedEntry>(PREPARED_LIMIT);
  /** Fingerprints of results by statement id, kept longer than the statements. */
  readonly #told = new RecentMap<string, string>(4 * PREPARED_LIMIT);
  /** By keyspace, then shape: joined keys would be hashed anew for each request. */
  readonly #literal = new RecentMap<string, RecentMap<string, Compiled>>(LITERAL_KEYSPACES);

  /** The id of a statement: the same on every proxy. */
  idOf(keyspace: string | undefined, text: string): Buffer {
    return preparedStatementId(keyspace, text);
  }

  /** A prepared statement by its {@link idKey}. */
  prepared(id: string): PreparedEntry | undefined {
    return this.#prepared.get(id);
  }

  /** Remembers a prepared statement. */
  setPrepared(entry: PreparedEntry): void {
    const key = idKey(entry.id);
    const told = this.#told.get(key);
    if (told === undefined) this.#told.set(key, entry.resultFingerprint);
    else if (told !== entry.resultFingerprint) this.#told.set(key, CHANGED);
    this.#prepared.set(key, entry);
  }

  /**
   * Whether all clients that prepared a statement were told the same of its result. Drivers share a statement between
   * connections and some keep what they were told first, so after a change metadata goes with all rows.
   */
  isUnchanged(id: string): boolean {
    return this.#told.get(id) !== CHANGED;
  }

  /** Forgets a prepared statement: the client has to prepare it again. */
  forgetPrepared(entry: PreparedEntry): void {
    this.#prepared.delete(idKey(entry.id));
  }

  /** The plan for literal statements of a shape, if it is still current. */
  literal(keyspace: string | undefined, shape: string, snapshot: Snapshot): Compiled | undefined {
    const compiled = this.#literal.get(keyspace ?? '')?.get(shape);
    return compiled !== undefined && isCurrent(compiled, snapshot) ? compiled : undefined;
  }

  /** Remembers the plan for a shape. Plans that belong to a connection or have no values are not worth it. */
  setLiteral(keyspace: string | undefined, shape: string, compiled: Compiled): void {
    const isKept =
      compiled.kind === 'evaluated'
        ? compiled.plan.isReusable
        : compiled.kind === 'select' || compiled.kind === 'write' || compiled.kind === 'batch';
    if (isKept) {
      const key = keyspace ?? '';
      let shapes = this.#literal.get(key);
      if (shapes === undefined) {
        shapes = new RecentMap(LITERAL_LIMIT);
        this.#literal.set(key, shapes);
      }
      shapes.set(shape, compiled);
    }
  }
}

/** Whether the tables a plan was made for are still the same. */
export function isCurrent(compiled: Compiled, snapshot: Snapshot): boolean {
  switch (compiled.kind) {
    case 'select':
    case 'evaluated':
    case 'write': {
      // Functions written by users are no part of a table's version.
      if (compiled.kind === 'evaluated' && compiled.plan.calls.length > 0) return false;
      const { table } = compiled.plan;
      return snapshot.failure === undefined && snapshot.table(table.keyspace, table.name) === table;
    }
    case 'batch':
      return (
        snapshot.failure === undefined &&
        compiled.plans.every(({ table }) => snapshot.table(table.keyspace, table.name) === table)
      );
    case 'forward': {
      const { table } = compiled;
      return table === undefined || snapshot.table(table.keyspace, table.name) === table;
    }
    case 'virtual':
    case 'statement':
      return false;
  }
}
