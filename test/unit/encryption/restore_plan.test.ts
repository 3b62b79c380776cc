import { describe, expect, it } from 'vitest';
import { parseStatement } from '../../../src/cql/index.ts';
import { planRestoreTable } from '../../../src/encryption/index.ts';

const ARN = 'arn:aws:kms:eu-west-1:111122223333:key/1';

function plan(withClause: string) {
  const { statement } = parseStatement(`RESTORE TABLE "New" FROM TABLE old ${withClause};`);
  if (statement.kind !== 'restore_table') throw new TypeError(statement.kind);
  return planRestoreTable(statement, 'ks');
}

describe('RESTORE TABLE', () => {
  it('means the newest backup, its key and the old properties if it says nothing', () => {
    expect(plan('')).toEqual({
      beforeMs: undefined,
      encryption: undefined,
      customProperties: undefined,
      probeColumn: 'cqlock_probe',
      probeText: 'CREATE TABLE ks."New" (a blob, PRIMARY KEY (cqlock_probe))',
    });
  });

  it.each([
    ["'2020-06-30T04:05:00+0000'", Date.UTC(2020, 5, 30, 4, 5)],
    ["'2020-06-30T19:19:21.175Z'", Date.UTC(2020, 5, 30, 19, 19, 21, 175)],
    ["'2020-06-30'", Date.UTC(2020, 5, 30)],
    ['1593489600000', 1_593_489_600_000],
  ])('takes restore_timestamp = %s', (time, expected) => {
    expect(plan(`WITH restore_timestamp = ${time}`).beforeMs).toBe(expected);
    expect(plan(`WITH RESTORE_TIMESTAMP = ${time}`).beforeMs).toBe(expected);
  });

  it('takes custom properties as CREATE TABLE does', () => {
    const owned = "{'encryption_type': 'AWS_OWNED_KMS_KEY'}";
    const customer = `{'encryption_type': 'CUSTOMER_MANAGED_KMS_KEY', 'kms_key_identifier': '${ARN}'}`;
    expect(plan(`WITH custom_properties = {'encryption_specification': ${owned}}`)).toMatchObject({
      encryption: 'service-owned',
      customProperties: undefined,
    });
    expect(
      plan(
        `WITH restore_timestamp = '2020-06-30' AND CUSTOM_PROPERTIES = {'encryption_specification': ${customer}, 'ttl': {'status': 'enabled'}}`,
      ),
    ).toMatchObject({
      encryption: { identifier: ARN },
      customProperties: { ttl: { status: 'enabled' } },
    });
  });

  it.each([
    ["WITH restore_timestamp = 'yesterday'", /timestamp|date/i],
    ["WITH restore_timestamp = {'a': 'b'}", /restore_timestamp of ks\.New must be a time/],
    ["WITH restore_timestamp = '1960-01-01'", /out of range/],
    ['WITH restore_timestamp = 99999999999999999', /out of range/],
    ["WITH TAGS = {'a': 'b'}", /TAGS of RESTORE TABLE \(ks\.New\) is not supported/],
    ["WITH autoscaling_settings = {'a': 'b'}", /AUTOSCALING_SETTINGS/],
    ["WITH comment = 'c'", /Unknown property 'comment' of RESTORE TABLE/],
    ["WITH id = '0'", /Unknown property 'id'/],
    ["WITH custom_properties = {'cdc_specification': {}}", /cdc_specification/],
    ["WITH custom_properties = 'x'", /must be a map/],
  ])('refuses %s', (withClause, reason) => {
    expect(() => plan(withClause)).toThrow(reason);
  });

  it.each([
    'RESTORE TABLE IF NOT EXISTS a FROM TABLE b',
    'RESTORE TABLE a',
    'RESTORE TABLE a FROM b',
    'RESTORE a FROM TABLE b',
    'RESTORE TABLE a FROM TABLE b WITH',
    "RESTORE TABLE a FROM TABLE b WITH restore_timestamp = '1' AND restore_timestamp = '2'",
  ])('%s is no statement', (text) => {
    expect(() => parseStatement(text)).toThrow(/line 1/);
  });
});
