import { quoteString } from '../cql/index.ts';
import type { CustomProperties, KeyspaceEntry, TableEntry } from '../schema/index.ts';
import { native, serializeMap } from '../values/index.ts';
import type { CqlType } from '../values/index.ts';

const TEXT = native('text');
const SETTINGS: CqlType = { kind: 'map', key: TEXT, value: TEXT, frozen: true };

/** `frozen<map<text, frozen<map<text, text>>>>`, as Amazon Keyspaces shows custom properties. */
export const PROPERTIES_TYPE: CqlType = { kind: 'map', key: TEXT, value: SETTINGS, frozen: true };

/** Custom properties of a table; `undefined` for one that is not encrypted. */
export function tableProperties(table: TableEntry): CustomProperties | undefined {
  const { record } = table;
  if (record?.keys === null || record === undefined) return undefined;
  const { keyArn, serviceOwned } = record.keys;
  return {
    ...record.customProperties,
    encryption_specification: encryption(serviceOwned ? undefined : keyArn),
  };
}

/** Custom properties of a keyspace: the default of its tables. */
export function keyspaceProperties(keyspace: KeyspaceEntry): CustomProperties {
  return { encryption_specification: encryption(keyspace.defaultKeyArn) };
}

function encryption(keyArn: string | undefined): Readonly<Record<string, string>> {
  return keyArn === undefined
    ? { encryption_type: 'AWS_OWNED_KMS_KEY' }
    : { encryption_type: 'CUSTOMER_MANAGED_KMS_KEY', kms_key_identifier: keyArn };
}

/** Custom properties as a value of {@link PROPERTIES_TYPE}. */
export function propertiesValue(properties: CustomProperties): Uint8Array {
  return serializeMap(
    TEXT,
    Object.entries(properties).map(([name, settings]) => [
      utf8(name),
      serializeMap(
        TEXT,
        Object.entries(settings).map(([setting, value]) => [utf8(setting), utf8(value)]),
      ),
    ]),
  );
}

/** Custom properties as CQL text; `undefined` where they say only what is so without them. */
export function propertiesText(properties: CustomProperties): string | undefined {
  const names = Object.keys(properties).sort();
  const isDefault =
    names.length === 1 &&
    properties['encryption_specification']?.['kms_key_identifier'] === undefined;
  if (isDefault) return undefined;
  const maps = names.map((name) => {
    const settings = Object.entries(properties[name] ?? {}).map(
      ([setting, value]) => `${quoteString(setting)}: ${quoteString(value)}`,
    );
    return `${quoteString(name)}: {${settings.join(', ')}}`;
  });
  return `CUSTOM_PROPERTIES = {${maps.join(', ')}}`;
}

function utf8(text: string): Uint8Array {
  return Buffer.from(text, 'utf8');
}
