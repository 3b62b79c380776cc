import { describe, expect, it } from 'vitest';
import { ListenerAudit } from '../../../src/audit/index.ts';
import type { AuditEvent } from '../../../src/audit/index.ts';
import type { KmsAuditEvent } from '../../../src/kms/index.ts';
import { fakeClock } from '../../support/fake_clock.ts';

const CALL: KmsAuditEvent = {
  operation: 'Decrypt',
  keyArn: 'arn:cqlock:kms:local:s:key/1',
  targetKeyArn: undefined,
  context: { 'cqlock:keyspace': 'shop', 'cqlock:table': 'orders' },
  principal: 'arn:cqlock:iam::s:user/app',
  result: 'ok',
  requestId: 'r',
  durationMs: 1.23456,
};

function listenerAudit() {
  const events: AuditEvent[] = [];
  const clock = fakeClock();
  const sink = {
    ready: () => undefined,
    record: (event: AuditEvent) => {
      events.push(event);
      return Promise.resolve();
    },
  };
  return { events, clock, audit: new ListenerAudit(sink, clock) };
}

describe('calls through the KMS listener', () => {
  it('are lines of the audit log, under who signed them', async () => {
    const { events, audit } = listenerAudit();
    await audit.record(CALL);
    await audit.record({ ...CALL, result: 'AccessDeniedException' });
    await audit.record({ ...CALL, result: 'KEY_STORE_LOCKED', context: undefined });
    expect(events[0]).toEqual({
      operation: 'Decrypt',
      key: CALL.keyArn,
      target_key: null,
      provider: 'embedded',
      context: CALL.context,
      keyspace: 'shop',
      table: 'orders',
      origin: 'listener',
      principal: 'arn:cqlock:iam::s:user/app',
      result: 'ok',
      error: null,
      duration_ms: 1.235,
    });
    expect(events.slice(1).map(({ result, error }) => [result, error])).toEqual([
      ['refused', 'AccessDeniedException'],
      ['unavailable', 'KEY_STORE_LOCKED'],
    ]);
  });

  it('of strangers are bounded, so that nobody unknown fills the disk', async () => {
    const { events, clock, audit } = listenerAudit();
    const stranger = { ...CALL, principal: undefined, result: 'UnrecognizedClientException' };
    for (let count = 0; count < 100; count += 1) await audit.record(stranger);
    expect(events).toHaveLength(60);
    expect(events[0]).toMatchObject({ principal: 'unknown', result: 'refused', context: {} });
    await audit.record(CALL);
    expect(events).toHaveLength(61);
    clock.advance(60_000);
    await audit.record(stranger);
    expect(events.at(-1)?.context).toEqual({ 'cqlock:refused-before': '40' });
  });
});
