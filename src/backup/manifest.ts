import { z } from 'zod';
import { BackupError } from '../errors/index.ts';
import type { TableForm, TableRecord, TypeRecord } from '../schema/index.ts';
import { cellColumnsOf } from './cell_columns.ts';

/** What a backup is of: fixed when it is begun. Bytes are hex. */
export interface BackupPlan {
  readonly format: 1;
  readonly backupId: string;
  readonly clusterId: string;
  readonly tableId: string;
  readonly keyspace: string;
  readonly name: string;
  /** Columns and dropped columns of the logical schema. */
  readonly form: TableForm;
  /** User-defined types of the keyspace that the columns name. */
  readonly types: readonly TypeRecord[];
  /** Options of the stored table: CQL after WITH; empty for none. */
  readonly options: string;
  /**
   * CREATE statements of the table's indexes and materialized views, as DESCRIBE shows them to clients; absent in backups of earlier
   * versions.
   */
  readonly dependents?: readonly string[];
  /** Static and regular columns in the order by which cells name them. */
  readonly cellColumns: readonly string[];
  /** Bounds of the token ranges: `ranges[i]` exclusive to `ranges[i + 1]` inclusive; empty for one scan of everything. */
  readonly ranges: readonly string[];
  readonly startedAtMs: number;
}

/** A chunk as the manifest knows it. */
export interface ManifestChunk {
  /** Hex of 16 bytes. */
  readonly tag: string;
  readonly rows: number;
  readonly cells: number;
  /** Size of the object. */
  readonly bytes: number;
}

/** The table of contents of a complete backup. */
export interface Manifest extends BackupPlan {
  readonly finishedAtMs: number;
  readonly chunks: readonly ManifestChunk[];
  readonly rows: number;
  readonly cells: number;
  /** Epochs of cell DEKs that cells of the backup name. */
  readonly epochs: readonly number[];
}

const planShape = z.looseObject({
  format: z.literal(1),
  backupId: z.string(),
  clusterId: z.string(),
  tableId: z.string(),
  form: z.looseObject({ columns: z.array(z.looseObject({ name: z.string(), id: z.string() })) }),
  cellColumns: z.array(z.string()),
  ranges: z.array(z.string()),
});
const manifestShape = planShape.extend({
  chunks: z.array(
    z.object({ tag: z.string(), rows: z.number(), cells: z.number(), bytes: z.number() }),
  ),
  rows: z.number(),
  cells: z.number(),
  epochs: z.array(z.number()),
});

/** Bytes of a plan or manifest, before they are sealed. */
export function serialiseManifest(manifest: BackupPlan | Manifest): Buffer {
  return Buffer.from(JSON.stringify(manifest), 'utf8');
}

/** Parses an authenticated plan. @throws BackupError BACKUP_FORMAT when a later version wrote it */
export function parsePlan(bytes: Uint8Array): BackupPlan {
  return parse(bytes, planShape) as BackupPlan;
}

/** Parses an authenticated manifest. @throws BackupError BACKUP_FORMAT when a later version wrote it */
export function parseManifest(bytes: Uint8Array): Manifest {
  return parse(bytes, manifestShape) as Manifest;
}

/** Whether the table has the columns of a plan still, and the user types that are not frozen have its fields. */
export function isOfForm(
  plan: BackupPlan,
  { record, types }: { readonly record: TableForm; readonly types: readonly TypeRecord[] },
): boolean {
  const { columns, dropped } = record;
  if (JSON.stringify({ columns, dropped }) !== JSON.stringify(plan.form)) return false;
  const fields = (of: readonly TypeRecord[]): string =>
    JSON.stringify(cellColumnsOf({ ...plan, ...plan.form, types: of }).map((cell) => cell.fields));
  return fields(types) === fields(plan.types);
}

/** The table of a plan as a record, under the keys of an envelope. */
export function recordOfPlan(plan: BackupPlan, keys: TableRecord['keys']): TableRecord {
  return {
    format: 1,
    kind: 'table',
    state: 'ACTIVE',
    keyspace: plan.keyspace,
    name: plan.name,
    cassandraId: '00000000-0000-0000-0000-000000000000',
    tableId: plan.tableId,
    ...plan.form,
    keys,
    next: null,
    claim: null,
    createdAtMs: plan.startedAtMs,
    droppedAtMs: null,
  };
}

function parse(bytes: Uint8Array, shape: z.ZodType): unknown {
  const parsed = shape.safeParse(JSON.parse(Buffer.from(bytes).toString('utf8')));
  if (parsed.success) return parsed.data;
  throw new BackupError(
    'BACKUP_FORMAT',
    'the manifest of a backup has a format that this version of cqlock does not know; use the version that made it, or a later one',
  );
}
