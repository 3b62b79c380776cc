import { spawn } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { EmbeddedKms, KeyStore, createRootKeyFile, loadRootKey } from '../../../src/kms/index.ts';
import type { RootKey } from '../../../src/kms/index.ts';
import { builtProduct } from '../../support/built_product.ts';

const WRITE_STEPS = [
  'key_store.open',
  'key_store.write',
  'key_store.sync',
  'key_store.rename',
  'key_store.sync_directory',
  'key_store.written',
];

function rootKey(byte = 5): RootKey {
  return loadRootKey({ kind: 'base64', value: Buffer.alloc(32, byte).toString('base64') });
}

function newDirectory(): string {
  return mkdtempSync(join(tmpdir(), 'cqlock-store-'));
}

async function newStore(): Promise<{ path: string; arn: string }> {
  const path = join(newDirectory(), 'keystore');
  const kms = new EmbeddedKms({ store: await KeyStore.create({ path, rootKey: rootKey() }) });
  return { path, arn: await kms.createServiceKey('table', 'first', 'owner') };
}

const damaged = { name: 'ConfigError', code: 'CONFIG_KEY_STORE' };
const wrongRootKey = { name: 'ConfigError', code: 'CONFIG_ROOT_KEY' };

describe('a key store', () => {
  it('is not readable: neither keys, ARNs nor descriptions are in the file, and its mode is 0600', async () => {
    const { path, arn } = await newStore();
    const bytes = readFileSync(path);
    const material = KeyStore.open({ path, rootKey: rootKey() }).read().keys[arn]?.material ?? '';
    expect(material.length).toBe(44);
    for (const secret of ['arn:', 'first', 'owner', material, Buffer.from(material, 'base64')]) {
      expect(bytes.includes(secret)).toBe(false);
    }
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it('is refused with another root key, and when it is missing', async () => {
    const { path } = await newStore();
    expect(() => KeyStore.open({ path, rootKey: rootKey(6) })).toThrow(
      expect.objectContaining(damaged),
    );
    expect(() => KeyStore.open({ path: `${path}x`, rootKey: rootKey() })).toThrow(
      expect.objectContaining(damaged),
    );
  });

  it('is refused when it is truncated at any length, and left as it is', async () => {
    const { path } = await newStore();
    const whole = readFileSync(path);
    for (let length = 0; length < whole.length; length += 7) {
      writeFileSync(path, whole);
      truncateSync(path, length);
      expect(() => KeyStore.open({ path, rootKey: rootKey() })).toThrow(
        expect.objectContaining(damaged),
      );
      await KeyStore.create({ path, rootKey: rootKey() }).then(
        () => expect.unreachable(),
        (error: unknown) => {
          expect(error).toMatchObject(damaged);
        },
      );
      expect(statSync(path).size).toBe(length);
    }
  });

  it('is refused with any byte changed', async () => {
    const { path } = await newStore();
    const whole = readFileSync(path);
    // The salt for scrypt (32 bytes after magic and kind) is not used with a raw key.
    const unused = { from: 19, to: 51 };
    for (let at = 0; at < whole.length; at += 1) {
      if (at >= unused.from && at < unused.to) continue;
      const changed = Buffer.from(whole);
      changed[at] = (changed[at] as number) ^ 1;
      writeFileSync(path, changed);
      expect(() => KeyStore.open({ path, rootKey: rootKey() }), `byte ${at}`).toThrow(
        expect.objectContaining(damaged),
      );
    }
  });

  it('put back from a copy is refused by a process that has seen a newer one', async () => {
    const { path } = await newStore();
    const store = KeyStore.open({ path, rootKey: rootKey() });
    copyFileSync(path, `${path}.copy`);
    await new EmbeddedKms({ store }).createServiceKey('table', 'second', 'owner');
    copyFileSync(`${path}.copy`, path);
    expect(() => store.read()).toThrow(expect.objectContaining(damaged));
    await expect(store.update((state) => ({ ...state }))).rejects.toMatchObject(damaged);
  });

  it('opens with its passphrase only', async () => {
    const path = join(newDirectory(), 'keystore');
    const passphrase = (value: string): RootKey => loadRootKey({ kind: 'passphrase', value });
    await KeyStore.create({ path, rootKey: passphrase('correct horse') });
    expect(KeyStore.open({ path, rootKey: passphrase('correct horse') }).read().cluster).toBe(null);
    expect(() => KeyStore.open({ path, rootKey: passphrase('wrong horse') })).toThrow(
      expect.objectContaining(damaged),
    );
    expect(() => KeyStore.open({ path, rootKey: rootKey() })).toThrow(
      expect.objectContaining(damaged),
    );
    expect(() => passphrase('')).toThrow(expect.objectContaining(wrongRootKey));
  });
});

describe('a write of the key store', () => {
  // Made anew from changed sources, which takes longer than a test may on a busy machine.
  beforeAll(async () => {
    await builtProduct();
  }, 300_000);

  /** A process that begins a second key and kills itself at a step. */
  async function killedAt(path: string, step: string): Promise<void> {
    const kmsFolder = join(dirname(await builtProduct()), '..', 'kms', 'index.js');
    const program = `
      import { EmbeddedKms, KeyStore, loadRootKey } from '${kmsFolder}';
      const [path, at] = process.argv.slice(1);
      const rootKey = loadRootKey({ kind: 'base64', value: Buffer.alloc(32, 5).toString('base64') });
      const step = (name) => { if (name === at) process.kill(process.pid, 'SIGKILL'); };
      const kms = new EmbeddedKms({ store: KeyStore.open({ path, rootKey, step }) });
      await kms.createServiceKey('table', 'second', 'owner');
    `;
    const child = spawn(process.execPath, ['--input-type=module', '--eval', program, path, step], {
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    const signal = await new Promise((resolve) => child.once('exit', (_, by) => resolve(by)));
    expect(signal).toBe('SIGKILL');
  }

  it.each(WRITE_STEPS)(
    'leaves the old or the new state, usable, when killed at %s',
    async (step) => {
      const { path, arn } = await newStore();
      await killedAt(path, step);
      expect(existsSync(`${path}.lock`)).toBe(true);
      const store = KeyStore.open({ path, rootKey: rootKey() });
      const isNew = step === 'key_store.sync_directory' || step === 'key_store.written';
      const keys = Object.values(store.read().keys).map((key) => key.description);
      expect(keys).toEqual(isNew ? ['first', 'second'] : ['first']);
      // The lock of the dead process is taken over, and what it left is cleaned up.
      const kms = new EmbeddedKms({ store });
      await kms.generateDataKey(arn, {});
      await kms.createServiceKey('table', 'third', 'owner');
      expect(readdirSync(join(path, '..'))).toEqual(['keystore']);
    },
  );

  it('takes over the lock of an earlier process that had this process’s id, as in a container', async () => {
    const { path } = await newStore();
    writeFileSync(`${path}.lock`, `${process.pid} ${hostname()} 12345`);
    const store = KeyStore.open({ path, rootKey: rootKey() });
    await new EmbeddedKms({ store }).createServiceKey('table', 'second', 'owner');
    expect(existsSync(`${path}.lock`)).toBe(false);
  });

  it('waits for a process that lives, and says so in the end', async () => {
    const { path } = await newStore();
    // Process 1 lives as long as the machine does.
    writeFileSync(`${path}.lock`, `1 ${hostname()} 1`);
    const store = KeyStore.open({ path, rootKey: rootKey() });
    const kms = new EmbeddedKms({ store });
    await expect(kms.createServiceKey('table', 'second', 'owner')).rejects.toMatchObject({
      name: 'KeyUnavailableError',
      code: 'KEY_STORE_LOCKED',
    });
    expect(existsSync(`${path}.lock`)).toBe(true);
  }, 20_000);

  it('that cannot be made is an error and changes nothing', async () => {
    const { path } = await newStore();
    const before = readFileSync(path);
    const store = KeyStore.open({
      path,
      rootKey: rootKey(),
      step: (name) => {
        if (name === 'key_store.sync') throw new TypeError('no space');
      },
    });
    await expect(
      new EmbeddedKms({ store }).createServiceKey('table', 'second', 'owner'),
    ).rejects.toMatchObject(damaged);
    expect(readFileSync(path)).toEqual(before);
    expect(readdirSync(join(path, '..'))).toEqual(['keystore']);
  });
});

describe('a root key file', () => {
  it('is made with mode 0600 and never replaced', () => {
    const path = join(newDirectory(), 'deep', 'root.key');
    createRootKeyFile(path);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(join(path, '..')).mode & 0o777).toBe(0o700);
    const bytes = readFileSync(path);
    expect(bytes.length).toBe(32);
    expect(() => {
      createRootKeyFile(path);
    }).toThrow(expect.objectContaining(wrongRootKey));
    expect(readFileSync(path)).toEqual(bytes);
  });

  it.each(['644', '640', '660', '604', '610', '601'])('of mode %s is refused', (mode) => {
    const path = join(newDirectory(), 'root.key');
    createRootKeyFile(path);
    chmodSync(path, Number.parseInt(mode, 8));
    expect(() => loadRootKey({ kind: 'file', path })).toThrow(
      expect.objectContaining({
        ...wrongRootKey,
        message: expect.stringContaining('0600') as string,
      }),
    );
  });

  it.each([0, 31, 33, 44, 64])('of %d bytes is refused', (length) => {
    const path = join(newDirectory(), 'root.key');
    writeFileSync(path, Buffer.alloc(length, 1), { mode: 0o600 });
    expect(() => loadRootKey({ kind: 'file', path })).toThrow(
      expect.objectContaining(wrongRootKey),
    );
  });

  it('that is missing is refused', () => {
    expect(() => loadRootKey({ kind: 'file', path: join(newDirectory(), 'root.key') })).toThrow(
      expect.objectContaining(wrongRootKey),
    );
  });

  it.each([
    ['too short', Buffer.alloc(31).toString('base64')],
    ['too long', Buffer.alloc(33).toString('base64')],
    ['no base64', '!'.repeat(44)],
    ['not canonical', `${'A'.repeat(42)}B=`],
    ['empty', ''],
  ])('as a setting that is %s is refused', (_, value) => {
    expect(() => loadRootKey({ kind: 'base64', value })).toThrow(
      expect.objectContaining(wrongRootKey),
    );
  });
});
