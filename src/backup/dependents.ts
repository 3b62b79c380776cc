import { editText, parseStatement, quoteIdentifier } from '../cql/index.ts';
import type { QualifiedName } from '../cql/index.ts';

/** CREATE statements of indexes and views of one table as they are for another table; names of their own stay. */
export function dependentsOf(
  statements: readonly string[],
  to: { readonly keyspace: string; readonly name: string },
): readonly string[] {
  return statements.map((text) => retargeted(text, to));
}

function retargeted(
  text: string,
  to: { readonly keyspace: string; readonly name: string },
): string {
  const { statement } = parseStatement(text);
  if (statement.kind !== 'create_index' && statement.kind !== 'create_view') return text;
  const qualified = (name: string): string =>
    `${quoteIdentifier(to.keyspace)}.${quoteIdentifier(name)}`;
  const edits: { name: QualifiedName; replacement: string }[] = [
    { name: statement.table, replacement: qualified(to.name) },
  ];
  if (statement.kind === 'create_view') {
    const { view } = statement;
    edits.push({ name: view, replacement: qualified(view.name.text) });
  }
  return editText(
    text,
    edits
      .map(({ name, replacement }) => ({ span: name.span, replacement }))
      .sort((a, b) => a.span.start - b.span.start),
  );
}
