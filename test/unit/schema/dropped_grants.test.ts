import { describe, expect, it } from 'vitest';
import type { TableRecord } from '../../../src/schema/index.ts';
import { fakeClock } from '../../support/fake_clock.ts';
import { MemoryCluster, TWO_COLUMNS } from '../../support/memory_cluster.ts';

describe('the grants of a dropped table', () => {
  it('are given back at once but for the one of its backups, also while a backup needs the key', async () => {
    const cluster = await MemoryCluster.start(fakeClock());
    const asked: string[] = [];
    const proxy = await cluster.proxy({
      backups: {
        stillNeed: (table) => {
          asked.push(table.name);
          return Promise.resolve(true);
        },
      },
    });
    const keyArn = await cluster.embedded.createCustomerKey('key');
    await proxy.create('t', TWO_COLUMNS, { identifier: keyArn });
    const record = async (): Promise<TableRecord> => {
      const { records } = await proxy.catalog.readRecords();
      for (const { record: found } of records.values()) if (found.kind === 'table') return found;
      throw new Error('no record');
    };
    const [working, backup] = (await record()).keys?.grants ?? [];
    expect([working?.use, backup?.use]).toEqual(['working', 'backup']);
    const table = proxy.catalog.snapshot().table('ks', 't');
    if (table === undefined) throw new Error('no table');
    // A KMS that refuses the key takes grants back.
    await cluster.embedded.setKeyEnabled(keyArn, false);
    await proxy.changes.dropTable(table, () => {
      cluster.dropTable('t');
      return Promise.resolve('created');
    });
    await proxy.changes.recover();
    const dropped = await record();
    expect(dropped.state).toBe('DROPPED');
    expect(dropped.release ?? []).toEqual([]);
    expect(dropped.keys?.grants).toEqual([backup]);
    expect(asked).toEqual([]);
  });
});
