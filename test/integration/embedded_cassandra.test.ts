import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Client } from 'cassandra-driver';
import { startCassandra } from '../support/cassandra.ts';
import type { TestCassandra } from '../support/cassandra.ts';
import { findFreePort, startEmbeddedCassandra } from '../../src/app/embedded_cassandra/index.ts';

describe('embedded Cassandra', () => {
  let cassandra: TestCassandra;

  beforeAll(async () => {
    cassandra = await startCassandra({ cheapSchemaChanges: false });
  }, 600_000);
  afterAll(async () => {
    await cassandra.stop();
  });

  async function query(text: string): Promise<unknown[]> {
    const client = new Client({
      contactPoints: [`127.0.0.1:${String(cassandra.port)}`],
      localDataCenter: 'datacenter1',
    });
    try {
      const { rows } = await client.execute(text);
      return Array.isArray(rows) ? rows : [];
    } finally {
      await client.shutdown();
    }
  }

  it('answers a driver, with size limits eight times as large as Cassandra has them', async () => {
    const rows = await query('SELECT release_version, cluster_name FROM system.local');
    expect(rows).toHaveLength(1);
    expect(JSON.parse(JSON.stringify(rows[0]))).toMatchObject({ release_version: '5.0.6' });
    const settings = (await query('SELECT name, value FROM system_views.settings')) as {
      name: string;
      value: string;
    }[];
    const value = (name: string): string | undefined =>
      settings.find((setting) => setting.name === name)?.value;
    expect(value('batch_size_warn_threshold')).toBe('40KiB');
    expect(value('batch_size_fail_threshold')).toBe('400KiB');
    expect(value('native_transport_max_frame_size')).toBe('128MiB');
  });

  it('refuses a data directory that a running process uses', async () => {
    await expect(
      startEmbeddedCassandra({ dataDir: cassandra.dataDir, port: cassandra.port }),
    ).rejects.toMatchObject({ code: 'CONFIG_DATA_DIR' });
  });

  it('says that a port is busy', async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'cqlock-busy-'));
    try {
      await expect(startEmbeddedCassandra({ dataDir, port: cassandra.port })).rejects.toMatchObject(
        {
          code: 'CONFIG_PORT',
          message: expect.stringContaining(String(cassandra.port)) as string,
        },
      );
    } finally {
      await rm(dataDir, { recursive: true });
    }
  });

  it('says why a Cassandra does not come up, and leaves no process behind', async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'cqlock-broken-'));
    try {
      await expect(
        startEmbeddedCassandra({
          dataDir,
          port: await findFreePort(),
          yaml: { no_such_setting: 1 },
        }),
      ).rejects.toMatchObject({
        code: 'UPSTREAM_START',
        message: expect.stringContaining('no_such_setting') as string,
      });
      const run = JSON.parse(await readFile(join(dataDir, 'run.json'), 'utf8')) as object;
      expect(run).not.toHaveProperty('daemon');
    } finally {
      await rm(dataDir, { recursive: true });
    }
  });

  it('flushes by nodetool', async () => {
    await query(
      "CREATE KEYSPACE launcher WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
    );
    await query('CREATE TABLE launcher.t (k int PRIMARY KEY, v text)');
    await query("INSERT INTO launcher.t (k, v) VALUES (1, 'kept')");
    const result = await cassandra.nodetool('flush', 'launcher');
    expect(result.code).toBe(0);
  });

  it('keeps rows over kill -9 and a new start', async () => {
    await query("INSERT INTO launcher.t (k, v) VALUES (2, 'flushed')");
    await cassandra.nodetool('flush', 'launcher');
    await cassandra.kill9();
    cassandra = await cassandra.restart();
    const rows = await query('SELECT k, v FROM launcher.t');
    expect(rows).toHaveLength(2);
  }, 120_000);
});
