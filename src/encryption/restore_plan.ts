import { quoteIdentifier } from '../cql/index.ts';
import type { Property, RestoreTableStatement } from '../cql/index.ts';
import { InvalidRequestError, UnsupportedStatementError } from '../errors/index.ts';
import type { CustomProperties, EncryptionChoice } from '../schema/index.ts';
import { parseTimestamp } from '../values/index.ts';
import { customProperty, planProperties } from './custom_properties.ts';
import { PROBE_COLUMN } from './table_columns.ts';

/** A RESTORE TABLE. */
export interface RestoreTablePlan {
  /** The newest backup that was begun by then, milliseconds since the epoch; `undefined`: the newest of all. */
  readonly beforeMs: number | undefined;
  /** `undefined`: a key as the backup has it. */
  readonly encryption: EncryptionChoice | undefined;
  /** Custom properties beside the encryption; `undefined`: those of the old table. */
  readonly customProperties: CustomProperties | undefined;
  /** Asks Cassandra whether the client may make the table, without making it. */
  readonly probeText: string;
  /** Name by which the expected refusal of the probe is known. */
  readonly probeColumn: string;
}

/** Options that Amazon Keyspaces takes and that mean nothing here. */
const REFUSED: ReadonlySet<string> = new Set(['tags', 'autoscaling_settings']);

/** Last moment that a JavaScript number counts milliseconds up to. */
const LAST_MS = BigInt(Number.MAX_SAFE_INTEGER);

/**
 * Plans RESTORE TABLE.
 * @param keyspace of the new table
 * @throws InvalidRequestError, UnsupportedStatementError
 */
export function planRestoreTable(
  statement: RestoreTableStatement,
  keyspace: string,
): RestoreTablePlan {
  const name = statement.table.name.text;
  const label = `${keyspace}.${name}`;
  let beforeMs: number | undefined;
  for (const property of statement.properties) {
    const option = property.name.text.toLowerCase();
    if (option === 'custom_properties') continue;
    if (option === 'restore_timestamp') beforeMs = timestampOf(property, label);
    else if (REFUSED.has(option)) {
      throw new UnsupportedStatementError(
        `${option.toUpperCase()} of RESTORE TABLE (${label}) is not supported by the proxy`,
      );
    } else {
      throw new InvalidRequestError(
        `Unknown property '${property.name.text}' of RESTORE TABLE (${label}); known are restore_timestamp and custom_properties. Other options come from the backup; ALTER TABLE changes them`,
      );
    }
  }
  const property = customProperty(statement.properties);
  const custom = property && planProperties(property, label);
  const hasOthers = custom !== undefined && Object.keys(custom.others).length > 0;
  return {
    beforeMs,
    encryption: custom?.encryption,
    customProperties: hasOthers ? custom.others : undefined,
    probeColumn: PROBE_COLUMN,
    probeText: `CREATE TABLE ${quoteIdentifier(keyspace)}.${quoteIdentifier(name)} (a blob, PRIMARY KEY (${PROBE_COLUMN}))`,
  };
}

function timestampOf({ value }: Property, label: string): number {
  if (value.kind !== 'constant') {
    throw new InvalidRequestError(
      `restore_timestamp of ${label} must be a time such as '2026-11-25T08:00:00Z'`,
    );
  }
  const ms = parseTimestamp(value.constant.text);
  if (ms < 0n || ms > LAST_MS) {
    throw new InvalidRequestError(`restore_timestamp of ${label} is out of range`);
  }
  return Number(ms);
}
