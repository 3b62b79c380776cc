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
  /** Changes when a type that a type text among `texts` names does, or one inside of it. */
  versionOf(texts: readonly string[]): string;
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
  const versions = typeVersions(rows, records);
  return {
    logical: build(keyspace, fields, undefined),
    stored: build(keyspace, storedFields, fields),
    broken,
    versionOf: (texts) => versionOf(texts, versions),
  };
}

/** What one type is made of. */
interface TypeVersion {
  /** Changes when the type does. */
  readonly version: string;
  /** The texts of its fields' types. */
  readonly texts: readonly string[];
}

function typeVersions(
  rows: readonly StoredTypeRow[],
  records: readonly { readonly version: bigint; readonly record: TypeRecord }[],
): ReadonlyMap<string, TypeVersion> {
  const versions = new Map<string, TypeVersion>();
  const add = (name: string, version: string, texts: readonly string[]): void => {
    const known = versions.get(name);
    versions.set(name, {
      version: known === undefined ? version : [known.version, version].sort().join(','),
      texts: [...(known?.texts ?? []), ...texts],
    });
  };
  for (const { record, version } of records) {
    const fields = [...record.fields, ...(record.next ?? [])];
    add(
      record.name,
      `${record.typeId}:${String(version)}`,
      fields.map(({ type }) => type),
    );
  }
  // Which form of a record holds, and what a type without record is, the stored types tell.
  for (const row of rows) {
    add(row.name, JSON.stringify([row.name, row.fieldNames, row.fieldTypes]), row.fieldTypes);
  }
  return versions;
}

/** A name that stands anywhere in a text counts as named there: a type too many does no harm. */
function versionOf(texts: readonly string[], versions: ReadonlyMap<string, TypeVersion>): string {
  const named = new Map<string, string>();
  const queue = [...new Set(texts)];
  for (let text = queue.pop(); text !== undefined; text = queue.pop()) {
    for (const [name, { version, texts: inner }] of versions) {
      if (named.has(name) || !text.includes(name.replaceAll('"', '""'))) continue;
      named.set(name, version);
      queue.push(...inner);
    }
  }
  return [...named.values()].sort().join(',');
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
