import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { toldByProxies } from '../../../src/app/key_loss.ts';
import { openSchemaChanges } from '../../../src/app/schema_changes.ts';
import { loadConfig } from '../../../src/config/index.ts';
import { silentLogger } from '../../../src/observability/index.ts';
import { FakeCustomerKms } from '../../support/fake_customer_kms.ts';
import { MemoryCluster } from '../../support/memory_cluster.ts';
import { quickClock } from '../../support/steps.ts';
import { fakeConnection, sealedRows } from '../backup/fake_rows.ts';

const TABLE = { keyspace: 'ks', name: 't' };

it('a process that settles what another one left gives no key back that a backup is under', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'cqlock-changes-'));
  const config = loadConfig({ CQLOCK_DATA_DIR: join(directory, 'data') }, directory);
  const clock = quickClock();
  const kms = new FakeCustomerKms();
  const cluster = await MemoryCluster.start(clock, [kms]);
  // Another process, which cannot reach the backups now.
  const proxy = await cluster.proxy({ backups: { stillNeed: () => Promise.resolve(true) } });
  await proxy.create('t');
  const entry = () => {
    const table = proxy.catalog.snapshot().table('ks', 't');
    if (table === undefined) throw new TypeError('no table');
    return table;
  };
  const rows = await sealedRows(cluster, entry(), await cluster.clusterId(), 3);
  const { changes, backups } = openSchemaChanges(config, {
    catalog: proxy.catalog,
    source: cluster.source(),
    tableKeys: cluster.tableKeys,
    kms: cluster.kms,
    connection: fakeConnection(cluster, rows),
    clock,
    told: toldByProxies(config, clock, silentLogger),
  });
  const id = await backups.backupTable(TABLE);
  const left = entry().record?.keys?.keyArn ?? '';
  await proxy.changes.changeTableKey(entry(), { identifier: kms.key('a') });
  expect((await backups.get(id)).keyArns).toContain(left);
  await changes.recover();
  expect((await backups.get(id)).keyArns).not.toContain(left);
  expect(cluster.keyStore.read().keys[left]).toBeUndefined();
  await backups.verify(id);
});
