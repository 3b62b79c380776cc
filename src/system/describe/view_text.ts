import { editText, parseStatement, quoteIdentifier } from '../../cql/index.ts';
import type { CreateViewStatement, Identifier, Span } from '../../cql/index.ts';
import { ProxyError, SchemaError } from '../../errors/index.ts';
import type { TableEntry } from '../../schema/index.ts';
import { shownColumn } from '../view_rows.ts';

/**
 * The CREATE MATERIALIZED VIEW that Cassandra prints for a view of an encrypted table, without what the proxy added.
 * @throws SchemaError if the text is not understood
 */
export function logicalViewText(script: string, view: TableEntry): string {
  const statement = parseShown(script, view);
  const edits: { readonly span: Span; readonly replacement: string }[] = [];
  const rename = (name: Identifier): void => {
    const column = shownColumn(view, name.text);
    if (column !== undefined && column.name !== name.text) {
      edits.push({ span: name.span, replacement: quoteIdentifier(column.name) });
    }
  };
  const { selectors } = statement;
  const [first] = selectors ?? [];
  const last = selectors?.at(-1);
  if (selectors !== undefined && first !== undefined && last !== undefined) {
    const names = selectors.flatMap(({ expression }) =>
      expression.kind === 'column' ? (shownColumn(view, expression.name.text)?.name ?? []) : [],
    );
    const shown = names.map(quoteIdentifier).join(', ');
    edits.push({ span: { start: first.span.start, end: last.span.end }, replacement: shown });
  }
  for (const relation of statement.where) {
    if (relation.kind === 'is_not_null') rename(relation.column);
  }
  const { primaryKey, clusteringOrder } = statement;
  for (const name of [...primaryKey.partition, ...primaryKey.clustering]) rename(name);
  for (const { column } of clusteringOrder) rename(column);
  return editText(
    script,
    edits.sort((a, b) => a.span.start - b.span.start),
  );
}

function parseShown(script: string, view: TableEntry): CreateViewStatement {
  let cause: ProxyError | undefined;
  try {
    const { statement } = parseStatement(script);
    if (statement.kind === 'create_view') return statement;
  } catch (error) {
    if (!(error instanceof ProxyError)) throw error;
    cause = error;
  }
  throw new SchemaError(
    'SCHEMA_DESCRIBE',
    `The description that Cassandra gives of ${view.keyspace}.${view.name} is not understood`,
    cause === undefined ? undefined : { cause },
  );
}
