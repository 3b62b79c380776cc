import type { Logger } from '../observability/index.ts';
import { accessState, recordId } from '../schema/index.ts';
import type { Catalog, TableEntry, TableRecord } from '../schema/index.ts';
import type { Clock } from '../util/index.ts';
import type { StepContext } from './access_transitions.ts';

/** Records of one change of the catalog: a conditional batch must stay small. */
const RECORDS_A_CHANGE = 5;

/** What the parts of the monitor share. */
export interface LossContext {
  readonly catalog: Pick<Catalog, 'readRecords' | 'change' | 'refresh' | 'snapshot'>;
  readonly clock: Clock;
  readonly logger: Pick<Logger, 'info' | 'warn' | 'error'>;
  readonly dropAfterMs: number;
  /** Names of the channels that get notices. */
  readonly channels: readonly string[];
  /** Told about a table whose access became another one, when this process's catalog shows it. */
  readonly onAccessChange: (table: TableEntry) => void;
  /** Called before each step; tests stop the process there. */
  readonly step: (name: string) => void | Promise<void>;
}

/** An edit of one record; `undefined` leaves it. It may be called several times and MUST NOT have effects. */
export type RecordEdit = (record: TableRecord, context: StepContext) => TableRecord | undefined;

/** What an edit needs to know of now. */
export function stepContext(context: LossContext): StepContext {
  const { clock, dropAfterMs, channels } = context;
  return { nowMs: clock.nowMs(), dropAfterMs, channels };
}

/**
 * Edits records by compare and set on the root, a few at a time; what changed is logged and in this process's catalog when
 * it resolves. An edit that another monitor made first finds nothing left to do.
 * @param edits by record id
 * @returns the records that were changed
 */
export async function editRecords(
  context: LossContext,
  edits: ReadonlyMap<string, RecordEdit>,
): Promise<readonly TableRecord[]> {
  const ids = [...edits.keys()];
  const changed: TableRecord[] = [];
  for (let start = 0; start < ids.length; start += RECORDS_A_CHANGE) {
    let pairs: { readonly before: TableRecord; readonly after: TableRecord }[] = [];
    await context.catalog.change((view) => {
      pairs = [];
      for (const id of ids.slice(start, start + RECORDS_A_CHANGE)) {
        const before = view.records.get(id)?.record;
        if (before?.kind !== 'table') continue;
        const after = edits.get(id)?.(before, stepContext(context));
        if (after !== undefined) pairs.push({ before, after });
      }
      return pairs.length === 0 ? undefined : { put: pairs.map(({ after }) => after) };
    });
    for (const { before, after } of pairs) log(context, before, after);
    changed.push(...pairs.map(({ after }) => after));
  }
  if (changed.length > 0) {
    await context.step('loss.refresh');
    const snapshot = await context.catalog.refresh();
    for (const record of changed) {
      const table = snapshot.table(record.keyspace, record.name);
      if (table?.record !== undefined && recordId(table.record) === recordId(record)) {
        context.onAccessChange(table);
      }
    }
  }
  return changed;
}

/** The table of a record as this process sees it, if it is there and verifies. */
export function entryOf(context: LossContext, record: TableRecord): TableEntry | undefined {
  const table = context.catalog.snapshot().table(record.keyspace, record.name);
  const isIt = table?.kind === 'encrypted' && table.record?.tableId === record.tableId;
  return isIt ? table : undefined;
}

function log({ logger }: LossContext, before: TableRecord, after: TableRecord): void {
  const from = accessState(before);
  const to = accessState(after);
  if (from === to) return;
  const access = after.access ?? before.access ?? undefined;
  const fields = {
    table: `${after.keyspace}.${after.name}`,
    from,
    to,
    keyArn: access?.keyArn,
    reason: access?.reason,
    since: access === undefined ? undefined : new Date(access.sinceMs).toISOString(),
    dropAt: access === undefined ? undefined : new Date(access.dropAtMs).toISOString(),
    backup: access?.backup?.id,
  };
  if (to === 'ACTIVE') logger.info(fields, 'the key of a table is usable again');
  else logger.warn(fields, 'the access of a table changed: its key is lost');
}
