/** The mask of a column is in the record of its table: every proxy has it, and nobody takes it away unseen. */
import { describe, expect, it } from 'vitest';
import type { MaskRecord, TableEntry } from '../../../src/schema/index.ts';
import { MemoryCluster, TWO_COLUMNS } from '../../support/memory_cluster.ts';
import type { MemoryProxy } from '../../support/memory_cluster.ts';
import { quickClock } from '../../support/steps.ts';

const DEFAULT: MaskRecord = { function: 'mask_default', args: [] };
const INNER: MaskRecord = {
  function: 'mask_inner',
  args: [
    { type: 'int', value: '00000001', literal: '1', text: '1' },
    { type: 'int', value: null, literal: 'null', text: '' },
  ],
};

async function environment() {
  const cluster = await MemoryCluster.start(quickClock());
  return { cluster, one: await cluster.proxy(), two: await cluster.proxy() };
}

async function table(proxy: MemoryProxy): Promise<TableEntry> {
  const entry = (await proxy.catalog.refresh()).table('ks', 't');
  if (entry === undefined) throw new TypeError('no table');
  return entry;
}

describe('a mask', () => {
  it('is changed by one proxy and known to the others, as another version of the table', async () => {
    const { one, two } = await environment();
    await one.create('t');
    expect((await table(two)).columns.get('v')?.mask).toBeUndefined();
    for (const mask of [INNER, DEFAULT]) {
      const before = await table(two);
      await one.changes.setColumnMask(await table(one), 'v', mask);
      const after = await table(two);
      expect(after.columns.get('v')?.mask?.function).toBe(mask.function);
      expect(after.version).not.toBe(before.version);
      expect(after.columns.get('v')?.id).toEqual(before.columns.get('v')?.id);
    }
    await one.changes.setColumnMask(await table(one), 'v', INNER);
    expect((await table(two)).columns.get('v')?.mask?.args.map(({ value }) => value)).toEqual([
      Uint8Array.of(0, 0, 0, 1),
      null,
    ]);
    await two.changes.setColumnMask(await table(two), 'v', undefined);
    expect((await table(one)).columns.get('v')).not.toHaveProperty('mask');
  });

  it('that is taken out of the stored record closes the table', async () => {
    const { cluster, one, two } = await environment();
    await one.create(
      't',
      TWO_COLUMNS.map((column) => (column.name === 'v' ? { ...column, mask: DEFAULT } : column)),
    );
    const entry = await table(two);
    expect(entry.columns.get('v')?.mask).toEqual(DEFAULT);
    cluster.editRecord(entry.record?.tableId ?? '', (row) => ({
      ...row,
      body: Buffer.from(
        Buffer.from(row.body)
          .toString('utf8')
          .replace(`,"mask":${JSON.stringify(DEFAULT)}`, ''),
      ),
    }));
    const third = await cluster.proxy();
    const closed = await table(third);
    expect(closed.kind).not.toBe('encrypted');
    expect(closed.error?.code).toMatch(/^METADATA_/);
  });

  it('makes the record one that versions without masks refuse, as long as it is there', async () => {
    const { cluster, one } = await environment();
    await one.create('t');
    const formatOf = async (): Promise<unknown> => {
      let format: unknown;
      cluster.editRecord((await table(one)).record?.tableId ?? '', (row) => {
        ({ format } = JSON.parse(Buffer.from(row.body).toString('utf8')) as { format: unknown });
        return row;
      });
      return format;
    };
    expect(await formatOf()).toBe(1);
    await one.changes.setColumnMask(await table(one), 'v', DEFAULT);
    expect(await formatOf()).toBe(2);
    await one.changes.setColumnMask(await table(one), 'v', undefined);
    expect(await formatOf()).toBe(1);
  });

  it('by a function of a later version closes the table', async () => {
    const { one } = await environment();
    await one.create('t');
    await one.changes.setColumnMask(await table(one), 'v', { function: 'mask_later', args: [] });
    expect(await table(one)).toMatchObject({
      kind: 'broken',
      error: { code: 'METADATA_RECORD_FORMAT' },
    });
  });

  it('is refused for a column that was changed meanwhile', async () => {
    const { one } = await environment();
    await one.create('t');
    const before = await table(one);
    await expect(one.changes.setColumnMask(before, 'nope', DEFAULT)).rejects.toThrow(
      'table ks.t was changed meanwhile; try again',
    );
  });
});
