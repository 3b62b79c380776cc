import type { Property, PropertyValue } from '../cql/index.ts';
import { InvalidRequestError, UnsupportedStatementError } from '../errors/index.ts';
import type { CustomProperties, EncryptionChoice } from '../schema/index.ts';

/** CUSTOM_PROPERTIES of a statement. */
export interface PlannedProperties {
  /** `undefined` when the statement says nothing about it. */
  readonly encryption: EncryptionChoice | undefined;
  /** The others, which are kept as they are. */
  readonly others: CustomProperties;
}

/** Settings of Amazon Keyspaces that are kept: what they turn on is always so here, or nothing that exists here. */
const KEPT: Readonly<Record<string, (settings: Settings, label: string) => void>> = {
  capacity_mode: checkCapacity,
  client_side_timestamps: (settings, label) => {
    checkStatus('client_side_timestamps', settings, 'enabled', label);
  },
  ttl: (settings, label) => {
    checkStatus('ttl', settings, 'enabled', label);
  },
  point_in_time_recovery: (settings, label) => {
    checkStatus('point_in_time_recovery', settings, 'disabled', label);
  },
};

const REFUSED: ReadonlySet<string> = new Set([
  'cdc_specification',
  'replica_updates',
  'warm_throughput',
  'warm_throughput_specification',
]);

const ENCRYPTION = 'encryption_specification';
const CUSTOMER_MANAGED = 'CUSTOMER_MANAGED_KMS_KEY';
const SERVICE_OWNED = 'AWS_OWNED_KMS_KEY';

type Settings = Readonly<Record<string, string>>;

/** The property CUSTOM_PROPERTIES among those of a statement. */
export function customProperty(properties: readonly Property[]): Property | undefined {
  return properties.find((property) => property.name.text.toLowerCase() === 'custom_properties');
}

/**
 * Reads CUSTOM_PROPERTIES as Amazon Keyspaces writes them: a map of maps of constants.
 * @param label what the statement is about, for messages
 * @throws InvalidRequestError for what Keyspaces refuses too; UnsupportedStatementError for settings that have no effect here
 * but ought to.
 */
export function planProperties(property: Property, label: string): PlannedProperties {
  const others: Record<string, Settings> = {};
  let encryption: EncryptionChoice | undefined;
  for (const [name, value] of entriesOf(property.value, 'CUSTOM_PROPERTIES', label)) {
    const settings = settingsOf(name, value, label);
    if (name === ENCRYPTION) {
      encryption = encryptionChoice(settings, label);
      continue;
    }
    if (REFUSED.has(name)) {
      throw new UnsupportedStatementError(
        `the custom property ${name} (${label}) is not supported by the proxy`,
      );
    }
    const check = Object.hasOwn(KEPT, name) ? KEPT[name] : undefined;
    if (check === undefined) {
      throw new InvalidRequestError(
        `Unknown custom property ${name} of ${label}; known are ${[ENCRYPTION, ...Object.keys(KEPT)].join(', ')}`,
      );
    }
    check(settings, label);
    others[name] = settings;
  }
  return { encryption, others };
}

function encryptionChoice(settings: Settings, label: string): EncryptionChoice {
  const { encryption_type: type, kms_key_identifier: identifier, ...rest } = settings;
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined) {
    throw new InvalidRequestError(`Unknown setting ${unknown} of ${ENCRYPTION} (${label})`);
  }
  if (type === SERVICE_OWNED) {
    if (identifier === undefined) return 'service-owned';
    throw new InvalidRequestError(
      `kms_key_identifier (${label}) goes with encryption_type ${CUSTOMER_MANAGED} only`,
    );
  }
  if (type !== CUSTOMER_MANAGED) {
    throw new InvalidRequestError(
      `encryption_type of ${label} must be ${CUSTOMER_MANAGED} or ${SERVICE_OWNED}`,
    );
  }
  if (identifier === undefined || identifier === '') {
    throw new InvalidRequestError(
      `kms_key_identifier of ${label} is missing: ${CUSTOMER_MANAGED} needs the ARN of the key`,
    );
  }
  return { identifier };
}

function checkCapacity(settings: Settings, label: string): void {
  const { throughput_mode: mode, read_capacity_units, write_capacity_units, ...rest } = settings;
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined) {
    throw new InvalidRequestError(`Unknown setting ${unknown} of capacity_mode (${label})`);
  }
  if (mode !== 'PAY_PER_REQUEST' && mode !== 'PROVISIONED') {
    throw new InvalidRequestError(
      `throughput_mode of ${label} must be PAY_PER_REQUEST or PROVISIONED`,
    );
  }
  const units = [read_capacity_units, write_capacity_units].filter((unit) => unit !== undefined);
  const isComplete = units.length === (mode === 'PROVISIONED' ? 2 : 0);
  if (!isComplete || !units.every((unit) => /^[1-9]\d{0,8}$/.test(unit))) {
    throw new InvalidRequestError(
      `read_capacity_units and write_capacity_units of ${label} go with throughput_mode PROVISIONED, both, as positive numbers`,
    );
  }
}

/** `status`: the one that is so here anyway is taken, the other one would be a promise that is not kept. */
function checkStatus(
  name: string,
  settings: Settings,
  taken: 'enabled' | 'disabled',
  label: string,
): void {
  const { status, ...rest } = settings;
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined || (status !== 'enabled' && status !== 'disabled')) {
    throw new InvalidRequestError(
      `The custom property ${name} of ${label} has the setting status alone, enabled or disabled`,
    );
  }
  if (status === taken) return;
  throw new UnsupportedStatementError(
    `the custom property ${name} (${label}) can only be ${taken} at the proxy`,
  );
}

function settingsOf(name: string, value: PropertyValue, label: string): Settings {
  const settings: Record<string, string> = {};
  for (const [setting, constant] of entriesOf(value, name, label)) {
    if (constant.kind !== 'constant') {
      throw new InvalidRequestError(`The setting ${setting} of ${name} (${label}) is no constant`);
    }
    settings[setting] = constant.constant.text;
  }
  return settings;
}

function entriesOf(
  value: PropertyValue,
  name: string,
  label: string,
): readonly (readonly [string, PropertyValue])[] {
  if (value.kind === 'map') return value.entries;
  throw new InvalidRequestError(`${name} of ${label} must be a map`);
}
