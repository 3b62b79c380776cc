import { describe, expect, it } from 'vitest';
import {
  KeyAccessError,
  KeyUnavailableError,
  MetadataIntegrityError,
} from '../../../src/errors/index.ts';
import { KeyProbe } from '../../../src/lifecycle/index.ts';
import type { KmsProvider } from '../../../src/kms/index.ts';
import type { TableRecord } from '../../../src/schema/index.ts';

const DENIED = new KeyAccessError('KEY_ACCESS_DENIED', 'no permission');
const AWAY = new KeyUnavailableError('KEY_KMS', 'no answer');

function record(keyArns: readonly string[]): TableRecord {
  return {
    keys: {
      tableKeys: keyArns.map((keyArn) => ({ provider: 'p', keyArn, blob: '00', context: {} })),
    },
  } as unknown as TableRecord;
}

function probe(answers: {
  readonly decrypt?: (keyArn: string) => Promise<Uint8Array>;
  readonly describeKey?: () => Promise<{ state: string }>;
}) {
  const plaintexts: Uint8Array[] = [];
  const provider = {
    name: 'p',
    decrypt: async (keyArn: string) => {
      const plaintext = (await answers.decrypt?.(keyArn)) ?? Buffer.alloc(32, 7);
      plaintexts.push(plaintext);
      return plaintext;
    },
    describeKey: answers.describeKey ?? (() => Promise.resolve({ state: 'enabled' })),
  } as unknown as KmsProvider;
  return { probe: new KeyProbe({ named: () => provider }), plaintexts };
}

describe('a probe', () => {
  it('of keys that open their wraps says usable, and forgets what it opened', async () => {
    const { probe: keys, plaintexts } = probe({});
    expect((await keys.probe(record(['a', 'b']))).kind).toBe('usable');
    expect(plaintexts.map((plain) => Buffer.from(plain).equals(Buffer.alloc(32)))).toEqual([
      true,
      true,
    ]);
  });

  it('says refused when one of the keys is, and which', async () => {
    const decrypt = (keyArn: string): Promise<Uint8Array> =>
      keyArn === 'b' ? Promise.reject(DENIED) : Promise.resolve(Buffer.alloc(32));
    expect(await probe({ decrypt }).probe.probe(record(['a', 'b', 'c']))).toMatchObject({
      kind: 'refused',
      keyArn: 'b',
      error: { code: 'KEY_ACCESS_DENIED' },
    });
  });

  it('takes a refusal of one key over the silence about another', async () => {
    const decrypt = (keyArn: string): Promise<Uint8Array> =>
      Promise.reject(keyArn === 'b' ? DENIED : AWAY);
    expect((await probe({ decrypt }).probe.probe(record(['a', 'b']))).kind).toBe('refused');
  });

  it.each([
    ['disabled', 'KEY_DISABLED'],
    ['pending_deletion', 'KEY_PENDING_DELETION'],
  ])('says refused when the key is %s, even if it still opens', async (state, code) => {
    const { probe: keys } = probe({ describeKey: () => Promise.resolve({ state }) });
    expect(await keys.probe(record(['a']))).toMatchObject({ kind: 'refused', error: { code } });
  });

  it.each<[string, Error]>([
    ['may not be described', DENIED],
    ['is not described in time', AWAY],
  ])('says usable when the key opens but %s', async (_, error) => {
    const { probe: keys } = probe({ describeKey: () => Promise.reject(error) });
    expect((await keys.probe(record(['a']))).kind).toBe('usable');
  });

  it.each<[string, Error]>([
    ['unavailable', AWAY],
    ['unavailable', new TypeError('socket hang up')],
    ['integrity', new MetadataIntegrityError('METADATA_WRAPPED_KEY', 'another key')],
  ])('says %s, never refused, when the KMS says nothing about access', async (kind, error) => {
    const { probe: keys } = probe({ decrypt: () => Promise.reject(error) });
    expect((await keys.probe(record(['a']))).kind).toBe(kind);
  });

  it('says misconfigured when the KMS is not configured: that is no word about the key', async () => {
    const named = (): never => {
      throw new KeyAccessError('KEY_NOT_FOUND', 'the KMS p is not configured');
    };
    expect((await new KeyProbe({ named }).probe(record(['a']))).kind).toBe('misconfigured');
  });

  it('describes a key once for all tables that ask at the same moment', async () => {
    let calls = 0;
    const { probe: keys } = probe({
      describeKey: async () => {
        calls += 1;
        await new Promise((resolve) => setImmediate(resolve));
        return { state: 'enabled' };
      },
    });
    await Promise.all(Array.from({ length: 8 }, () => keys.probe(record(['a']))));
    expect(calls).toBe(1);
  });
});
