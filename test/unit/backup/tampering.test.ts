/** Whoever controls the target edits a backup: nothing of it is taken. */
import { beforeEach, describe, expect, it } from 'vitest';
import { BackupService } from '../../../src/backup/index.ts';
import type { BackupOptions } from '../../../src/backup/index.ts';
import { KeyTransfer, KmsTableKeys } from '../../../src/keys/index.ts';
import type { MemoryProxy } from '../../support/memory_cluster.ts';
import { MemoryCluster } from '../../support/memory_cluster.ts';
import { fakeClock } from '../../support/fake_clock.ts';
import { fakeConnection, sealedRows } from './fake_rows.ts';
import type { Written } from './fake_rows.ts';
import { MemoryTarget } from './memory_target.ts';

const ROWS = 120;
const OPTIONS: BackupOptions = { chunkBytes: 1024, sampleEvery: 5 };
const TABLE = { keyspace: 'ks', name: 't' };

let cluster: MemoryCluster;
let proxy: MemoryProxy;
let target: MemoryTarget;
let written: Written[];
let service: BackupService;
let rows: Record<string, unknown>[];
let id: string;
const clock = fakeClock();

beforeEach(async () => {
  cluster = await MemoryCluster.start(clock);
  proxy = await cluster.proxy();
  await proxy.create('t');
  target = new MemoryTarget();
  written = [];
  const table = proxy.catalog.snapshot().table('ks', 't');
  if (table === undefined) throw new Error('no table');
  const { clusterId } = await proxy.catalog.readRecords();
  rows = await sealedRows(cluster, table, clusterId, ROWS);
  service = serviceOn(rows);
  id = await service.backupTable(TABLE);
});

function serviceOn(served: readonly Record<string, unknown>[], options = OPTIONS): BackupService {
  return new BackupService(
    {
      catalog: proxy.catalog,
      changes: proxy.changes,
      tableKeys: new KmsTableKeys(cluster.kms),
      transfer: new KeyTransfer(cluster.kms),
      connection: fakeConnection(cluster, served, written),
      clock,
      target,
    },
    options,
  );
}

const object = (name: string): Buffer => {
  const bytes = target.objects.get(`${id}/${name}`);
  if (bytes === undefined) throw new Error(`no ${name}`);
  return bytes;
};
const replace = (name: string, bytes: Buffer): void => {
  target.objects.set(`${id}/${name}`, bytes);
};
const chunk = (number: number): string => `chunk-${String(number).padStart(10, '0')}`;
const chunks = async (): Promise<number> => (await target.list(`${id}/chunk-`)).length;

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    return (error as { code: string }).code;
  }
  return 'accepted';
}

/** Verification and restore both refuse, and nothing becomes readable. */
async function expectRefused(code = 'BACKUP_INTEGRITY'): Promise<void> {
  expect(await codeOf(service.verify(id))).toBe(code);
  const to = { keyspace: 'ks', name: 'back' };
  expect(await codeOf(service.restore({ from: { backupId: id }, to }))).toBe(code);
  expect((await proxy.catalog.refresh()).table('ks', 'back')?.kind).not.toBe('encrypted');
}

describe('a backup that was edited', () => {
  it('is taken when it was not (control)', async () => {
    expect(await chunks()).toBeGreaterThan(4);
    expect(await service.verify(id)).toMatchObject({ mode: 'decrypted', rows: ROWS, cells: ROWS });
    await service.restore({ from: { backupId: id }, to: { keyspace: 'ks', name: 'back' } });
    expect(written).toHaveLength(ROWS);
    expect(written.every(({ query }) => query.startsWith('INSERT'))).toBe(true);
    expect(written.map(({ params }) => params[2])).toEqual(rows.map((row) => row['w0']));
    expect(written.map(({ params }) => params[3])).toEqual(rows.map((row) => row['t0'] ?? 0));
    expect(written.map(({ params }) => params[1])).toEqual(rows.map((row) => row['c0']));
    expect((await proxy.catalog.refresh()).table('ks', 'back')?.kind).toBe('encrypted');
  });

  it('is refused when a chunk is missing', async () => {
    target.objects.delete(`${id}/${chunk(2)}`);
    await expectRefused();
  });

  it('is refused when the last chunk is missing', async () => {
    target.objects.delete(`${id}/${chunk((await chunks()) - 1)}`);
    await expectRefused();
  });

  it('is refused when two chunks are swapped', async () => {
    const [first, second] = [object(chunk(1)), object(chunk(2))];
    replace(chunk(1), second);
    replace(chunk(2), first);
    await expectRefused();
  });

  it('is refused when any bit of a chunk, manifest or envelope differs', async () => {
    const [envelope] = await target.list(`${id}/envelope-`);
    for (const name of [chunk(1), 'manifest', (envelope ?? '').slice(id.length + 1)]) {
      const original = object(name);
      for (const at of [0, 5, 7, 30, original.length >> 1, original.length - 1]) {
        const edited = Buffer.from(original);
        edited[at] = (edited[at] ?? 0) ^ 1;
        replace(name, edited);
        expect(`${name} ${at}: ${await codeOf(service.verify(id))}`).toBe(
          `${name} ${at}: BACKUP_INTEGRITY`,
        );
      }
      replace(name, original);
    }
    expect(await codeOf(service.verify(id))).toBe('accepted');
  });

  it('is refused with chunks of another backup of the same table, which has the same rows', async () => {
    const other = await service.backupTable(TABLE);
    expect(other).not.toBe(id);
    replace(chunk(1), target.objects.get(`${other}/${chunk(1)}`) as Buffer);
    await expectRefused();
  });

  it('is refused when all of it is an older backup', async () => {
    const newer = await serviceOn(rows.slice(0, 50)).backupTable(TABLE);
    const old = id;
    id = newer;
    for (const [name, bytes] of [...target.objects]) {
      if (name.startsWith(old)) target.objects.set(name.replace(old, newer), bytes);
    }
    await expectRefused();
  });

  it('is refused when it is not in the catalog', async () => {
    const before = new Map(target.objects);
    await service.delete(id);
    for (const [name, bytes] of before) target.objects.set(name, bytes);
    await expectRefused('BACKUP_NOT_FOUND');
  });

  it("is refused while a cell of the table is no ciphertext, and one cell is another row's", async () => {
    const plain = rows.map((row, i) => (i === 3 ? { ...row, c0: Buffer.from('plain text') } : row));
    expect(await codeOf(serviceOn(plain).backupTable(TABLE))).toBe('CIPHERTEXT_VERSION');
    const moved = rows.map((row, i) => (i === 5 ? { ...row, c0: rows[6]?.['c0'] } : row));
    const everyCell = serviceOn(moved, { ...OPTIONS, sampleEvery: 1 });
    expect(await codeOf(everyCell.backupTable(TABLE))).toBe('CIPHERTEXT_TAG');
  });

  it('names keys of the envelope only while they are there', async () => {
    const record = await service.get(id);
    expect(await service.needsKey(record.keyArns[0] ?? '')).toBe(true);
    clock.advance(36 * 86_400_000);
    expect(
      await codeOf(
        service.restore({ from: { backupId: id }, to: { keyspace: 'ks', name: 'back' } }),
      ),
    ).toBe('BACKUP_EXPIRED');
    expect((await service.deleteExpired()).deleted).toEqual([id]);
    expect(target.objects.size).toBe(0);
    expect(await service.needsKey(record.keyArns[0] ?? '')).toBe(false);
  });
});
