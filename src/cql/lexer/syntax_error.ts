import { CqlSyntaxError } from '../../errors/index.ts';

/** `line L:C` of an offset: lines from 1, columns from 0, as Cassandra's parser counts them. */
export function linePosition(text: string, offset: number): string {
  let line = 1;
  let lineStart = 0;
  for (let at = text.indexOf('\n'); at >= 0 && at < offset; at = text.indexOf('\n', at + 1)) {
    line++;
    lineStart = at + 1;
  }
  return `line ${line}:${offset - lineStart}`;
}

/**
 * The error for text that is no token. It names the character only where it cannot be a part of a value.
 *
 * @param offset where the token cannot go on; the text's length when it is not closed
 */
export function lexicalError(text: string, offset: number): CqlSyntaxError {
  const where = linePosition(text, offset);
  if (offset >= text.length) return new CqlSyntaxError(`${where} mismatched character '<EOF>'`);
  const code = text.charCodeAt(offset);
  const shown = code > 32 && code < 127 ? text.charAt(offset) : '<character>';
  return new CqlSyntaxError(`${where} no viable alternative at character '${shown}'`);
}
