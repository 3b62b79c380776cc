import { randomUUID } from 'node:crypto';
import type { Clock } from '../../util/index.ts';
import type { Catalog } from '../catalog.ts';
import type { TableEntry } from '../entries.ts';
import type { BackupKeys, KeyNotices, SchemaSource, TableKeyFactory } from '../ports.ts';
import type { CustomProperties, MaskRecord, TableRecord, TypeFieldRecord } from '../record.ts';
import type { ChangeContext } from './change_context.ts';
import { settled } from './change_context.ts';
import type {
  AlterTableChange,
  CreateTableDefinition,
  EncryptionChoice,
  RunStored,
} from './change_types.ts';
import { createIndex, dropIndex } from './index_changes.ts';
import type { IndexStatements, NewIndex } from './index_changes.ts';
import { changeTableKey, setCustomProperties } from './key_change.ts';
import { alterKeyspaceKey, createKeyspace } from './keyspace_changes.ts';
import { setColumnMask } from './mask_change.ts';
import { recoverChanges } from './recovery.ts';
import { createRestoringTable } from './restore_table.ts';
import type { RestoreTableDefinition } from './restore_table.ts';
import { alterTable, createTable, dropKeyspace, dropTable } from './table_changes.ts';
import { alterType, createType, dropType } from './type_changes.ts';
import { createView, dropView } from './view_changes.ts';
import type { NewView, ViewStatements } from './view_changes.ts';
import { UnusedColumns } from './unused_columns.ts';

/** What the coordinator of schema changes works with. */
export interface SchemaChangesOptions {
  readonly catalog: Catalog;
  readonly source: SchemaSource;
  readonly keys: TableKeyFactory;
  readonly clock: Clock;
  /** Told about customer managed keys that cannot be used. */
  readonly notices: KeyNotices;
  /** Keep KMS keys from being given back. Any change may give back what another one left. */
  readonly backups: BackupKeys;
  /** Told when the keys and grants of a table that is gone were given back; its record goes next. May be told twice. */
  readonly onKeysReleased: (record: TableRecord) => Promise<void>;
  /**
   * How long a hidden column that is not used any more stays at least, so that no proxy writes it while it goes: more than the
   * maximum age of a catalog and the time of a write under way.
   */
  readonly unusedColumnsMs: number;
  /** How long a claim is left alone by others; longer than a schema statement can take. Default 60,000 ms. */
  readonly claimMs?: number;
  /** Called before each step; tests stop the process there. */
  readonly step?: (name: string) => void | Promise<void>;
}

/** What all changes of a process have in common. */
type Shared = Omit<ChangeContext, 'owner' | 'held'>;

/**
 * Coordinates changes of the schema between records and Cassandra, safe against crashes at every step and against other
 * proxies. Each change claims its record first, runs the stored statement on the client's connection, waits for schema
 * agreement, and settles the record by what system_schema shows. The promise resolves when this process's catalog has the
 * new schema.
 */
export class SchemaChanges {
  readonly #shared: Shared;
  /** The end of the last change that was begun, by object; never rejects. */
  readonly #last: Map<string, Promise<void>>;

  private constructor(shared: Shared, last: Map<string, Promise<void>>) {
    this.#shared = shared;
    this.#last = last;
  }

  /** The coordinator of a process, which has one: what it knows of unused columns and of turns is nowhere else. */
  static open(options: SchemaChangesOptions): SchemaChanges {
    const { unusedColumnsMs, claimMs, step, ...given } = options;
    return new SchemaChanges(
      {
        ...given,
        releaseAfterMs: new Map(),
        unused: new UnusedColumns(options.clock, unusedColumnsMs),
        claimMs: claimMs ?? 60_000,
        step: step ?? (() => undefined),
      },
      new Map(),
    );
  }

  /** The same coordinator for changes that a client's role asks for: its uses of KMS keys are noted under that name. */
  onBehalfOf(principal: string): SchemaChanges {
    const keys = this.#shared.keys.onBehalfOf?.(principal);
    return keys === undefined ? this : new SchemaChanges({ ...this.#shared, keys }, this.#last);
  }

  /**
   * CREATE TABLE. `runStored` gets the table id (UUID text) that MUST be in the stored statement's WITH ID.
   * `authorize` runs before a claim or a KMS call is made; it rejects with the client's error.
   * @returns 'exists' when the table was there, also after losing a race; then nothing was executed.
   */
  createTable(
    definition: CreateTableDefinition,
    runStored: RunStored<{ readonly tableId: string }>,
    authorize?: () => Promise<void>,
  ): Promise<'created' | 'exists'> {
    return this.#inTurn(definition.keyspace, definition.name, (change) =>
      createTable(change, definition, runStored, authorize),
    );
  }

  /** Makes a table that is restored from a backup; it refuses reads and writes until its record says that it is complete. */
  restoreTable(
    definition: RestoreTableDefinition,
    runStored: RunStored<{ readonly tableId: string }>,
  ): Promise<string> {
    return this.#inTurn(definition.keyspace, definition.name, (change) =>
      createRestoringTable(change, definition, runStored),
    );
  }

  /** ALTER TABLE. */
  alterTable(table: TableEntry, change: AlterTableChange, runStored: RunStored): Promise<void> {
    return this.#inTurn(table.keyspace, table.name, (context) =>
      alterTable(context, table, change, runStored),
    );
  }

  /**
   * ALTER TABLE of the encryption alone: puts the table under another KMS key. Whether the client may do that is to be asked
   * before. Nothing is done when the table is under that key.
   * @throws SchemaError when the old or the new key cannot be used.
   */
  changeTableKey(table: TableEntry, choice: EncryptionChoice): Promise<void> {
    return this.#inTurn(table.keyspace, table.name, (context) =>
      changeTableKey(context, table, choice),
    );
  }

  /** ALTER TABLE of other custom properties, which are kept and have no effect. */
  setCustomProperties(table: TableEntry, properties: CustomProperties): Promise<void> {
    return this.#inTurn(table.keyspace, table.name, (context) =>
      setCustomProperties(context, table, properties),
    );
  }

  /** ALTER TABLE … ALTER column MASKED WITH …, DROP MASKED. Whether the client may do that is to be asked before. */
  setColumnMask(table: TableEntry, column: string, mask: MaskRecord | undefined): Promise<void> {
    return this.#inTurn(table.keyspace, table.name, (context) =>
      setColumnMask(context, table, column, mask),
    );
  }

  /** CREATE KEYSPACE with a default key; `authorize` rejects with the client's error. */
  createKeyspace(
    keyspace: string,
    choice: EncryptionChoice,
    runStored: RunStored,
    authorize: () => Promise<void>,
  ): Promise<void> {
    return createKeyspace(this.#change(), keyspace, choice, runStored, authorize);
  }

  /** ALTER KEYSPACE of the default key alone. */
  alterKeyspaceKey(
    keyspace: string,
    choice: EncryptionChoice,
    authorize: () => Promise<void>,
  ): Promise<void> {
    return alterKeyspaceKey(this.#change(), keyspace, choice, authorize);
  }

  /** CREATE INDEX; see {@link createIndex}. */
  createIndex(table: TableEntry, index: NewIndex, statements: IndexStatements): Promise<void> {
    return this.#inTurn(table.keyspace, table.name, (context) =>
      createIndex(context, table, index, statements),
    );
  }

  /** DROP INDEX. */
  dropIndex(table: TableEntry, statements: Parameters<typeof dropIndex>[2]): Promise<void> {
    return this.#inTurn(table.keyspace, table.name, (context) =>
      dropIndex(context, table, statements),
    );
  }

  /** CREATE MATERIALIZED VIEW of a table; see {@link createView}. */
  createView(table: TableEntry, view: NewView, statements: ViewStatements): Promise<void> {
    return this.#inTurn(table.keyspace, table.name, (context) =>
      createView(context, table, view, statements),
    );
  }

  /** DROP MATERIALIZED VIEW of a table. */
  dropView(base: TableEntry, statements: Parameters<typeof dropView>[2]): Promise<void> {
    return this.#inTurn(base.keyspace, base.name, (context) => dropView(context, base, statements));
  }

  /** DROP TABLE, also of tables that are not encrypted or do not verify. */
  dropTable(table: TableEntry, runStored: RunStored): Promise<void> {
    return this.#inTurn(table.keyspace, table.name, (change) =>
      dropTable(change, table, runStored),
    );
  }

  /** DROP KEYSPACE with all its tables and types. */
  dropKeyspace(keyspace: string, runStored: RunStored): Promise<void> {
    return dropKeyspace(this.#change(), keyspace, runStored);
  }

  /** CREATE TYPE: the record holds the logical fields; the stored type has blob for each. */
  createType(
    type: {
      readonly keyspace: string;
      readonly name: string;
      readonly fields: readonly TypeFieldRecord[];
    },
    runStored: RunStored,
  ): Promise<'created' | 'exists'> {
    return this.#inTurn(type.keyspace, type.name, (change) => createType(change, type, runStored));
  }

  /** ALTER TYPE: `edit` gives all fields afterwards, in order, of those that the type has when its turn comes. */
  alterType(
    type: {
      readonly keyspace: string;
      readonly name: string;
      readonly edit: (fields: readonly TypeFieldRecord[]) => readonly TypeFieldRecord[];
    },
    runStored: RunStored,
  ): Promise<void> {
    return this.#inTurn(type.keyspace, type.name, (change) => alterType(change, type, runStored));
  }

  /** DROP TYPE. */
  dropType(keyspace: string, name: string, runStored: RunStored): Promise<void> {
    return this.#inTurn(keyspace, name, (change) => dropType(change, keyspace, name, runStored));
  }

  /**
   * For statements that change no record (CREATE and ALTER KEYSPACE, roles): runs, waits for agreement, reads again.
   */
  async passThrough(runStored: RunStored): Promise<'created' | 'exists'> {
    const outcome = await runStored();
    await settled(this.#change());
    return outcome;
  }

  /** Settles changes whose process died: to be called at start and when an expired claim is met. */
  recover(): Promise<void> {
    return recoverChanges(this.#change());
  }

  /** Changes of one object take turns in this process; claims order them between processes. */
  async #inTurn<T>(
    keyspace: string,
    name: string,
    run: (change: ChangeContext) => Promise<T>,
  ): Promise<T> {
    const object = JSON.stringify([keyspace, name]);
    const before = this.#last.get(object);
    const turn = (before ?? Promise.resolve()).then(() => run(this.#change()));
    const ended = turn.then(
      () => undefined,
      () => undefined,
    );
    this.#last.set(object, ended);
    try {
      return await turn;
    } finally {
      if (this.#last.get(object) === ended) this.#last.delete(object);
    }
  }

  #change(): ChangeContext {
    return { ...this.#shared, owner: randomUUID(), held: { sinceMs: 0 } };
  }
}
