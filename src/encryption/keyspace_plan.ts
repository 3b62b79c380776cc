import { editText, quoteIdentifier } from '../cql/index.ts';
import type { Property, Statement } from '../cql/index.ts';
import { InvalidRequestError } from '../errors/index.ts';
import type { EncryptionChoice } from '../schema/index.ts';
import { customProperty, planProperties } from './custom_properties.ts';
import { HIDDEN_PREFIX } from './table_columns.ts';

type KeyspaceStatement = Extract<Statement, { kind: 'create_keyspace' | 'alter_keyspace' }>;

/** A CREATE or ALTER KEYSPACE that says which key new tables are under. */
export interface KeyspaceKeyPlan {
  readonly encryption: EncryptionChoice;
  /** The statement without it; `undefined` for an ALTER KEYSPACE of nothing else. */
  readonly storedText: string | undefined;
  /** Asks Cassandra whether the client may do it: a property that no keyspace has. */
  readonly probeText: string;
  /** Name by which the expected refusal of the probe is known. */
  readonly probeProperty: string;
}

const PROBE_PROPERTY = `${HIDDEN_PREFIX}probe`;

/**
 * Plans the default key of a keyspace; `undefined` for a statement without CUSTOM_PROPERTIES.
 * @throws InvalidRequestError, UnsupportedStatementError.
 */
export function planKeyspaceKey(
  text: string,
  statement: KeyspaceStatement,
): KeyspaceKeyPlan | undefined {
  const property = customProperty(statement.properties);
  if (property === undefined) return undefined;
  const keyspace = statement.keyspace.text;
  const { encryption, others } = planProperties(property, `keyspace ${keyspace}`);
  if (encryption === undefined || Object.keys(others).length > 0) {
    throw new InvalidRequestError(
      `CUSTOM_PROPERTIES of keyspace ${keyspace} must be an encryption_specification alone`,
    );
  }
  const isCreate = statement.kind === 'create_keyspace';
  if (!isCreate && statement.properties.length > 1) {
    throw new InvalidRequestError(
      `ALTER KEYSPACE ${keyspace} changes CUSTOM_PROPERTIES or other properties, not both at once`,
    );
  }
  const condition = !isCreate && statement.ifExists ? 'IF EXISTS ' : '';
  return {
    encryption,
    storedText: isCreate ? withoutProperty(text, statement.properties, property) : undefined,
    probeText: `${isCreate ? 'CREATE' : 'ALTER'} KEYSPACE ${condition}${quoteIdentifier(keyspace)} WITH ${PROBE_PROPERTY} = true`,
    probeProperty: PROBE_PROPERTY,
  };
}

/** The text without one property and its AND. */
function withoutProperty(
  text: string,
  properties: readonly Property[],
  property: Property,
): string {
  const index = properties.indexOf(property);
  const before = properties[index - 1];
  const after = properties[index + 1];
  // Without any other property Cassandra refuses the statement, in its own words.
  if (before === undefined && after === undefined) {
    return editText(text, [{ span: property.span, replacement: 'durable_writes = true' }]);
  }
  const span =
    before === undefined
      ? { start: property.span.start, end: after?.span.start ?? property.span.end }
      : { start: before.span.end, end: property.span.end };
  return editText(text, [{ span, replacement: '' }]);
}
