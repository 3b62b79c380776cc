import { describe, expect, it } from 'vitest';
import { transition } from '../../../src/lifecycle/access_transitions.ts';
import { inaccessibleError } from '../../../src/schema/index.ts';
import type { AccessRecord, AccessState, TableRecord } from '../../../src/schema/index.ts';
import { encryptedTable } from '../../support/table_entry.ts';

const STATES: readonly AccessState[] = [
  'ACTIVE',
  'INACCESSIBLE_ENCRYPTION_CREDENTIALS',
  'BACKING_UP',
  'DROPPING',
  'DROPPED',
];

const LEGAL = new Set([
  'ACTIVE>INACCESSIBLE_ENCRYPTION_CREDENTIALS',
  'ACTIVE>DROPPED',
  'INACCESSIBLE_ENCRYPTION_CREDENTIALS>ACTIVE',
  'INACCESSIBLE_ENCRYPTION_CREDENTIALS>BACKING_UP',
  'INACCESSIBLE_ENCRYPTION_CREDENTIALS>DROPPED',
  'BACKING_UP>ACTIVE',
  'BACKING_UP>DROPPING',
  'BACKING_UP>DROPPED',
  'DROPPING>ACTIVE',
  'DROPPING>BACKING_UP',
  'DROPPING>DROPPED',
]);

const FACTS: Omit<AccessRecord, 'state' | 'stateSinceMs'> = {
  provider: 'embedded',
  keyArn: 'arn:cqlock:kms:local:0a:key/1',
  reason: 'KEY_DISABLED',
  sinceMs: 0,
  dropAtMs: 604_800_000,
  backup: { id: 'b', verifiedAtMs: 1, expiresAtMs: null },
  remindedDays: null,
  notices: [],
};

function record(access: AccessState, state: TableRecord['state'] = 'ACTIVE'): TableRecord {
  const keys = { provider: 'embedded', keyArn: '', serviceOwned: false, tableKeys: [], deks: [] };
  const table = encryptedTable(Buffer.alloc(16, 1), { ...keys, minEpoch: 1 });
  return {
    ...(table.record as TableRecord),
    state,
    access: { ...FACTS, state: access, stateSinceMs: 0 },
  };
}

describe('the access of a table', () => {
  it.each(STATES.flatMap((from) => STATES.map((to) => [from, to] as const)))(
    'from %s to %s is a step or an error, as the table of steps says',
    (from, to) => {
      const before = record(from, to === 'DROPPED' ? 'DROPPED' : 'ACTIVE');
      const step = (): TableRecord => transition(before, to, FACTS, 5);
      if (!LEGAL.has(`${from}>${to}`)) {
        expect(step).toThrow(`cannot go from ${from} to ${to}`);
        return;
      }
      const after = step().access;
      if (to === 'ACTIVE') expect(after).toBe(null);
      else expect(after).toMatchObject({ state: to, stateSinceMs: 5 });
    },
  );

  it('never becomes DROPPING without a backup', () => {
    expect(() =>
      transition(record('BACKING_UP'), 'DROPPING', { ...FACTS, backup: null }, 5),
    ).toThrow('without a verified backup');
  });

  it('is DROPPED exactly when the table is gone', () => {
    expect(() => transition(record('DROPPING'), 'DROPPED', FACTS, 5)).toThrow(
      'is ACTIVE and cannot',
    );
    expect(() => transition(record('DROPPING', 'DROPPED'), 'ACTIVE', FACTS, 5)).toThrow(
      'is DROPPED and cannot',
    );
  });

  it('is said to clients with table, key, reason and time', () => {
    expect(inaccessibleError(record('ACTIVE'))).toBe(undefined);
    expect(inaccessibleError(record('INACCESSIBLE_ENCRYPTION_CREDENTIALS'))).toMatchObject({
      code: 'KEY_INACCESSIBLE',
      cqlCode: 0x2100,
      message:
        'table ks.t is INACCESSIBLE_ENCRYPTION_CREDENTIALS: the KMS refuses its key arn:cqlock:kms:local:0a:key/1 (KEY_DISABLED) since 1970-01-01T00:00:00.000Z; make the key usable again before 1970-01-08T00:00:00.000Z, when the table is backed up and dropped',
    });
    expect(inaccessibleError(record('BACKING_UP'))?.message).toContain('is being backed up');
    expect(inaccessibleError(record('DROPPING'))?.message).toContain('was backed up (b)');
  });
});
