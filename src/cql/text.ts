import type { Span } from './ast.ts';
import { InternalError } from '../errors/index.ts';
import { isReservedKeyword } from './keywords.ts';

const UNQUOTED_IDENTIFIER = /^[a-z][a-z0-9_]*$/;

/**
 * A name as CQL text, quoted only where it must be.
 *
 * Spec: Cassandra 5.0 ColumnIdentifier.maybeQuote.
 */
export function quoteIdentifier(name: string): string {
  if (UNQUOTED_IDENTIFIER.test(name) && !isReservedKeyword(name)) return name;
  return `"${name.replaceAll('"', '""')}"`;
}

/** Text as a string constant of CQL. */
export function quoteString(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** A part of a statement's text and what to put in its place. */
export interface TextEdit {
  readonly span: Span;
  readonly replacement: string;
}

/**
 * Replaces parts of a text.
 *
 * @param edits sorted by `span.start`, not overlapping
 * @throws InternalError if they are not, or reach beyond the text
 */
export function editText(text: string, edits: readonly TextEdit[]): string {
  let edited = '';
  let at = 0;
  for (const { span, replacement } of edits) {
    if (span.start < at || span.end < span.start || span.end > text.length) {
      throw new InternalError('edits of a statement overlap or are not sorted');
    }
    edited += text.slice(at, span.start) + replacement;
    at = span.end;
  }
  return edited + text.slice(at);
}
