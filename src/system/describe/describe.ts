import type { Statement } from '../../cql/index.ts';
import { InvalidRequestError, SchemaError } from '../../errors/index.ts';
import { isSystemKeyspace } from '../../schema/index.ts';
import type { Snapshot } from '../../schema/index.ts';
import type { ColumnSpec } from '../../wire/index.ts';
import { keyspaceProperties, propertiesText } from '../custom_properties.ts';
import { HIDDEN_KEYSPACE, isHiddenName, showsLogicalTypes } from '../hidden.ts';
import { indexNamed, indexText } from '../index_rows.ts';
import { logicalTableText } from './table_text.ts';
import { logicalTypeStatement } from './type_text.ts';
import { logicalViewText } from './view_text.ts';

/**
 * One row of Cassandra's answer to DESCRIBE as the client sees it; `undefined` drops the row. All forms with rows of schema
 * elements are covered: keyspace_name, type, name and perhaps create_statement. DESCRIBE CLUSTER passes.
 * @throws SchemaError if a description of an encrypted table or of a type cannot be shown with its logical types.
 */
export function transformDescribeRow(
  columns: readonly ColumnSpec[],
  row: readonly (Uint8Array | null)[],
  snapshot: Snapshot,
): (Uint8Array | null)[] | undefined {
  const index = (name: string): number => columns.findIndex((column) => column.name === name);
  const text = (position: number): string | undefined => {
    const cell = row[position] ?? null;
    return cell === null ? undefined : utf8(cell);
  };
  const shownKeyspace = text(index('keyspace_name'));
  if (shownKeyspace === undefined) {
    // Only the description of the cluster has rows without a keyspace.
    if (index('cluster') !== -1) return [...row];
    throw new SchemaError('SCHEMA_DESCRIBE', "Cassandra's answer to DESCRIBE is not understood");
  }
  const keyspace = unquotedName(shownKeyspace);
  const name = unquotedName(text(index('name')) ?? '');
  if (keyspace === HIDDEN_KEYSPACE || isHiddenName(name)) return undefined;
  const at = index('create_statement');
  const script = text(at);
  if (script === undefined) return [...row];
  const shown = logicalText(keyspace, text(index('type')) ?? '', name, script, snapshot);
  return row.map((cell, position) => (position === at ? Buffer.from(shown, 'utf8') : cell));
}

/**
 * What Cassandra prints of one element of a schema, as clients see it.
 * @param kind as Cassandra's answer names it: 'table', 'index', 'materialized_view', …
 * @throws SchemaError as {@link transformDescribeRow}
 */
export function logicalText(
  keyspace: string,
  kind: string,
  name: string,
  script: string,
  snapshot: Snapshot,
): string {
  if (isSystemKeyspace(keyspace)) return script;
  const owner = snapshot.keyspace(keyspace);
  if (owner === undefined) throw unknown(kind, keyspace);
  if (kind === 'keyspace') {
    const custom = propertiesText(keyspaceProperties(owner));
    // Cassandra's text ends with the semicolon.
    return custom === undefined ? script : script.replace(/\s*;\s*$/, () => ` AND ${custom};`);
  }
  if (kind === 'table') {
    const table = snapshot.table(keyspace, name);
    if (table === undefined) throw unknown(kind, `${keyspace}.${name}`);
    return showsLogicalTypes(table) ? logicalTableText(script, table) : script;
  }
  if (kind === 'materialized_view') {
    const view = snapshot.table(keyspace, name);
    if (view === undefined) throw unknown('view', `${keyspace}.${name}`);
    return view.view === undefined ? script : logicalViewText(script, view);
  }
  if (kind === 'index') {
    const found = indexNamed(snapshot, keyspace, name);
    return found === undefined ? script : indexText(found.table, found.index);
  }
  if (kind === 'type') {
    const udt = snapshot.udt(keyspace, name);
    if (udt === undefined) throw unknown(kind, `${keyspace}.${name}`);
    return logicalTypeStatement(script, udt);
  }
  return script;
}

/** A name in an answer to DESCRIBE, which has it as CQL writes it. */
export function unquotedName(name: string): string {
  return name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name;
}

/** Stored types are never shown in the place of logical ones. */
function unknown(kind: string, name: string): SchemaError {
  return new SchemaError(
    'SCHEMA_DESCRIBE',
    `Cassandra describes a ${kind} ${name} that the proxy does not know yet; try again`,
  );
}

/**
 * Refuses a DESCRIBE that names what is hidden, in Cassandra's words for what does not exist.
 * @throws InvalidRequestError
 */
export function describeAllowed(
  statement: Extract<Statement, { kind: 'describe' }>,
  snapshot: Snapshot,
): void {
  const { name, target } = statement;
  if (name === undefined) return;
  const keyspace = name.keyspace?.text;
  const bareKeyspace = keyspace === undefined && name.name.text === HIDDEN_KEYSPACE;
  const mayNameKeyspace = target === '' || /\b(ONLY )?(KEYSPACE|SCHEMA)\b/.test(target);
  if (keyspace === HIDDEN_KEYSPACE || (bareKeyspace && mayNameKeyspace)) {
    throw new InvalidRequestError(`'${HIDDEN_KEYSPACE}' not found in keyspaces`);
  }
  const hidden = isHiddenName(name.name.text);
  if (hidden && !(mayNameKeyspace && snapshot.keyspace(name.name.text) !== undefined)) {
    throw new InvalidRequestError(notFound(target, name.name.text, keyspace));
  }
}

/** What Cassandra calls the elements that DESCRIBE names. */
const ELEMENTS: readonly (readonly [target: string, element: string])[] = [
  ['TYPE', 'User defined type'],
  ['FUNCTION', 'User defined function'],
  ['AGGREGATE', 'User defined aggregate'],
  ['MATERIALIZED VIEW', 'Materialized view'],
  ['INDEX', 'Table for existing index'],
];

function notFound(target: string, name: string, keyspace: string | undefined): string {
  if (keyspace === undefined) return `'${name}' not found in keyspaces`;
  const element = ELEMENTS.find(([known]) => known === target)?.[1];
  if (element !== undefined) return `${element} '${name}' not found in '${keyspace}'`;
  const table = target === '' ? '' : 'Table ';
  return `${table}'${name}' not found in keyspace '${keyspace}'`;
}

function utf8(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
}
