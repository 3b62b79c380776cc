/** `cqlock keys …` as commands, on a key store of its own: no Cassandra, no proxy. */
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CommandLine } from '../support/command.ts';

interface Key {
  readonly Arn: string;
  readonly KeyState: string;
  readonly Aliases: readonly string[];
}

let home: string;
let cqlock: CommandLine;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'cqlock-commands-'));
  cqlock = new CommandLine({ dataDir: join(home, 'data') });
  await cqlock.done('keys', 'init');
});

afterAll(async () => {
  await rm(home, { recursive: true, force: true });
});

async function newKey(...args: readonly string[]): Promise<string> {
  return (await cqlock.json<Key>('keys', 'create', ...args)).Arn;
}

async function state(key: string): Promise<string> {
  return (await cqlock.json<Key>('keys', 'show', key)).KeyState;
}

describe('keys create, list and show', () => {
  it('make a key with all its members, and show it to people and programs', async () => {
    const arn = await newKey('--alias', 'shop', '--description', 'orders', '--tag', 'team=a=b');
    const listed = await cqlock.json<Key[]>('keys', 'list');
    expect(listed).toMatchObject([{ Arn: arn, KeyState: 'Enabled', Aliases: ['alias/shop'] }]);
    const table = await cqlock.done('keys', 'list');
    expect(table.split('\n')[0]).toMatch(/^ARN +STATE +ALIASES +CREATED +DESCRIPTION$/);
    expect(table).toContain(`${arn}  Enabled  alias/shop`);
    const shown = await cqlock.done('keys', 'show', 'alias/shop');
    expect(shown).toMatch(/^tags +team=a=b$/m);
    expect(shown).toMatch(/^rotation +off; rotated 0 times$/m);
    await cqlock.done('keys', 'rotate', arn);
    await cqlock.done('keys', 'rotate', arn, '--every', '90');
    expect(await cqlock.done('keys', 'show', arn)).toMatch(/every 90 days, .*; rotated 1 times$/m);
  });

  it('refuse what is wrong with exit code 2, and what is not there with 1 and its name', async () => {
    expect(await cqlock.run('keys', 'create', '--tag', 'nothing')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('must be name=value [CONFIG_INVALID]'),
    });
    expect(await cqlock.run('keys', 'show')).toMatchObject({ code: 2, stdout: '' });
    expect((await cqlock.run('keys', 'sho', 'x')).code).toBe(2);
    const absent = await cqlock.run('keys', 'show', 'alias/absent');
    expect(absent).toMatchObject({ code: 1, stdout: '' });
    expect(absent.stderr).toMatch(/^cqlock: .*alias\/absent.*\]\n$/);
  });
});

describe('keys disable, enable and schedule-deletion', () => {
  it('change the state; a deletion is asked about', async () => {
    const arn = await newKey();
    expect(await cqlock.done('keys', 'disable', arn)).toBe(`${arn} is disabled\n`);
    expect(await state(arn)).toBe('Disabled');
    expect(await cqlock.json('keys', 'enable', arn)).toMatchObject({ KeyState: 'Enabled' });
    const refused = await cqlock.run('keys', 'schedule-deletion', arn, '--days', '7');
    expect(refused).toMatchObject({ code: 2, stdout: '' });
    expect(refused.stderr).toContain('Add --yes if that is wanted [CONFIG_NOT_CONFIRMED]');
    const command = ['keys', 'schedule-deletion', arn, '--days', '7'];
    const no = await cqlock.terminal(command, 'Type yes', 'no');
    expect(no).toMatchObject({
      code: 2,
      stdout: expect.stringContaining('CONFIG_NOT_CONFIRMED'),
    });
    expect(await state(arn)).toBe('Enabled');
    const yes = await cqlock.terminal(command, 'Type yes', 'yes');
    expect(yes.code).toBe(0);
    expect(await state(arn)).toBe('PendingDeletion');
    await cqlock.done('keys', 'cancel-deletion', arn);
    expect(await state(arn)).toBe('Disabled');
    const short = await cqlock.run('keys', 'schedule-deletion', arn, '--days', '6', '--yes');
    expect(short).toMatchObject({ code: 1, stderr: expect.stringContaining('7') });
  });
});

describe('a command beside another process', () => {
  it('waits until the key store is free, and does its work then', async () => {
    const lock = join(home, 'data', 'state', 'keystore.cqlock.lock');
    // As this process would hold it: it lives.
    await writeFile(lock, `${process.pid} ${hostname()} 1`);
    const waiting = cqlock.run('keys', 'create', '--alias', 'waited');
    await setTimeout(3_000);
    await rm(lock);
    expect(await waiting).toMatchObject({ code: 0, stdout: expect.stringMatching(/^arn:/) });
    expect(await state('alias/waited')).toBe('Enabled');
  });
});

describe('keys alias, policy, grants and access', () => {
  it('name a key anew', async () => {
    const [a, b] = [await newKey(), await newKey()];
    await cqlock.done('keys', 'alias', 'create', 'moving', a);
    await cqlock.done('keys', 'alias', 'update', 'moving', b);
    expect(await cqlock.done('keys', 'alias', 'list')).toMatch(
      new RegExp(`alias/moving +${b.slice(b.lastIndexOf('/') + 1)}`),
    );
    await cqlock.done('keys', 'alias', 'delete', 'moving');
    expect(await cqlock.done('keys', 'alias', 'list')).not.toContain('alias/moving');
  });

  it('replace a policy from a file, and refuse one that is none', async () => {
    const arn = await newKey();
    const file = join(home, 'policy.json');
    await writeFile(file, await cqlock.done('keys', 'policy', 'show', arn));
    await cqlock.done('keys', 'policy', 'put', arn, file);
    await writeFile(file, '{"Version": "2012-10-17"}');
    expect(await cqlock.run('keys', 'policy', 'put', arn, file)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('Statement'),
    });
    const absent = await cqlock.run('keys', 'policy', 'put', arn, join(home, 'absent'));
    expect(absent).toMatchObject({ code: 2, stderr: expect.stringContaining('cannot be read') });
  });

  it('list grants, and ask before one is revoked', async () => {
    const arn = await newKey();
    expect(await cqlock.json('keys', 'grants', 'list', arn)).toEqual([]);
    expect(await cqlock.run('keys', 'grants', 'revoke', arn, 'a'.repeat(64))).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('CONFIG_NOT_CONFIRMED'),
    });
    const revoke = ['keys', 'grants', 'revoke', arn, 'a'.repeat(64), '--yes'];
    expect((await cqlock.run(...revoke)).code).toBe(1);
  });

  it('make and end access keys; the secret is shown once', async () => {
    const made = await cqlock.json<{ AccessKeyId: string; SecretAccessKey: string }>(
      ...['keys', 'access', 'create', 'app', '--allow', 'kms:Decrypt'],
    );
    expect(made.SecretAccessKey).toHaveLength(40);
    const list = await cqlock.done('keys', 'access', 'list');
    expect(list).toMatch(new RegExp(`${made.AccessKeyId} +arn:\\S+user/app .*kms:Decrypt`));
    expect(list).not.toContain(made.SecretAccessKey);
    expect((await cqlock.run('keys', 'access', 'remove', made.AccessKeyId)).code).toBe(2);
    await cqlock.done('keys', 'access', 'remove', made.AccessKeyId, '--yes');
    expect(await cqlock.json('keys', 'access', 'list')).toEqual([]);
  });
});

describe('keys backup, restore and serve', () => {
  it('write a backup once, check it, and put it back only when that is confirmed', async () => {
    const kept = await newKey('--alias', 'kept');
    const file = join(home, 'keys.backup');
    expect(await cqlock.done('keys', 'backup', file)).toContain('keep that too');
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect((await cqlock.run('keys', 'backup', file)).code).not.toBe(0);
    const lost = await newKey();
    expect(await cqlock.done('keys', 'restore', file, '--check')).toContain('is whole');
    const asked = await cqlock.run('keys', 'restore', file);
    expect(asked).toMatchObject({ code: 2, stderr: expect.stringContaining(lost) });
    await cqlock.done('keys', 'restore', file, '--yes');
    expect(await state('alias/kept')).toBe('Enabled');
    expect(await state(kept)).toBe('Enabled');
    expect((await cqlock.run('keys', 'show', lost)).code).toBe(1);
    const bytes = await readFile(file);
    bytes[bytes.length - 9] = (bytes.at(-9) ?? 0) ^ 1;
    await writeFile(`${file}.edited`, bytes);
    expect((await cqlock.run('keys', 'restore', `${file}.edited`, '--yes')).code).not.toBe(0);
    expect(await state(kept)).toBe('Enabled');
  });

  it('serve until they are stopped, which is no failure', async () => {
    const place = { dataDir: join(home, 'data'), env: { CQLOCK_KMS_LISTEN: '127.0.0.1:0' } };
    const { match, stop } = await new CommandLine(place).start(
      ['keys', 'serve'],
      /the KMS listens on (\S+)/,
    );
    const answer = await fetch(`http://${match[1] ?? ''}/`, { method: 'POST' });
    expect(await answer.json()).toMatchObject({ __type: 'MissingAuthenticationTokenException' });
    expect((await stop()).code).toBe(0);
    expect(await cqlock.run('keys', 'serve')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('CQLOCK_KMS_LISTEN is not set'),
    });
  });
});
