import { createHash, createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  ConfigError,
  InternalError,
  InvalidRequestError,
  MetadataIntegrityError,
} from '../../../src/errors/index.ts';
import {
  CellDek,
  DekStructure,
  constantTimeEqual,
  deriveCatalogKeys,
  hkdf,
  openKeyStore,
  pagingOpen,
  pagingSeal,
  preparedStatementId,
  randomId,
  randomSecret,
  recordMac,
  rootMac,
  sealKeyStore,
  tableKeyCommit,
  unwrapDek,
  wrapDek,
  zero,
} from '../../../src/crypto/index.ts';
import type { DekWrapContext } from '../../../src/crypto/index.ts';
import { pattern } from './support.ts';

const flip = (bytes: Uint8Array, bit: number): Buffer => {
  const altered = Buffer.from(bytes);
  altered[bit >> 3] = (altered[bit >> 3] as number) ^ (1 << (bit & 7));
  return altered;
};

describe('hkdf', () => {
  it('is HKDF-SHA-512 with the labelled info', () => {
    // Extract and expand written out from RFC 5869.
    const prk = createHmac('sha512', pattern(16, 2)).update(pattern(32, 1)).digest();
    const info = Buffer.from('cqlock/1/order', 'ascii');
    const t1 = createHmac('sha512', prk).update(info).update(Buffer.of(1)).digest();
    const t2 = createHmac('sha512', prk).update(t1).update(info).update(Buffer.of(2)).digest();
    const expected = Buffer.concat([t1, t2]).subarray(0, 96);
    expect(hkdf(pattern(32, 1), pattern(16, 2), 'order', 96)).toEqual(expected);
  });
});

describe('wrapped DEK', () => {
  const tableKey = pattern(32, 1);
  const context: DekWrapContext = {
    clusterId: pattern(16, 2),
    tableId: pattern(16, 3),
    structure: 'cell',
    epoch: 5,
    dekId: pattern(16, 4),
    tableKeyVersion: 6,
  };
  const dek = pattern(32, 7);
  const wrapped = wrapDek(tableKey, context, dek);

  it('opens only unaltered, under its key and in its context', () => {
    expect(wrapped).toHaveLength(65);
    expect(unwrapDek(tableKey, context, wrapped)).toEqual(dek);
    const code = { code: 'METADATA_WRAPPED_DEK' };
    for (let bit = 0; bit < 65 * 8; bit++) {
      expect(() => unwrapDek(tableKey, context, flip(wrapped, bit))).toThrow(
        MetadataIntegrityError,
      );
    }
    const others: Partial<DekWrapContext>[] = [
      { clusterId: pattern(16, 9) },
      { tableId: pattern(16, 9) },
      { structure: 'key' },
      { epoch: 4 },
      { dekId: pattern(16, 9) },
      { tableKeyVersion: 7 },
    ];
    for (const other of others) {
      expect(() => unwrapDek(tableKey, { ...context, ...other }, wrapped)).toThrow(
        expect.objectContaining(code) as Error,
      );
    }
    expect(() => unwrapDek(pattern(32, 9), context, wrapped)).toThrow(MetadataIntegrityError);
    for (let n = 0; n < 65; n++) {
      expect(() => unwrapDek(tableKey, context, wrapped.subarray(0, n))).toThrow(
        MetadataIntegrityError,
      );
    }
    expect(Object.keys(DekStructure)).toEqual(['key', 'cell', 'index', 'backup']);
  });

  it('refuses keys and ids of other lengths, and numbers out of range', () => {
    expect(() => wrapDek(tableKey, context, pattern(31, 1))).toThrow(InternalError);
    expect(() => wrapDek(pattern(64, 1), context, dek)).toThrow(InternalError);
    expect(() => wrapDek(tableKey, { ...context, dekId: pattern(15, 1) }, dek)).toThrow(
      InternalError,
    );
    expect(() => wrapDek(tableKey, { ...context, epoch: 65_536 }, dek)).toThrow(InternalError);
    expect(() => wrapDek(tableKey, { ...context, tableKeyVersion: -1 }, dek)).toThrow(
      InternalError,
    );
  });

  it('commitment depends on key and table', () => {
    const all = [
      tableKeyCommit(tableKey, context.tableId),
      tableKeyCommit(pattern(32, 2), context.tableId),
      tableKeyCommit(tableKey, pattern(16, 5)),
    ].map((bytes) => bytes.toString('hex'));
    expect(new Set(all).size).toBe(3);
    expect(all[0]).toHaveLength(64);
  });
});

describe('catalog keys', () => {
  const clusterId = pattern(16, 2);
  const keys = deriveCatalogKeys(pattern(32, 1), clusterId);

  it('are four different keys that are erased together', () => {
    const mine = deriveCatalogKeys(pattern(32, 1), clusterId);
    const texts = [mine.record, mine.root, mine.audit].map((key) => key.toString('hex'));
    expect(new Set(texts).size).toBe(3);
    mine.dispose();
    expect([mine.record, mine.root, mine.audit].every((key) => key.equals(Buffer.alloc(32)))).toBe(
      true,
    );
    expect(() => pagingSeal(mine.paging, [], Buffer.alloc(3))).toThrow(InternalError);
  });

  it('record MAC covers cluster, table, version and body', () => {
    const record = {
      clusterId,
      tableId: pattern(16, 3),
      version: 7n,
      body: Buffer.from('{"v":1}'),
    };
    const macs = [
      recordMac(keys.record, record),
      recordMac(keys.record, { ...record, clusterId: pattern(16, 9) }),
      recordMac(keys.record, { ...record, tableId: pattern(16, 9) }),
      recordMac(keys.record, { ...record, version: 8n }),
      recordMac(keys.record, { ...record, body: Buffer.from('{"v":2}') }),
      recordMac(keys.root, record),
    ].map((mac) => mac.toString('hex'));
    expect(new Set(macs).size).toBe(macs.length);
  });

  it('root MAC is the HMAC of label, cluster and bytes', () => {
    const expected = createHmac('sha256', keys.root)
      .update(Buffer.concat([Buffer.from('cqlock/1/root\0'), clusterId, pattern(90, 4)]))
      .digest();
    expect(rootMac(keys.root, clusterId, pattern(90, 4))).toEqual(expected);
  });
});

describe('key store', () => {
  const root = pattern(32, 1);

  it('opens under its root key only, unaltered and whole', () => {
    const sealed = sealKeyStore(root, 12n, Buffer.from('content'));
    const opened = openKeyStore(root, sealed);
    expect(opened.generation).toBe(12n);
    expect(opened.content.toString()).toBe('content');
    expect(sealKeyStore(root, 12n, Buffer.from('content'))).not.toEqual(sealed);
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      expect(() => openKeyStore(root, flip(sealed, bit))).toThrow(ConfigError);
    }
    for (let n = 0; n < sealed.length; n++) {
      expect(() => openKeyStore(root, sealed.subarray(0, n))).toThrow(ConfigError);
    }
    expect(() => openKeyStore(pattern(32, 2), sealed)).toThrow(ConfigError);
    expect(() => openKeyStore(pattern(31, 2), sealed)).toThrow(InternalError);
  });
});

describe('tokens for clients', () => {
  const { paging } = deriveCatalogKeys(pattern(32, 1), pattern(16, 2));

  it('a paging state opens only unaltered and for its statement', () => {
    const data = [Buffer.from('a'), Buffer.from('b')];
    const state = pagingSeal(paging, data, Buffer.from('position'));
    expect(pagingOpen(paging, data, state).toString()).toBe('position');
    expect(state.includes('position')).toBe(false);
    expect(pagingSeal(paging, data, Buffer.from('position'))).not.toEqual(state);
    for (let bit = 0; bit < state.length * 8; bit++) {
      expect(() => pagingOpen(paging, data, flip(state, bit))).toThrow(InvalidRequestError);
    }
    for (let n = 0; n < state.length; n++) {
      expect(() => pagingOpen(paging, data, state.subarray(0, n))).toThrow(InvalidRequestError);
    }
    for (const other of [
      [],
      [Buffer.from('ab')],
      [...data].reverse(),
      [...data, Buffer.alloc(0)],
    ]) {
      expect(() => pagingOpen(paging, other, state)).toThrow(
        expect.objectContaining({ cqlCode: 0x000a }) as Error,
      );
    }
  });

  it('a statement id is a hash of unambiguous parts', () => {
    const lp = (text: string): Buffer => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(Buffer.byteLength(text));
      return Buffer.concat([length, Buffer.from(text)]);
    };
    const bytes = Buffer.concat([lp('cqlock/1/prepared'), Buffer.of(1), lp('ks'), lp('SELECT é')]);
    const expected = createHash('sha256').update(bytes).digest().subarray(0, 16);
    expect(preparedStatementId('ks', 'SELECT é')).toEqual(expected);
    const ids = [
      preparedStatementId(undefined, 'ab'),
      preparedStatementId('', 'ab'),
      preparedStatementId('a', 'b'),
      preparedStatementId('ab', ''),
    ].map((id) => id.toString('hex'));
    expect(new Set(ids).size).toBe(4);
  });
});

describe('bytes', () => {
  it('compares, makes and erases', () => {
    expect(constantTimeEqual(Buffer.from('ab'), Buffer.from('ab'))).toBe(true);
    expect(constantTimeEqual(Buffer.from('ab'), Buffer.from('ac'))).toBe(false);
    expect(constantTimeEqual(Buffer.from('ab'), Buffer.from('abc'))).toBe(false);
    const secret = randomSecret(32);
    expect(secret.buffer.byteLength).toBe(32);
    expect(secret.equals(randomSecret(32))).toBe(false);
    zero(secret);
    expect(secret).toEqual(Buffer.alloc(32));
    expect(randomId()).toHaveLength(16);
  });
});

describe('DEKs in use', () => {
  it('derivation checks its input', () => {
    expect(() => CellDek.derive(pattern(31, 1), pattern(16, 1), 1)).toThrow(InternalError);
    expect(() => CellDek.derive(pattern(32, 1), pattern(15, 1), 1)).toThrow(InternalError);
    expect(() => CellDek.derive(pattern(32, 1), pattern(16, 1), 65_536)).toThrow(InternalError);
  });
});
