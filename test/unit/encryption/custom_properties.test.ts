import { describe, expect, it } from 'vitest';
import { parseStatement } from '../../../src/cql/index.ts';
import { planAlterTable, planCreateTable, planKeyspaceKey } from '../../../src/encryption/index.ts';
import type { Snapshot } from '../../../src/schema/index.ts';
import { encryptedTable } from '../../support/table_entry.ts';

const SNAPSHOT = { keyspace: () => undefined } as unknown as Snapshot;
const ARN = 'arn:aws:kms:eu-west-1:111122223333:key/1';
const CUSTOMER = `{'encryption_type': 'CUSTOMER_MANAGED_KMS_KEY', 'kms_key_identifier': '${ARN}'}`;
const OWNED = "{'encryption_type': 'AWS_OWNED_KMS_KEY'}";
const ID = '5a1c395e-b41f-11e5-9f22-ba0be0483c18';

function create(withClause: string) {
  const text = `CREATE TABLE ks.t (pk int PRIMARY KEY, v text) WITH ${withClause};`;
  const { statement } = parseStatement(text);
  if (statement.kind !== 'create_table') throw new TypeError(statement.kind);
  const plan = planCreateTable(text, statement, 'ks', SNAPSHOT);
  return { ...plan.definition, stored: plan.storedText(ID) };
}

function alter(withClause: string) {
  const text = `ALTER TABLE ks.t WITH ${withClause}`;
  const { statement } = parseStatement(text);
  if (statement.kind !== 'alter_table') throw new TypeError(statement.kind);
  const keys = { tableKeys: [], deks: [], provider: '', keyArn: '', serviceOwned: true };
  const table = encryptedTable(Buffer.alloc(16), { ...keys, minEpoch: 1 });
  return planAlterTable(text, statement, table, SNAPSHOT);
}

function keyspace(text: string) {
  const { statement } = parseStatement(text);
  if (statement.kind !== 'create_keyspace' && statement.kind !== 'alter_keyspace') {
    throw new TypeError(statement.kind);
  }
  return planKeyspaceKey(text, statement);
}

describe('CREATE TABLE … WITH CUSTOM_PROPERTIES', () => {
  const COLUMNS = 'CREATE TABLE ks.t (pk blob PRIMARY KEY, v blob) WITH';

  it.each([
    ['', `${COLUMNS} ID = ${ID}`],
    [" AND comment = 'x'", `${COLUMNS} ID = ${ID} AND comment = 'x'`],
  ])('names the key and never reaches Cassandra (%s)', (rest, stored) => {
    const custom = `custom_properties = {'encryption_specification': ${CUSTOMER}}`;
    const plan = create(`${custom}${rest}`);
    expect(plan.encryption).toEqual({ identifier: ARN });
    expect(plan.customProperties).toBeUndefined();
    expect(plan.stored).toBe(stored);
  });

  it('behind other options, with every setting that is kept', () => {
    const plan = create(
      `comment = 'a' AND CUSTOM_PROPERTIES = {
        'capacity_mode': {'throughput_mode': 'PROVISIONED', 'read_capacity_units': 10, 'write_capacity_units': 20},
        'point_in_time_recovery': {'status': 'disabled'}, 'ttl': {'status': 'enabled'},
        'client_side_timestamps': {'status': 'enabled'}, 'encryption_specification': ${OWNED}} AND gc_grace_seconds = 5`,
    );
    expect(plan.encryption).toBe('service-owned');
    expect(plan.customProperties).toEqual({
      capacity_mode: {
        throughput_mode: 'PROVISIONED',
        read_capacity_units: '10',
        write_capacity_units: '20',
      },
      point_in_time_recovery: { status: 'disabled' },
      ttl: { status: 'enabled' },
      client_side_timestamps: { status: 'enabled' },
    });
    expect(plan.stored).toBe(`${COLUMNS} comment = 'a' AND ID = ${ID} AND gc_grace_seconds = 5`);
  });

  it('without an encryption says nothing about the key', () => {
    expect(create("CUSTOM_PROPERTIES = {'ttl': {'status': 'enabled'}}").encryption).toBeUndefined();
    expect(create("comment = 'x'")).toMatchObject({ encryption: undefined });
  });

  it.each([
    [`{'encryption_specification': {}}`, /encryption_type of ks\.t must be/],
    [`{'encryption_specification': {'encryption_type': 'NONE'}}`, /must be CUSTOMER/],
    [
      `{'encryption_specification': {'encryption_type': 'CUSTOMER_MANAGED_KMS_KEY'}}`,
      /kms_key_identifier of ks\.t is missing/,
    ],
    [
      `{'encryption_specification': {'encryption_type': 'CUSTOMER_MANAGED_KMS_KEY', 'kms_key_identifier': ''}}`,
      /is missing/,
    ],
    [
      `{'encryption_specification': {'encryption_type': 'AWS_OWNED_KMS_KEY', 'kms_key_identifier': 'x'}}`,
      /goes with/,
    ],
    [
      `{'encryption_specification': {'encryption_type': 'AWS_OWNED_KMS_KEY', 'columns': 'v'}}`,
      /Unknown setting columns/,
    ],
    [`{'encryption_specification': 'AWS_OWNED_KMS_KEY'}`, /must be a map/],
    [`{'encryption_specification': {'encryption_type': {'a': 'b'}}}`, /is no constant/],
    [`'AWS_OWNED_KMS_KEY'`, /must be a map/],
    [`{'encryption': ${OWNED}}`, /Unknown custom property encryption/],
    [`{'constructor': {}}`, /Unknown custom property constructor/],
    [`{'ttl': {'status': 'disabled'}}`, /ttl \(ks\.t\) can only be enabled/],
    [`{'ttl': {'state': 'enabled'}}`, /status alone/],
    [`{'client_side_timestamps': {'status': 'disabled'}}`, /can only be enabled/],
    [`{'point_in_time_recovery': {'status': 'enabled'}}`, /can only be disabled/],
    [`{'cdc_specification': {'view_type': 'NEW_IMAGE'}}`, /cdc_specification .* not supported/],
    [`{'replica_updates': {'region': 'x'}}`, /replica_updates .* not supported/],
    [`{'capacity_mode': {'throughput_mode': 'FREE'}}`, /throughput_mode/],
    [`{'capacity_mode': {'throughput_mode': 'PROVISIONED'}}`, /capacity_units/],
    [
      `{'capacity_mode': {'throughput_mode': 'PAY_PER_REQUEST', 'read_capacity_units': 1}}`,
      /capacity_units/,
    ],
  ])('is refused by name: %s', (value, message) => {
    expect(() => create(`CUSTOM_PROPERTIES = ${value}`)).toThrow(message);
  });
});

describe('ALTER TABLE … WITH CUSTOM_PROPERTIES', () => {
  it('changes the key, and asks Cassandra only whether the client may', () => {
    const plan = alter(`CUSTOM_PROPERTIES = {'encryption_specification': ${CUSTOMER}}`);
    expect(plan.custom).toEqual({ encryption: { identifier: ARN }, others: {} });
    expect(plan.probeText).toBe('ALTER TABLE ks.t DROP cqlock_probe');
  });

  it('keeps one other setting', () => {
    const { custom } = alter("custom_properties = {'ttl': {'status': 'enabled'}}");
    expect(custom).toEqual({ encryption: undefined, others: { ttl: { status: 'enabled' } } });
    expect(alter("comment = 'x'").custom).toBeUndefined();
  });

  it.each([
    `CUSTOM_PROPERTIES = {'encryption_specification': ${CUSTOMER}} AND comment = 'x'`,
    `CUSTOM_PROPERTIES = {'encryption_specification': ${CUSTOMER}, 'ttl': {'status': 'enabled'}}`,
    'CUSTOM_PROPERTIES = {}',
  ])('is one change: %s', (clause) => {
    expect(() => alter(clause)).toThrow(/one custom property at a time/);
  });
});

describe('the default key of a keyspace', () => {
  const replication = "replication = {'class': 'SimpleStrategy', 'replication_factor': 1}";
  const custom = `CUSTOM_PROPERTIES = {'encryption_specification': ${CUSTOMER}}`;

  it.each([
    [`${replication} AND ${custom}`, replication],
    [`${custom} AND ${replication}`, replication],
    [
      `${replication} AND ${custom} AND durable_writes = true`,
      `${replication} AND durable_writes = true`,
    ],
    [custom, 'durable_writes = true'],
  ])('is taken out of CREATE KEYSPACE ks WITH %s', (clause, stored) => {
    expect(keyspace(`CREATE KEYSPACE ks WITH ${clause}`)).toEqual({
      encryption: { identifier: ARN },
      storedText: `CREATE KEYSPACE ks WITH ${stored}`,
      probeText: 'CREATE KEYSPACE ks WITH cqlock_probe = true',
      probeProperty: 'cqlock_probe',
    });
  });

  it('is all that ALTER KEYSPACE changes at once', () => {
    expect(keyspace(`ALTER KEYSPACE ks WITH ${custom}`)).toMatchObject({ storedText: undefined });
    expect(() => keyspace(`ALTER KEYSPACE ks WITH ${custom} AND ${replication}`)).toThrow(
      /not both at once/,
    );
    const ttl = "CUSTOM_PROPERTIES = {'ttl': {'status': 'enabled'}}";
    expect(() => keyspace(`ALTER KEYSPACE ks WITH ${ttl}`)).toThrow(
      /encryption_specification alone/,
    );
    expect(keyspace(`ALTER KEYSPACE ks WITH ${replication}`)).toBeUndefined();
  });
});
