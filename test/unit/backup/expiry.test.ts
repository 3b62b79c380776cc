/** The end of backups whose time is over, and of those that cannot be deleted at once. */
import { beforeEach, describe, expect, it } from 'vitest';
import { lostTableBackups } from '../../../src/app/backup_ports.ts';
import { BackupService } from '../../../src/backup/index.ts';
import { BackupError } from '../../../src/errors/index.ts';
import { KeyTransfer, KmsTableKeys } from '../../../src/keys/index.ts';
import { JobRegistry } from '../../../src/observability/index.ts';
import { fakeClock } from '../../support/fake_clock.ts';
import { MemoryCluster } from '../../support/memory_cluster.ts';
import type { MemoryProxy } from '../../support/memory_cluster.ts';
import { fakeConnection, sealedRows } from './fake_rows.ts';
import { MemoryTarget } from './memory_target.ts';

const DAY = 86_400_000;
const MINUTE = 60_000;
const TABLE = { keyspace: 'ks', name: 't' };

const clock = fakeClock();
let cluster: MemoryCluster;
let proxy: MemoryProxy;
let target: MemoryTarget;
let rows: Record<string, unknown>[];
let first: string;
let second: string;
/** Ids of backups whose objects cannot be deleted. */
let stuck: Set<string>;

class StubbornTarget extends MemoryTarget {
  override async delete(name: string): Promise<void> {
    if ([...stuck].some((id) => name.startsWith(id))) throw new BackupError('BACKUP_TARGET', 'no');
    await super.delete(name);
  }
}

beforeEach(async () => {
  stuck = new Set();
  cluster = await MemoryCluster.start(clock);
  proxy = await cluster.proxy();
  await proxy.create('t');
  const table = proxy.catalog.snapshot().table('ks', 't');
  if (table === undefined) throw new Error('no table');
  const { clusterId } = await proxy.catalog.readRecords();
  target = new StubbornTarget();
  rows = await sealedRows(cluster, table, clusterId, 20);
  first = await service().backupTable(TABLE);
  clock.advance(DAY);
  second = await service().backupTable(TABLE);
});

/** A service of a process of its own. */
function service(
  served = target,
  step: (name: string) => void | Promise<void> = () => undefined,
): BackupService {
  return new BackupService(
    {
      catalog: proxy.catalog,
      changes: proxy.changes,
      tableKeys: new KmsTableKeys(cluster.kms),
      transfer: new KeyTransfer(cluster.kms),
      connection: fakeConnection(cluster, rows),
      clock,
      target: served,
    },
    { chunkBytes: 1024, step },
  );
}

describe('backups whose time is over', () => {
  it('are deleted, and no others', async () => {
    expect(await service().deleteExpired()).toEqual({
      deleted: [],
      kept: [second, first],
      left: [],
    });
    clock.advance(34 * DAY);
    expect(await service().deleteExpired()).toEqual({ deleted: [first], kept: [second], left: [] });
    expect([...target.objects.keys()].every((name) => name.startsWith(second))).toBe(true);
    clock.advance(DAY);
    expect(await service().deleteExpired()).toEqual({ deleted: [second], kept: [], left: [] });
    expect(target.objects.size).toBe(0);
  });

  it('keep no other from its end when they cannot be deleted, and end later', async () => {
    clock.advance(36 * DAY);
    stuck.add(second);
    expect(await service().deleteExpired()).toMatchObject({
      deleted: [first],
      kept: [second],
      left: [{ backupId: second, error: { code: 'BACKUP_TARGET' } }],
    });
    stuck.clear();
    // The process that failed might be at it still.
    expect(await service().deleteExpired()).toMatchObject({
      deleted: [],
      left: [{ backupId: second, error: { code: 'BACKUP_STATE' } }],
    });
    clock.advance(MINUTE);
    expect(await service().deleteExpired()).toEqual({ deleted: [second], kept: [], left: [] });
    expect(target.objects.size).toBe(0);
  });

  it('are left to the process that works with their target', async () => {
    clock.advance(36 * DAY);
    const other = Object.assign(new MemoryTarget(), { description: 'another directory' });
    const { deleted, kept, left } = await service(other).deleteExpired();
    expect(deleted).toEqual([]);
    expect(kept).toEqual([second, first]);
    expect(String(left[0]?.error)).toContain('is at memory');
  });

  it('are gone for a process when another one was faster', async () => {
    clock.advance(36 * DAY);
    const slow = service(target, async (name) => {
      if (name === 'delete.envelope') await service().deleteExpired();
    });
    // Each is at one of them while the other takes the rest.
    const { kept } = await slow.deleteExpired();
    expect(kept).toEqual([]);
    expect(target.objects.size).toBe(0);
  });

  it('are in the log when they are deleted or cannot be, but not while they are in use', async () => {
    const lines: string[] = [];
    const logger = {
      info: (fields: object, text: string) => lines.push(`info ${JSON.stringify(fields)} ${text}`),
      warn: (fields: { backup?: string }, text: string) =>
        lines.push(`warn ${String(fields.backup)} ${text}`),
    };
    const port = lostTableBackups(service(), new JobRegistry(() => clock.nowMs()), logger);
    clock.advance(36 * DAY);
    stuck.add(second);
    expect(await port.deleteExpired(clock.nowMs())).toEqual(new Set([second]));
    expect(lines).toEqual([
      `info {"backup":"${first}"} a backup whose time is over is deleted`,
      `warn ${second} a backup whose time is over could not be deleted; it is tried again`,
    ]);
    expect(await port.deleteExpired(clock.nowMs())).toEqual(new Set([second]));
    expect(lines).toHaveLength(2);
  });
});
