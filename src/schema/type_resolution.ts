import { MetadataIntegrityError, SchemaError } from '../errors/index.ts';
import type { ProxyError } from '../errors/index.ts';
import { parseTypeText } from '../values/index.ts';
import type { CqlType, UdtType } from '../values/index.ts';
import type { StoredTypeRow } from './raw_schema.ts';
import type { TypeFieldRecord, TypeRecord } from './record.ts';

/** Resolves the types of one keyspace, from records (`logical`) and from Cassandra alone (`stored`). */
export interface KeyspaceTypes {
  /** Types that have a verified record which agrees with the stored shadow type. */
  readonly logical: ReadonlyMap<string, UdtType>;
  /** Types without a record: there before the proxy. */
  readonly stored: ReadonlyMap<string, UdtType>;
  /** Types whose record and shadow type differ. */
  readonly broken: ReadonlyMap<string, ProxyError>;
  /** Changes when a type of the keyspace does. */
  readonly version: string;
}

/** Builds the types of a keyspace. */
export function resolveTypes(
  keyspace: string,
  rows: readonly StoredTypeRow[],
  records: readonly { readonly version: bigint; readonly record: TypeRecord }[],
): KeyspaceTypes {
  const byName = new Map(records.map((entry) => [entry.record.name, entry]));
  const fields = new Map<string, readonly TypeFieldRecord[]>();
  const storedFields = new Map<string, readonly TypeFieldRecord[]>();
  const broken = new Map<string, ProxyError>();
  for (const row of rows) {
    const entry = byName.get(row.name);
    if (entry === undefined) {
      storedFields.set(row.name, pairs(row));
      continue;
    }
    const form = matchingForm(entry.record, row);
    if (form === undefined) {
      broken.set(
        row.name,
        new MetadataIntegrityError(
          'METADATA_TYPE',
          `the stored form of type ${keyspace}.${row.name} differs from its record`,
        ),
      );
    } else fields.set(row.name, form);
  }
  return {
    logical: build(keyspace, fields, undefined),
    stored: build(keyspace, storedFields, fields),
    broken,
    version: [
      ...records.map((entry) => `${entry.record.typeId}:${entry.version}`),
      // Which form of a record holds, and what a type without record is, the stored types tell.
      ...rows.map((row) => JSON.stringify([row.name, row.fieldNames, row.fieldTypes])),
    ]
      .sort()
      .join(','),
  };
}

/** Parses a type text of a record; only types with records count. */
export function logicalType(text: string, keyspace: string, types: KeyspaceTypes): CqlType {
  return parseTypeText(text, (_, name) => types.logical.get(name), keyspace);
}

/** Parses a type text of system_schema. */
export function storedType(text: string, keyspace: string, types: KeyspaceTypes): CqlType {
  try {
    return parseTypeText(
      text,
      (_, name) => types.stored.get(name) ?? types.logical.get(name),
      keyspace,
    );
  } catch {
    return { kind: 'custom', className: text };
  }
}

function pairs(row: StoredTypeRow): TypeFieldRecord[] {
  return row.fieldNames.map((name, index) => ({ name, type: row.fieldTypes[index] ?? 'blob' }));
}

/** A shadow type has the record's field names, and blob for every field. */
function matchingForm(
  record: TypeRecord,
  row: StoredTypeRow,
): readonly TypeFieldRecord[] | undefined {
  if (row.fieldTypes.some((type) => type !== 'blob')) return undefined;
  for (const form of [record.fields, record.next]) {
    if (
      form?.length === row.fieldNames.length &&
      form.every((field, index) => field.name === row.fieldNames[index])
    ) {
      return form;
    }
  }
  return undefined;
}

function build(
  keyspace: string,
  own: ReadonlyMap<string, readonly TypeFieldRecord[]>,
  other: ReadonlyMap<string, readonly TypeFieldRecord[]> | undefined,
): ReadonlyMap<string, UdtType> {
  const done = new Map<string, UdtType>();
  const open = new Set<string>();
  const resolve = (name: string): UdtType | undefined => {
    const ready = done.get(name);
    if (ready !== undefined) return ready;
    const fields = own.get(name) ?? other?.get(name);
    if (fields === undefined) return undefined;
    if (open.has(name)) {
      throw new SchemaError('SCHEMA_TYPE_CYCLE', `type ${keyspace}.${name} contains itself`);
    }
    open.add(name);
    const type: UdtType = {
      kind: 'udt',
      keyspace,
      name,
      frozen: false,
      fields: fields.map((field) => ({
        name: field.name,
        type: parseTypeText(field.type, (_, inner) => resolve(inner), keyspace),
      })),
    };
    open.delete(name);
    done.set(name, type);
    return type;
  };
  const result = new Map<string, UdtType>();
  for (const name of own.keys()) {
    try {
      const type = resolve(name);
      if (type !== undefined) result.set(name, type);
    } catch {
      // Left out: whatever names the type is then refused.
      open.clear();
    }
  }
  return result;
}
