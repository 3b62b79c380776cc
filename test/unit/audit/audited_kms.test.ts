import { describe, expect, it } from 'vitest';
import { AuditedKms, AuditedServiceKeys } from '../../../src/audit/index.ts';
import type { AuditEvent, AuditSink } from '../../../src/audit/index.ts';
import {
  KeyAccessError,
  KeyUnavailableError,
  MetadataIntegrityError,
} from '../../../src/errors/index.ts';
import { EmbeddedKms, KeyStore, KmsRegistry } from '../../../src/kms/index.ts';
import type { KmsProvider } from '../../../src/kms/index.ts';
import { noopMetrics } from '../../../src/observability/index.ts';
import { fakeClock } from '../../support/fake_clock.ts';
import { newKeyStoreDirectory, storeOptions } from '../../support/key_environment.ts';
import { kmsContract, serviceKeyContract } from '../../support/kms_contract.ts';
import type { KmsUnderTest } from '../../support/kms_contract.ts';

const CONTEXT = { 'cqlock:keyspace': 'shop', 'cqlock:table': 'orders' };
const ARN = 'arn:x:key/1';
const SECRET = Uint8Array.of(1, 2, 3);

/** A provider whose every method does what `answer` does, and a sink that can be told to fail. */
function environment(answer: () => Promise<unknown>) {
  const events: AuditEvent[] = [];
  const clock = fakeClock();
  const state = { sinkFails: false, isReady: true, calls: 0 };
  const sink: AuditSink = {
    ready: () => {
      if (!state.isReady) throw new KeyUnavailableError('KEY_AUDIT_LOG', 'not ready');
    },
    record: async (event) => {
      if (state.sinkFails) throw new KeyUnavailableError('KEY_AUDIT_LOG', 'not written');
      events.push(event);
    },
  };
  const call = async (): Promise<unknown> => {
    state.calls += 1;
    clock.advance(7);
    return answer();
  };
  const provider = new Proxy(
    { name: 'fake' },
    { get: (target, name) => (name === 'name' ? target.name : call) },
  ) as unknown as KmsProvider;
  const counted: string[] = [];
  const metrics = {
    recordKmsCall: (operation: string, result: string, ms: number) => {
      counted.push(`${operation} ${result} ${String(ms)}`);
    },
  };
  return { events, state, counted, kms: new AuditedKms(provider, { sink, clock, metrics }) };
}

const CALLS: [string, (kms: AuditedKms) => Promise<unknown>, Partial<AuditEvent>][] = [
  ['ResolveKey', (kms) => kms.resolveKey('alias/x'), { key: 'alias/x', context: {} }],
  ['GenerateDataKey', (kms) => kms.generateDataKey(ARN, CONTEXT), { table: 'orders' }],
  ['Encrypt', (kms) => kms.encrypt(ARN, SECRET, CONTEXT), { keyspace: 'shop' }],
  ['Decrypt', (kms) => kms.decrypt(ARN, SECRET, CONTEXT), { context: CONTEXT }],
  [
    'ReEncrypt',
    (kms) =>
      kms.reEncrypt({ keyArn: ARN, context: {} }, SECRET, { keyArn: 'arn:y', context: CONTEXT }),
    { key: ARN, target_key: 'arn:y' },
  ],
  ['DescribeKey', (kms) => kms.describeKey(ARN), { key: ARN }],
  [
    'CreateGrant',
    (kms) => kms.createGrant(ARN, { name: 'g', operations: ['Decrypt'], contextSubset: CONTEXT }),
    { context: CONTEXT },
  ],
  ['RetireGrant', (kms) => kms.retireGrant(ARN, 'id'), { key: ARN }],
];

/** An answer of the form that the operation has. */
function answerOf(operation: string): unknown {
  if (operation === 'ResolveKey') return ARN;
  if (operation === 'GenerateDataKey') {
    return { keyArn: ARN, plaintext: Uint8Array.of(9), blob: SECRET };
  }
  return Uint8Array.of(9);
}

describe.each(CALLS)('%s', (operation, run, about) => {
  it('that is answered leaves one event and is counted', async () => {
    const { kms, events, counted } = environment(() => Promise.resolve(answerOf(operation)));
    await run(kms);
    expect(events).toHaveLength(1);
    expect(events[0]).toMatchObject({
      operation,
      provider: 'fake',
      origin: 'background',
      principal: 'cqlock',
      result: 'ok',
      error: null,
      duration_ms: 7,
      ...about,
      ...(operation === 'ResolveKey' ? { key: ARN } : {}),
    });
    expect(counted).toEqual([`${operation} ok 7`]);
  });

  it.each([
    [new KeyAccessError('KEY_DISABLED', 'x'), 'refused', 'KEY_DISABLED'],
    [new MetadataIntegrityError('METADATA_WRAPPED_KEY', 'x'), 'refused', 'METADATA_WRAPPED_KEY'],
    [new KeyUnavailableError('KEY_KMS', 'x'), 'unavailable', 'KEY_KMS'],
    [new TypeError('x'), 'unavailable', 'INTERNAL'],
  ])(
    'that fails leaves one event, is counted and fails as it did: %s',
    async (error, result, code) => {
      const { kms, events, counted } = environment(() => Promise.reject(error));
      await expect(run(kms)).rejects.toBe(error);
      expect(events).toHaveLength(1);
      expect(events[0]).toMatchObject({ operation, result, error: code, duration_ms: 7, ...about });
      expect(counted).toEqual([`${operation} ${code} 7`]);
    },
  );

  it('is not made when the log is not ready, and not answered when its event is not written', async () => {
    const { kms, state } = environment(() => Promise.resolve(answerOf(operation)));
    state.isReady = false;
    await expect(run(kms)).rejects.toMatchObject({ code: 'KEY_AUDIT_LOG' });
    expect(state.calls).toBe(0);
    state.isReady = true;
    state.sinkFails = true;
    await expect(run(kms)).rejects.toMatchObject({ code: 'KEY_AUDIT_LOG' });
    expect(state.calls).toBe(1);
  });
});

describe('key material whose event is not written', () => {
  it('is zeroed', async () => {
    const plaintext = Uint8Array.of(9, 9, 9);
    const { kms, state } = environment(() => Promise.resolve(plaintext));
    state.sinkFails = true;
    await expect(kms.decrypt(ARN, SECRET, CONTEXT)).rejects.toThrow();
    expect([...plaintext]).toEqual([0, 0, 0]);

    const dataKey = { keyArn: ARN, plaintext: Uint8Array.of(9, 9), blob: SECRET };
    const making = environment(() => Promise.resolve(dataKey));
    making.state.sinkFails = true;
    await expect(making.kms.generateDataKey(ARN, CONTEXT)).rejects.toThrow();
    expect([...dataKey.plaintext]).toEqual([0, 0]);
  });
});

async function setUp(): Promise<KmsUnderTest<AuditedServiceKeys>> {
  const clock = fakeClock();
  const store = await KeyStore.create(storeOptions(await newKeyStoreDirectory()));
  const embedded = new EmbeddedKms({ store, clock });
  const sink = { ready: () => undefined, record: () => Promise.resolve() };
  return {
    provider: new AuditedServiceKeys(embedded, { sink, clock, metrics: noopMetrics }),
    absentKey: 'arn:cqlock:kms:local:000000000000:key/00000000-0000-0000-0000-000000000000',
    createCustomerKey: () => embedded.createCustomerKey('test'),
    setKeyEnabled: (arn, enabled) => embedded.setKeyEnabled(arn, enabled),
    scheduleDeletion: (arn, days) => embedded.scheduleDeletion(arn, days),
    passDays: async (days) => {
      clock.advance(days * 86_400_000);
      await Promise.resolve();
    },
  };
}

describe('an audited KMS keeps the contract of providers:', () => {
  kmsContract(setUp);
});

describe('an audited KMS keeps the contract of service-owned keys:', () => {
  serviceKeyContract(setUp);
});

describe('who calls', () => {
  it('is noted through the registry, with the table where the context names none', async () => {
    const { kms, events } = environment(() => Promise.resolve(SECRET));
    const store = await KeyStore.create(storeOptions(await newKeyStoreDirectory()));
    const service = new AuditedServiceKeys(new EmbeddedKms({ store }), {
      sink: { ready: () => undefined, record: async (event) => void events.push(event) },
      clock: fakeClock(),
      metrics: noopMetrics,
    });
    const registry = new KmsRegistry(service, [kms]);
    const alice = registry.onBehalfOf({ origin: 'client', principal: 'alice' });
    await alice.named('fake').decrypt(ARN, SECRET, CONTEXT);
    await alice.onTable({ keyspace: 'ks', name: 't' }).named('fake').describeKey(ARN);
    const made = await alice
      .onTable({ keyspace: 'ks', name: 't' })
      .service.createServiceKey('table', 'table ks.t', 'ab');
    await registry.service.deleteServiceKey(made);
    await registry.service.deleteServiceKeysOf('table', 'ab');
    expect(
      events.map(({ operation, origin, principal, keyspace, table }) =>
        [operation, origin, principal, keyspace, table].join(' '),
      ),
    ).toEqual([
      'Decrypt client alice shop orders',
      'DescribeKey client alice ks t',
      'CreateServiceKey client alice ks t',
      'DeleteServiceKey background cqlock  ',
      'DeleteServiceKeysOf background cqlock  ',
    ]);
    expect(events[2]).toMatchObject({ key: made, context: { 'cqlock:table-id': 'ab' } });
  });
});
