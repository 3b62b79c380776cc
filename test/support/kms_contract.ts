/** What every KMS provider must do, whatever is behind it. Each provider's test file calls this with its own set-up. */
import { expect, it } from 'vitest';
import type { EncryptionContext, KmsProvider, ServiceKeyProvider } from '../../src/kms/index.ts';

/** A provider, and what only its administrator can do. */
export interface KmsUnderTest<P extends KmsProvider = KmsProvider> {
  readonly provider: P;
  /** An identifier of the provider's form of a key that is not there. */
  readonly absentKey: string;
  /** Makes a customer managed key; returns its ARN. */
  createCustomerKey(): Promise<string>;
  setKeyEnabled(keyArn: string, enabled: boolean): Promise<void>;
  /** Starts the waiting period of a deletion. */
  scheduleDeletion(keyArn: string, days: number): Promise<void>;
  /** Lets the KMS's clock pass so many days. */
  passDays(days: number): Promise<void>;
}

/** What the server behind a provider cannot show, each with the reason; the tests about it are skipped. */
export type KmsGap =
  /** Names and values of a context are told apart. */
  | 'contextFraming'
  /** A blob of another key, or with a damaged key id, is told from a key that may not be used. */
  | 'foreignBlobs'
  /** A key that is disabled cannot be used. */
  | 'disabledKeys'
  /** A key can be enabled again. */
  | 'enablingAgain'
  /** A deletion waits, and can be taken back. */
  | 'pendingDeletion'
  /** The clock of the KMS can be moved. */
  | 'passingDays'
  /** Waiting periods other than 7 to 30 days are refused. */
  | 'waitingPeriods'
  /** Nothing can be encrypted. */
  | 'emptyPlaintext'
  /** A blob can be tried in all ways; each is a call. */
  | 'manyCalls'
  /** A grant of a key that is not there can be retired. */
  | 'absentGrants';

/** Gaps and their reasons. */
export type KmsGaps = Readonly<Partial<Record<KmsGap, string>>>;

/** Emulators of AWS KMS write the key id at the start of a blob. */
const KEY_ID_BYTES = 36;
const CONTEXT = { 'cqlock:cluster': '0a', 'cqlock:table-id': '0b' };

/** Declares the tests of every provider; call it inside a `describe`. */
export function kmsContract(setUp: () => Promise<KmsUnderTest>, gaps: KmsGaps = {}): void {
  const unless = (gap: KmsGap): typeof it | typeof it.skip =>
    gaps[gap] === undefined ? it : it.skip;
  const mismatched = { name: 'MetadataIntegrityError', code: 'METADATA_WRAPPED_KEY' };
  const foreign =
    gaps.foreignBlobs === undefined
      ? mismatched
      : {
          code: expect.stringMatching(/^(METADATA_WRAPPED_KEY|KEY_ACCESS_DENIED|KEY_UNAVAILABLE)$/),
        };

  it('gives data keys of 32 bytes that only their blob, key and context bring back', async () => {
    const kms = await setUp();
    const { provider } = kms;
    const arn = await kms.createCustomerKey();
    const first = await provider.generateDataKey(arn, CONTEXT);
    const second = await provider.generateDataKey(arn, CONTEXT);
    expect(first.plaintext.length).toBe(32);
    expect(first.keyArn).toBe(arn);
    expect(Buffer.from(first.plaintext)).not.toEqual(Buffer.from(second.plaintext));
    expect(Buffer.from(first.blob).includes(Buffer.from(first.plaintext))).toBe(false);
    expect(Buffer.from(await provider.decrypt(arn, first.blob, CONTEXT))).toEqual(
      Buffer.from(first.plaintext),
    );
  });

  it('takes the pairs of a context in any order', async () => {
    const kms = await setUp();
    const { provider } = kms;
    const arn = await kms.createCustomerKey();
    const blob = await provider.encrypt(arn, Buffer.from('x'), { a: '1', b: '2' });
    expect(Buffer.from(await provider.decrypt(arn, blob, { b: '2', a: '1' })).toString()).toBe('x');
  });

  const otherContexts: (readonly [string, EncryptionContext])[] = [
    ['another value', { ...CONTEXT, 'cqlock:cluster': '0c' }],
    ['a pair more', { ...CONTEXT, more: '' }],
    ['a pair less', { 'cqlock:cluster': '0a' }],
    ['none', {}],
    ['names and values exchanged', { '0a': 'cqlock:cluster', '0b': 'cqlock:table-id' }],
  ];
  if (gaps.contextFraming === undefined) {
    const joined = { 'cqlock:cluster': '0acqlock:table-id0b' };
    otherContexts.push(['names and values that run together', joined]);
  }
  it.each(otherContexts)('refuses another context: %s', async (_, context) => {
    const kms = await setUp();
    const { provider } = kms;
    const arn = await kms.createCustomerKey();
    const { blob } = await provider.generateDataKey(arn, CONTEXT);
    await expect(provider.decrypt(arn, blob, context)).rejects.toMatchObject({
      name: 'MetadataIntegrityError',
      code: 'METADATA_WRAPPED_KEY',
    });
  });

  it('refuses a blob under another key, though that key may be used', async () => {
    const kms = await setUp();
    const { provider } = kms;
    const arn = await kms.createCustomerKey();
    const other = await kms.createCustomerKey();
    const { blob } = await provider.generateDataKey(arn, CONTEXT);
    await expect(provider.decrypt(other, blob, CONTEXT)).rejects.toMatchObject(foreign);
  });

  it('refuses a blob with any bit changed, and any part of it', async () => {
    const kms = await setUp();
    const { provider } = kms;
    const arn = await kms.createCustomerKey();
    const { blob } = await provider.generateDataKey(arn, CONTEXT);
    // Where a call goes over a network, a bit of every third byte and every 13th part must do.
    const isQuick = gaps.manyCalls === undefined;
    for (let bit = 0; bit < blob.length * 8; bit += isQuick ? 1 : 25) {
      const changed = Buffer.from(blob);
      changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7));
      await expect(provider.decrypt(arn, changed, CONTEXT)).rejects.toMatchObject(
        bit >> 3 < KEY_ID_BYTES ? foreign : mismatched,
      );
    }
    for (let length = 0; length < blob.length; length += isQuick ? 1 : 13) {
      const part = blob.subarray(0, length);
      await expect(provider.decrypt(arn, part, CONTEXT)).rejects.toMatchObject(mismatched);
    }
  });

  it('refuses a key that is not there, in every call', async () => {
    const kms = await setUp();
    const { provider } = kms;
    const arn = await kms.createCustomerKey();
    const { blob } = await provider.generateDataKey(arn, CONTEXT);
    const refused = { name: 'KeyAccessError', code: 'KEY_NOT_FOUND' };
    for (const absent of [kms.absentKey, '', '__proto__', 'constructor']) {
      await expect(provider.generateDataKey(absent, CONTEXT)).rejects.toMatchObject(refused);
      await expect(provider.encrypt(absent, blob, CONTEXT)).rejects.toMatchObject(refused);
      await expect(provider.decrypt(absent, blob, CONTEXT)).rejects.toMatchObject(refused);
      await expect(provider.describeKey(absent)).rejects.toMatchObject(refused);
      await expect(provider.resolveKey(absent)).rejects.toMatchObject(refused);
      if (gaps.absentGrants === undefined) await provider.retireGrant(absent, 'none');
    }
  });

  unless('disabledKeys')('refuses a disabled key in every use', async () => {
    const kms = await setUp();
    const { provider } = kms;
    const arn = await kms.createCustomerKey();
    const { blob, plaintext } = await provider.generateDataKey(arn, CONTEXT);
    await kms.setKeyEnabled(arn, false);
    const refused = { name: 'KeyAccessError', code: 'KEY_DISABLED' };
    await expect(provider.generateDataKey(arn, CONTEXT)).rejects.toMatchObject(refused);
    await expect(provider.encrypt(arn, plaintext, CONTEXT)).rejects.toMatchObject(refused);
    await expect(provider.decrypt(arn, blob, CONTEXT)).rejects.toMatchObject(refused);
    const source = { keyArn: arn, context: CONTEXT };
    await expect(provider.reEncrypt(source, blob, source)).rejects.toMatchObject(refused);
    expect(await provider.describeKey(arn)).toMatchObject({
      state: 'disabled',
      serviceOwned: false,
    });
  });

  unless('enablingAgain')('opens the old blobs of a key that is enabled again', async () => {
    const kms = await setUp();
    const { provider } = kms;
    const arn = await kms.createCustomerKey();
    const { blob, plaintext } = await provider.generateDataKey(arn, CONTEXT);
    await kms.setKeyEnabled(arn, false);
    await kms.setKeyEnabled(arn, true);
    expect((await provider.describeKey(arn)).state).toBe('enabled');
    expect(Buffer.from(await provider.decrypt(arn, blob, CONTEXT))).toEqual(Buffer.from(plaintext));
  });

  unless('pendingDeletion')('refuses a key that is to be deleted, and gives it back', async () => {
    const kms = await setUp();
    const { provider } = kms;
    const arn = await kms.createCustomerKey();
    const { blob, plaintext } = await provider.generateDataKey(arn, CONTEXT);
    await kms.scheduleDeletion(arn, 7);
    const pending = { name: 'KeyAccessError', code: 'KEY_PENDING_DELETION' };
    await expect(provider.decrypt(arn, blob, CONTEXT)).rejects.toMatchObject(pending);
    await expect(provider.encrypt(arn, plaintext, CONTEXT)).rejects.toMatchObject(pending);
    await expect(provider.generateDataKey(arn, CONTEXT)).rejects.toMatchObject(pending);
    const described = await provider.describeKey(arn);
    expect(described.state).toBe('pending_deletion');
    expect(described.deletionAtMs).toBeTypeOf('number');
    await kms.setKeyEnabled(arn, true);
    expect(Buffer.from(await provider.decrypt(arn, blob, CONTEXT))).toEqual(Buffer.from(plaintext));
  });

  unless('passingDays')('forgets a key after the waiting period', async () => {
    const kms = await setUp();
    const { provider } = kms;
    const arn = await kms.createCustomerKey();
    const { blob } = await provider.generateDataKey(arn, CONTEXT);
    await kms.scheduleDeletion(arn, 7);
    await kms.passDays(6);
    await kms.setKeyEnabled(arn, true);
    await provider.decrypt(arn, blob, CONTEXT);
    await kms.scheduleDeletion(arn, 7);
    await kms.passDays(7);
    const gone = { name: 'KeyAccessError', code: 'KEY_NOT_FOUND' };
    await expect(provider.decrypt(arn, blob, CONTEXT)).rejects.toMatchObject(gone);
    await expect(kms.setKeyEnabled(arn, true)).rejects.toMatchObject(gone);
    await kms.createCustomerKey();
    await expect(provider.describeKey(arn)).rejects.toMatchObject(gone);
  });

  const periods = gaps.waitingPeriods === undefined ? [6, 31, 7.5, Number.NaN] : [];
  it.each(periods)('refuses a waiting period of %d days', async (days) => {
    const kms = await setUp();
    const arn = await kms.createCustomerKey();
    await expect(kms.scheduleDeletion(arn, days)).rejects.toMatchObject({
      name: 'InvalidRequestError',
    });
    expect((await kms.provider.describeKey(arn)).state).toBe('enabled');
  });

  it('re-encrypts under another key and context; the old pair then opens nothing new', async () => {
    const kms = await setUp();
    const { provider } = kms;
    const from = await kms.createCustomerKey();
    const to = await kms.createCustomerKey();
    const { blob, plaintext } = await provider.generateDataKey(from, CONTEXT);
    const context = { other: 'x' };
    const moved = await provider.reEncrypt({ keyArn: from, context: CONTEXT }, blob, {
      keyArn: to,
      context,
    });
    expect(Buffer.from(await provider.decrypt(to, moved, context))).toEqual(Buffer.from(plaintext));
    await expect(provider.decrypt(from, moved, CONTEXT)).rejects.toMatchObject(foreign);
    await expect(provider.decrypt(to, moved, CONTEXT)).rejects.toMatchObject({
      code: 'METADATA_WRAPPED_KEY',
    });
  });

  it('encrypts up to 4,096 bytes', async () => {
    const kms = await setUp();
    const { provider } = kms;
    const arn = await kms.createCustomerKey();
    for (const length of gaps.emptyPlaintext === undefined ? [0, 1, 4096] : [1, 4096]) {
      const plaintext = Buffer.alloc(length, 7);
      const blob = await provider.encrypt(arn, plaintext, CONTEXT);
      expect(Buffer.from(await provider.decrypt(arn, blob, CONTEXT))).toEqual(plaintext);
    }
    await expect(provider.encrypt(arn, Buffer.alloc(4097), CONTEXT)).rejects.toMatchObject({
      name: 'InvalidRequestError',
    });
  });
}

/** Declares the tests of the provider of service-owned keys; call it inside a `describe`. */
export function serviceKeyContract(setUp: () => Promise<KmsUnderTest<ServiceKeyProvider>>): void {
  it('destroys service-owned keys at once, and none of a customer', async () => {
    const kms = await setUp();
    const { provider } = kms;
    const arn = await provider.createServiceKey('table', 'a', 'owner');
    const { blob } = await provider.generateDataKey(arn, CONTEXT);
    expect((await provider.describeKey(arn)).serviceOwned).toBe(true);
    await provider.deleteServiceKey(arn);
    await provider.deleteServiceKey(arn);
    for (const absent of [kms.absentKey, '', '__proto__']) await provider.deleteServiceKey(absent);
    const gone = { name: 'KeyAccessError', code: 'KEY_NOT_FOUND' };
    await expect(provider.decrypt(arn, blob, CONTEXT)).rejects.toMatchObject(gone);
    const customer = await kms.createCustomerKey();
    await expect(provider.deleteServiceKey(customer)).rejects.toMatchObject({
      code: 'KEY_ACCESS_DENIED',
    });
    expect((await provider.describeKey(customer)).state).toBe('enabled');
  });

  it('lets nobody disable a service-owned key', async () => {
    const kms = await setUp();
    const arn = await kms.provider.createServiceKey('catalog', 'a', 'owner');
    await expect(kms.setKeyEnabled(arn, false)).rejects.toMatchObject({
      code: 'KEY_ACCESS_DENIED',
    });
    expect((await kms.provider.describeKey(arn)).state).toBe('enabled');
  });

  it('finds the service-owned keys of a purpose and an owner', async () => {
    const kms = await setUp();
    const { provider } = kms;
    const [first, second] = [
      await provider.createServiceKey('table', 'a', 'one'),
      await provider.createServiceKey('table', 'b', 'one'),
    ];
    const kept = [
      await provider.createServiceKey('table', 'c', 'two'),
      await provider.createServiceKey('catalog', 'd', 'one'),
      await kms.createCustomerKey(),
    ];
    await provider.deleteServiceKeysOf('table', 'one');
    await provider.deleteServiceKeysOf('table', 'one');
    for (const arn of [first, second]) {
      await expect(provider.describeKey(arn)).rejects.toMatchObject({ code: 'KEY_NOT_FOUND' });
    }
    for (const arn of kept) expect((await provider.describeKey(arn)).state).toBe('enabled');
  });
}
