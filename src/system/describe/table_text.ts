import { editText, parseStatement, quoteIdentifier } from '../../cql/index.ts';
import type { ColumnDefinition, CreateTableStatement, Span, Statement } from '../../cql/index.ts';
import { ProxyError, SchemaError } from '../../errors/index.ts';
import type { ColumnMask, TableEntry } from '../../schema/index.ts';
import { printType } from '../../values/index.ts';
import { propertiesText, tableProperties } from '../custom_properties.ts';
import { isHiddenName } from '../hidden.ts';
import { indexText } from '../index_rows.ts';
import { splitStatements } from './split_statements.ts';

interface Edit {
  readonly span: Span;
  readonly replacement: string;
}

/**
 * The CREATE TABLE that Cassandra prints for an encrypted table, with the logical types and without hidden columns; also with
 * the lines ALTER TABLE … DROP and ADD of WITH INTERNALS.
 * @throws SchemaError if the text is not understood or shows a column that the record does not have.
 */
export function logicalTableText(script: string, table: TableEntry): string {
  const texts: string[] = [];
  for (const part of splitStatements(script)) {
    const edited = editStatement(part.text, table);
    if (edited !== undefined) texts.push(edited);
  }
  return texts.join('');
}

function editStatement(text: string, table: TableEntry): string | undefined {
  const statement = parseShown(text, table);
  if (statement.kind === 'create_table') return editCreate(text, statement, table);
  if (statement.kind === 'alter_table') {
    const { action } = statement;
    if (action.kind === 'drop') {
      return action.columns.some((column) => isHiddenName(column.text)) ? undefined : text;
    }
    if (action.kind === 'add') {
      if (action.columns.some((column) => isHiddenName(column.name.text))) return undefined;
      return editText(
        text,
        action.columns.flatMap((column) => columnEdits(column, table)),
      );
    }
  }
  if (statement.kind === 'create_index') {
    const index = table.indexes.find(({ name }) => name === statement.index?.name.text);
    if (index === undefined) return undefined;
    const before = /^\s*/.exec(text)?.[0] ?? '';
    return `${before}${indexText(table, index)}`;
  }
  throw notUnderstood(table);
}

function parseShown(text: string, table: TableEntry): Statement {
  try {
    return parseStatement(text).statement;
  } catch (error) {
    if (error instanceof ProxyError) throw notUnderstood(table, error);
    throw error;
  }
}

function editCreate(text: string, statement: CreateTableStatement, table: TableEntry): string {
  const edits: Edit[] = [];
  const { columns } = statement;
  for (let index = 0; index < columns.length; index += 1) {
    const column = columns[index] as ColumnDefinition;
    if (!isHiddenName(column.name.text)) {
      edits.push(...columnEdits(column, table));
      continue;
    }
    // Hidden columns that follow each other are one edit: their commas must not be taken twice.
    let last = column;
    for (let next = columns[index + 1]; next !== undefined; next = columns[index + 1]) {
      if (!isHiddenName(next.name.text)) break;
      last = next;
      index += 1;
    }
    const span = { start: column.span.start, end: last.span.end };
    edits.push({ span: listItems(text, span), replacement: '' });
  }
  const properties = tableProperties(table);
  const custom = properties === undefined ? undefined : propertiesText(properties);
  if (custom !== undefined) {
    const { end } = statement.span;
    edits.push({ span: { start: end, end }, replacement: `\n    AND ${custom}` });
  }
  return editText(text, edits);
}

/** Columns with the comma behind them and the white space before; at the end of the list with the comma before. */
function listItems(text: string, span: Span): Span {
  const front = text.slice(0, span.start).trimEnd();
  const behind = /^\s*,/.exec(text.slice(span.end));
  if (behind !== null) return { start: front.length, end: span.end + behind[0].length };
  return { start: front.endsWith(',') ? front.length - 1 : front.length, end: span.end };
}

/** The logical type, and the mask behind `type static`: Cassandra has none. */
function columnEdits(column: ColumnDefinition, table: TableEntry): Edit[] {
  const { name, type, mask, typeEnd } = column;
  const known = table.columns.get(name.text)?.mask;
  const text = known === undefined ? '' : ` ${maskText(known)}`;
  const end = { start: typeEnd, end: mask?.span.end ?? typeEnd };
  return [
    { span: type.span, replacement: logicalTypeText(name.text, table) },
    ...(text === '' && mask === undefined ? [] : [{ span: end, replacement: text }]),
  ];
}

function maskText({ function: name, args }: ColumnMask): string {
  return `MASKED WITH system.${name}(${args.map(({ record }) => record.literal).join(', ')})`;
}

function logicalTypeText(name: string, table: TableEntry): string {
  const current = table.columns.get(name);
  if (current !== undefined) return printType(current.type);
  const dropped = table.dropped.find((column) => column.name === name);
  if (dropped !== undefined) return dropped.type;
  throw new SchemaError(
    'SCHEMA_DESCRIBE',
    `Cassandra describes a column ${quoteIdentifier(name)} of ${table.keyspace}.${table.name} that the table's record does not have`,
  );
}

function notUnderstood(table: TableEntry, cause?: ProxyError): SchemaError {
  return new SchemaError(
    'SCHEMA_DESCRIBE',
    `The description that Cassandra gives of ${table.keyspace}.${table.name} is not understood`,
    cause === undefined ? undefined : { cause },
  );
}
