/**
 * A process that changes the KMS key of a table is killed at each step: the next one finishes the change or undoes it. And a
 * catalog that was rolled back is taken only when a person says so.
 */
import { execFile } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { builtProduct } from '../support/built_product.ts';
import { connectKeys, openCatalog } from '../support/key_environment.ts';
import { KeyCluster } from './support/key_cluster.ts';
import { prepared, rowsOf, run, succeeded } from './support/pair.ts';

const CHILD = fileURLToPath(new URL('../support/crash_child.mjs', import.meta.url));

let cluster: KeyCluster;

beforeAll(async () => {
  cluster = await KeyCluster.start();
  const a = await cluster.client(0);
  await run(a, 'CREATE TABLE ks.silent (pk int PRIMARY KEY, v text)');
  await run(a, "INSERT INTO ks.silent (pk, v) VALUES (1, 'x')");
});

afterAll(() => cluster?.stop());

describe('a process killed in a change of key', () => {
  const STEPS = [
    ['key_change.claim', false],
    ['key_store.rename', false],
    ['key_change.keys', false],
    ['key_change.switch', false],
    ['key_change.refresh', true],
    ['release.claim', true],
    ['release.keys', true],
    ['release.done', true],
  ] as const;

  beforeAll(() => cluster.stopProxies());

  it.each(
    (['to customer', 'to service-owned'] as const).flatMap((direction) =>
      STEPS.map(([at, isDone]) => [direction, at, isDone] as const),
    ),
  )('%s, at %s: the next one finishes or undoes it', async (direction, at, isDone) => {
    const dist = join(dirname(await builtProduct()), '..');
    const name = `crash_${direction.replaceAll(/\W/g, '_')}_${at.replace('.', '_')}`;
    const arn = await cluster.kms.createCustomerKey(name);
    const keys = await connectKeys('', cluster.cassandra.port, cluster.storeOptions());
    try {
      const before = await openCatalog(keys);
      const stored = `CREATE TABLE ks.${name} (pk blob PRIMARY KEY, v blob) WITH ID = `;
      await before.changes.createTable(
        {
          keyspace: 'ks',
          name,
          columns: [
            { name: 'pk', type: 'int', kind: 'partition', position: 0 },
            { name: 'v', type: 'text', kind: 'regular', position: 0 },
          ],
          encryption: direction === 'to customer' ? 'service-owned' : { identifier: arn },
        },
        async ({ tableId }) => {
          await keys.connection.execute(`${stored}${tableId}`, [], { prepare: false });
          return 'created';
        },
      );
      const choice = direction === 'to customer' ? { identifier: arn } : 'service-owned';
      const change = { kind: 'changeKey', keyspace: 'ks', name, choice };
      const child = {
        dist,
        port: cluster.cassandra.port,
        change,
        at,
        nth: 1,
        store: cluster.paths,
      };
      const end = await new Promise((resolve) => {
        execFile(process.execPath, [CHILD, JSON.stringify(child)], (error, stdout, stderr) => {
          resolve(error?.signal === 'SIGKILL' ? 'killed' : `${stdout}${stderr}`);
        });
      });
      expect(end).toBe('killed');

      const { catalog, changes } = await openCatalog(keys);
      await changes.recover();
      const table = (await catalog.refresh()).table('ks', name);
      if (table?.record?.keys === undefined || table.record.keys === null) {
        throw new TypeError('no keys');
      }
      const { record: settled } = table;
      const { keys: present } = table.record;
      expect(settled).toMatchObject({ state: 'ACTIVE', claim: null });
      expect(settled.release).toBeUndefined();
      expect(present.serviceOwned).toBe(isDone === (direction === 'to service-owned'));
      expect(present.deks.filter((dek) => dek.structure === 'cell')).toHaveLength(isDone ? 2 : 1);
      expect(cluster.serviceKeys(settled.tableId)).toEqual(
        present.serviceOwned ? [present.keyArn] : [],
      );
      const { clusterId } = await catalog.readRecords();
      (await keys.tableKeys.open(table, clusterId)).dispose();
      // And it can be changed after all.
      await changes.changeTableKey(table, choice);
      const after = catalog.snapshot().table('ks', name)?.record;
      expect(after?.keys?.serviceOwned).toBe(direction === 'to service-owned');
      expect(after?.release).toBeUndefined();
    } finally {
      await keys.connection.close();
    }
  });
});

describe('cqlock catalog accept', () => {
  const COLUMNS = 'cluster, table_id, version, body, mac, root, root_version, root_mac';

  it('takes a catalog that was rolled back, once it is confirmed', async () => {
    const nothing = await cluster.cqlock('catalog accept --yes');
    expect(nothing).toMatchObject({ code: 0 });
    expect(nothing.output).toContain('not rolled back');
    const direct = await cluster.direct();
    const rows = rowsOf(await run(direct, `SELECT ${COLUMNS} FROM cqlock.records`));
    const keys = await connectKeys('', cluster.cassandra.port, cluster.storeOptions());
    const { catalog, changes } = await openCatalog(keys);
    const table = catalog.snapshot().table('ks', 'silent');
    if (table === undefined) throw new TypeError('no table');
    await changes.setCustomProperties(table, { ttl: { status: 'enabled' } });
    await keys.connection.close();
    const insert = await prepared(
      direct,
      `INSERT INTO cqlock.records (${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    for (const row of rows) succeeded(await direct.execute(insert, { values: row }), 'put back');
    direct.close();

    const refused = await cluster.cqlock('tables list');
    expect(refused.code).toBe(1);
    expect(refused.output).toContain('METADATA_ROLLED_BACK');
    const asked = await cluster.cqlock('catalog accept');
    expect(asked.code).toBe(2);
    expect(asked.output).toContain('CONFIG_NOT_CONFIRMED');
    expect((await cluster.cqlock('tables list')).code).toBe(1);
    expect(await cluster.cqlock('catalog accept --yes')).toMatchObject({ code: 0 });
    expect((await cluster.cqlock('tables list')).code).toBe(0);
    await cluster.startProxies();
    const again = await cluster.client(1);
    expect(rowsOf(await run(again, 'SELECT v FROM ks.silent'))).toHaveLength(1);
  });
});
