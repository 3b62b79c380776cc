/** Both places for backups do the same: a directory, and a bucket on a real S3 server (moto). */
import { execFile, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findFreePort } from '../../src/app/embedded_cassandra/index.ts';
import { DirectoryTarget, S3Target } from '../../src/backup/index.ts';
import type { BackupTarget } from '../../src/backup/index.ts';

const run = promisify(execFile);
const VENV = fileURLToPath(new URL('../../.cache/moto-s3', import.meta.url));
const MOTO = 'moto[server,s3]==5.2.5';

let moto: ChildProcess;
let home: string;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'cqlock-targets-'));
  if (!existsSync(join(VENV, 'bin', 'moto_server'))) {
    await run('python3', ['-m', 'venv', VENV]);
    await run(join(VENV, 'bin', 'pip'), ['install', '--quiet', MOTO]);
  }
  const port = await findFreePort();
  moto = spawn(join(VENV, 'bin', 'moto_server'), ['-H', '127.0.0.1', '-p', String(port)], {
    stdio: 'ignore',
  });
  process.env['AWS_ENDPOINT_URL_S3'] = `http://127.0.0.1:${port}`;
  process.env['AWS_REGION'] = 'eu-central-1';
  process.env['AWS_ACCESS_KEY_ID'] = 'test';
  process.env['AWS_SECRET_ACCESS_KEY'] = 'test';
  const client = new S3Client({ forcePathStyle: true });
  const giveUpAt = Date.now() + 60_000;
  for (;;) {
    try {
      await client.send(
        new CreateBucketCommand({
          Bucket: 'backups',
          CreateBucketConfiguration: { LocationConstraint: 'eu-central-1' },
        }),
      );
      return;
    } catch (error) {
      if (Date.now() > giveUpAt) throw error;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
});

afterAll(async () => {
  moto?.kill('SIGKILL');
  await rm(home, { recursive: true, force: true });
});

const s3 = (bucket: string, prefix: string): BackupTarget =>
  new S3Target({ bucket, prefix, usesPathStyle: true });

describe.each([
  ['a directory', () => new DirectoryTarget(join(home, 'backups'))],
  ['a bucket', () => s3('backups', 'some/prefix')],
  ['a whole bucket', () => s3('backups', '')],
])('%s', (_, open) => {
  it('stores, replaces, lists and removes objects', async () => {
    const target = open();
    const id = `id-${randomBytes(4).toString('hex')}`;
    expect(await target.get(`${id}/absent`)).toBe(undefined);
    await target.delete(`${id}/absent`);
    expect(await target.list(`${id}/`)).toEqual([]);
    const large = Buffer.alloc(9 << 20, 'large');
    await target.put(`${id}/chunk-1`, large);
    await target.put(`${id}/chunk-0`, Buffer.from('first'));
    await target.put(`${id}/manifest`, Buffer.alloc(0));
    await target.put(`${id}/chunk-0`, Buffer.from('second'));
    expect(await target.list(`${id}/chunk-`)).toEqual([`${id}/chunk-0`, `${id}/chunk-1`]);
    expect((await target.get(`${id}/chunk-0`))?.toString()).toBe('second');
    expect(large.equals((await target.get(`${id}/chunk-1`)) ?? Buffer.alloc(0))).toBe(true);
    expect(await target.get(`${id}/manifest`)).toHaveLength(0);
    for (const name of await target.list(`${id}/`)) await target.delete(name);
    expect(await target.list(`${id}/`)).toEqual([]);
  });
});

describe('a bucket', () => {
  it('lists more objects than one answer holds', async () => {
    const target = s3('backups', 'many');
    const names = Array.from({ length: 1005 }, (_, i) => `x/${String(i).padStart(5, '0')}`);
    for (const name of names) await target.put(name, Buffer.of(1));
    expect(await target.list('x/')).toEqual(names);
  });

  it('says what is wrong when it is not there', async () => {
    await expect(s3('no-such-bucket', '').put('a', Buffer.of(1))).rejects.toMatchObject({
      code: 'BACKUP_TARGET',
      message: expect.stringMatching(/s3:\/\/no-such-bucket.*NoSuchBucket/) as string,
    });
  });
});

describe('a directory', () => {
  it('leaves nothing half-written', async () => {
    const root = join(home, 'blocked');
    const target = new DirectoryTarget(root);
    await target.put('a/b', Buffer.from('kept'));
    // A directory in the place of the object: the rename fails after everything was written.
    await target.put('a/c/d', Buffer.of(1));
    await expect(target.put('a/c', Buffer.of(2))).rejects.toMatchObject({ code: 'BACKUP_TARGET' });
    expect((await readdir(join(root, 'a'))).sort()).toEqual(['b', 'c']);
    expect(await target.list('a/')).toEqual(['a/b', 'a/c/d']);
  });
});
