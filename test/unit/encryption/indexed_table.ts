import type {
  HiddenColumnRecord,
  IndexEntry,
  IndexTarget,
  Snapshot,
  TableEntry,
} from '../../../src/schema/index.ts';
import { MemoryCluster } from '../../support/memory_cluster.ts';
import { quickClock } from '../../support/steps.ts';

const COLUMNS = [
  { name: 'pk', type: 'int', kind: 'partition', position: 0 },
  { name: 'ck', type: 'int', kind: 'clustering', position: 0 },
  { name: 's', type: 'text', kind: 'static', position: 0 },
  { name: 'v', type: 'text', kind: 'regular', position: 0 },
  { name: 'n', type: 'int', kind: 'regular', position: 0 },
  { name: 'd', type: 'duration', kind: 'regular', position: 0 },
  { name: 'l', type: 'frozen<list<int>>', kind: 'regular', position: 0 },
  { name: 'b', type: 'blob', kind: 'regular', position: 0 },
  {
    name: 'se',
    type: 'set<int>',
    kind: 'regular',
    position: 0,
    scheme: 'set',
    storedType: 'set<blob>',
  },
  {
    name: 'li',
    type: 'list<int>',
    kind: 'regular',
    position: 0,
    scheme: 'list',
    storedType: 'list<blob>',
  },
  {
    name: 'ld',
    type: 'list<decimal>',
    kind: 'regular',
    position: 0,
    scheme: 'list',
    storedType: 'list<blob>',
  },
  {
    name: 'ma',
    type: 'map<int, text>',
    kind: 'regular',
    position: 0,
    scheme: 'map',
    storedType: 'map<blob, blob>',
  },
] as const;

/** An index of the table that tests make. */
export interface TestIndex {
  readonly column: string;
  readonly hidden: Partial<HiddenColumnRecord> | null;
  readonly name?: string;
  readonly className?: string;
  readonly isActive?: boolean;
  readonly target?: IndexTarget;
}

/** `ks.t` with indexes. */
export async function tableWith(
  indexes: readonly TestIndex[],
): Promise<{ table: TableEntry; snapshot: Snapshot }> {
  const cluster = await MemoryCluster.start(quickClock());
  const proxy = await cluster.proxy();
  await proxy.create('t', COLUMNS);
  const snapshot = proxy.catalog.snapshot();
  const plain = snapshot.table('ks', 't');
  if (plain === undefined) throw new TypeError('no table');
  const entries = indexes.map(
    ({ column, hidden, name, className, isActive, target }): IndexEntry => {
      const found = plain.columns.get(column);
      if (found === undefined) throw new TypeError('no column');
      const kind = found.kind === 'static' ? 'static' : 'regular';
      return {
        name: name ?? `by_${column}`,
        column: found,
        target: target ?? 'simple',
        className: className ?? null,
        options: {},
        isActive: isActive ?? true,
        hidden: hidden && {
          name: `cqlock_i_${column}`,
          type: 'blob',
          dekId: 'aa',
          kind,
          ...hidden,
        },
      };
    },
  );
  const table: TableEntry = { ...plain, indexes: entries };
  return { table, snapshot };
}
