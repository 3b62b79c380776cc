import type { Command } from 'commander';
import { InvalidRequestError } from '../../errors/index.ts';
import { adoptTables } from '../../schema/index.ts';
import type { Snapshot, TableEntry } from '../../schema/index.ts';
import { withCatalog } from './catalog_session.ts';
import type { CommandRunner } from './catalog_session.ts';
import { tableLines } from './print.ts';

interface Output {
  readonly json?: boolean;
}

/** A line of `tables list`. */
interface TableLine {
  readonly keyspace: string;
  readonly table: string;
  /** State of the record; else `plain`, `unknown` or `broken`. */
  readonly state: string;
  readonly key: string;
  readonly provider: string;
  /** Epoch of the cell key in use, and how many there are. */
  readonly epochs: string;
}

/** Adds `cqlock tables …`: what the proxy knows of the tables of the cluster. */
export function addTablesCommands(
  program: Command,
  run: CommandRunner,
  say: (line: string) => void,
): void {
  const tables = program.command('tables').description('tables: states, keys, adoption');
  tables
    .command('list')
    .description('all tables with state, KMS key, provider and epochs of cell keys')
    .option('--json', 'as JSON')
    .action((options: Output) =>
      run((context) =>
        withCatalog(context, async ({ catalog }) => {
          const snapshot = catalog.snapshot();
          const lines = tablesOf(snapshot).map(lineOf);
          if (options.json === true) say(JSON.stringify(lines));
          else for (const line of aligned(lines)) say(line);
        }),
      ),
    );
  tables
    .command('show <table>')
    .description('one table (keyspace.table): its keys in detail, and why it is refused if it is')
    .option('--json', 'as JSON')
    .action((name: string, options: Output) =>
      run((context) =>
        withCatalog(context, async ({ catalog }) => {
          const snapshot = catalog.snapshot();
          const about = detailsOf(findTable(snapshot, name));
          if (options.json === true) say(JSON.stringify(about));
          else for (const [field, value] of Object.entries(about)) say(`${field}: ${shown(value)}`);
        }),
      ),
    );
  tables
    .command('adopt <table...>')
    .description('list tables that were made around the proxy as plain: readable, not writable')
    .option('--json', 'as JSON')
    .action((names: string[], options: Output) =>
      run((context) =>
        withCatalog(context, async ({ catalog }) => {
          const snapshot = catalog.snapshot();
          const adopted = names.map((name) => {
            const { keyspace, name: table } = findTable(snapshot, name);
            return { keyspace, name: table };
          });
          await adoptTables(catalog, adopted);
          if (options.json === true) say(JSON.stringify(adopted));
          else for (const { keyspace, name } of adopted) say(`${keyspace}.${name} is plain now`);
        }),
      ),
    );
}

function tablesOf(snapshot: Snapshot): TableEntry[] {
  return [...snapshot.keyspaces()]
    .flatMap((keyspace) => [...keyspace.tables.values()])
    .sort((a, b) => (labelOf(a) < labelOf(b) ? -1 : 1));
}

function labelOf(table: TableEntry): string {
  return `${table.keyspace}.${table.name}`;
}

/** @throws InvalidRequestError when there is no such table. */
function findTable(snapshot: Snapshot, name: string): TableEntry {
  const table = tablesOf(snapshot).find((one) => labelOf(one) === name);
  if (table !== undefined) return table;
  throw new InvalidRequestError(`there is no table ${name}; write it as keyspace.table`);
}

function lineOf(table: TableEntry): TableLine {
  const keys = table.record?.keys ?? undefined;
  const cells = keys?.deks.filter((dek) => dek.structure === 'cell') ?? [];
  const active = cells.find((dek) => dek.state === 'active');
  return {
    keyspace: table.keyspace,
    table: table.name,
    state: table.record?.state ?? table.kind,
    key: keys === undefined ? '-' : keys.serviceOwned ? 'service-owned' : keys.keyArn,
    provider: keys?.provider ?? '-',
    epochs: active === undefined ? '-' : `${active.epoch} (of ${cells.length})`,
  };
}

function detailsOf(table: TableEntry): Readonly<Record<string, unknown>> {
  const { record } = table;
  const keys = record?.keys ?? undefined;
  return {
    ...lineOf(table),
    cassandraId: table.id,
    ...(table.error === undefined
      ? {}
      : { refusedWith: `${table.error.code}: ${table.error.message}` }),
    ...(record === undefined
      ? {}
      : {
          tableId: record.tableId,
          recordVersion: table.recordVersion.toString(),
          createdAt: new Date(record.createdAtMs).toISOString(),
          customProperties: record.customProperties ?? {},
          keysToGiveBack: (record.release ?? []).map((use) => use.keyArn),
        }),
    ...(keys === undefined
      ? {}
      : {
          keyArn: keys.keyArn,
          tableKeyVersions: keys.tableKeys.map((tableKey) => tableKey.version),
          grants: (keys.grants ?? []).map((grant) => `${grant.use} ${grant.id}`),
          deks: keys.deks.map((dek) => `${dek.structure} ${dek.epoch} ${dek.state}`),
          minEpoch: keys.minEpoch,
        }),
  };
}

function shown(value: unknown): string {
  if (typeof value === 'string') return value;
  if (Array.isArray(value)) return value.length === 0 ? '-' : value.join(', ');
  return JSON.stringify(value);
}

const HEADING = ['KEYSPACE', 'TABLE', 'STATE', 'KEY', 'PROVIDER', 'EPOCH'];

function aligned(lines: readonly TableLine[]): readonly string[] {
  return tableLines(
    HEADING,
    lines.map((line) => Object.values(line) as string[]),
  );
}
