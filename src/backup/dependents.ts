import { editText, parseStatement, quoteIdentifier } from '../cql/index.ts';
import type { QualifiedName } from '../cql/index.ts';
import { ProxyError } from '../errors/index.ts';

/**
 * CREATE statements of indexes and views of one table as they are for another table; names of their own stay. One that is not
 * understood comes as a comment that says so: by then the rows are there, and nothing must fail for it.
 */
export function dependentsOf(
  statements: readonly string[],
  to: { readonly keyspace: string; readonly name: string },
): readonly string[] {
  return statements.map((text) => {
    try {
      return retargeted(text, to);
    } catch (error) {
      if (!(error instanceof ProxyError)) throw error;
      const target = `${quoteIdentifier(to.keyspace)}.${quoteIdentifier(to.name)}`;
      return `/* not understood, write it for ${target} by hand: ${text.replaceAll('*/', '* /')} */`;
    }
  });
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
