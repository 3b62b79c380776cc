/** A SoftHSM token in a directory of its own, and what its administrator does. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pkcs11js from 'pkcs11js';
import { serverDirectory } from './test_server.ts';
import type { MissingServer } from './test_server.ts';

const run = promisify(execFile);
const LIBRARIES = [
  '/usr/lib/softhsm/libsofthsm2.so',
  '/usr/lib64/softhsm/libsofthsm2.so',
  '/usr/local/lib/softhsm/libsofthsm2.so',
  '/opt/homebrew/lib/softhsm/libsofthsm2.so',
];

/** A token, and its administrator's own session. */
export interface SoftHsm {
  readonly missing: undefined;
  readonly library: string;
  readonly tokenLabel: string;
  readonly pin: string;
  /** Makes an AES key; returns its CKA_ID in hex. */
  createKey(label: string, bytes?: number): string;
  /** Sets CKA_ENCRYPT and CKA_DECRYPT. */
  setUsable(id: string, isUsable: boolean): void;
  destroy(id: string): void;
  stop(): Promise<void>;
}

/** Makes a token; installs SoftHSM where that is possible. */
export async function startSoftHsm(): Promise<SoftHsm | MissingServer> {
  const library = await findLibrary();
  if (library === undefined) return { missing: 'SoftHSM is not there and cannot be installed' };
  const directory = await serverDirectory('softhsm');
  const tokens = join(directory, 'tokens');
  const configFile = join(directory, 'softhsm2.conf');
  await mkdir(tokens);
  await writeFile(configFile, `directories.tokendir = ${tokens}\nobjectstore.backend = file\n`);
  process.env['SOFTHSM2_CONF'] = configFile;
  const [tokenLabel, pin] = ['cqlock test', '12345678'];
  await run('softhsm2-util', [
    ...['--init-token', '--free', '--label', tokenLabel],
    ...['--pin', pin, '--so-pin', '87654321'],
  ]);
  const administrator = new pkcs11js.PKCS11();
  administrator.load(library);
  administrator.C_Initialize({ flags: pkcs11js.CKF_OS_LOCKING_OK });
  const slot = administrator
    .C_GetSlotList(true)
    .find((candidate) => administrator.C_GetTokenInfo(candidate).label.trim() === tokenLabel);
  if (slot === undefined) throw new Error('the new token is not there');
  const session = administrator.C_OpenSession(
    slot,
    pkcs11js.CKF_SERIAL_SESSION | pkcs11js.CKF_RW_SESSION,
  );
  administrator.C_Login(session, pkcs11js.CKU_USER, pin);
  let count = 0;
  const find = (id: string): Buffer => {
    administrator.C_FindObjectsInit(session, [
      { type: pkcs11js.CKA_ID, value: Buffer.from(id, 'hex') },
    ]);
    const [handle] = administrator.C_FindObjects(session, 1);
    administrator.C_FindObjectsFinal(session);
    if (handle === undefined) throw new Error(`there is no key ${id}`);
    return handle;
  };
  return {
    missing: undefined,
    library,
    tokenLabel,
    pin,
    createKey: (label, bytes = 32) => {
      count += 1;
      const id = Buffer.from([0xa0, count >> 8, count & 0xff]);
      administrator.C_GenerateKey(session, { mechanism: pkcs11js.CKM_AES_KEY_GEN }, [
        { type: pkcs11js.CKA_TOKEN, value: true },
        { type: pkcs11js.CKA_PRIVATE, value: true },
        { type: pkcs11js.CKA_SENSITIVE, value: true },
        { type: pkcs11js.CKA_EXTRACTABLE, value: false },
        { type: pkcs11js.CKA_ENCRYPT, value: true },
        { type: pkcs11js.CKA_DECRYPT, value: true },
        { type: pkcs11js.CKA_VALUE_LEN, value: bytes },
        { type: pkcs11js.CKA_LABEL, value: label },
        { type: pkcs11js.CKA_ID, value: id },
      ]);
      return id.toString('hex');
    },
    setUsable: (id, isUsable) => {
      administrator.C_SetAttributeValue(session, find(id), [
        { type: pkcs11js.CKA_ENCRYPT, value: isUsable },
        { type: pkcs11js.CKA_DECRYPT, value: isUsable },
      ]);
    },
    destroy: (id) => {
      administrator.C_DestroyObject(session, find(id));
    },
    stop: async () => {
      administrator.C_CloseSession(session);
      administrator.C_Finalize();
      administrator.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function findLibrary(): Promise<string | undefined> {
  const find = (): string | undefined => LIBRARIES.find((path) => existsSync(path));
  if (find() !== undefined || process.getuid?.() !== 0) return find();
  try {
    await run('apt-get', ['update', '-qq'], { timeout: 300_000 });
    await run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', 'softhsm2'], {
      timeout: 300_000,
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    });
  } catch {
    return undefined;
  }
  return find();
}
