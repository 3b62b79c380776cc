import type { ConstantType } from '../ast.ts';
import { CqlSyntaxError, InternalError } from '../../errors/index.ts';
import { TokenKind } from './token_kind.ts';

/**
 * The type of a constant token.
 *
 * @throws InternalError for a token that is no constant
 */
export function constantType(kind: number): ConstantType {
  switch (kind) {
    case TokenKind.STRING:
      return 'string';
    case TokenKind.INTEGER:
      return 'integer';
    case TokenKind.FLOAT:
      return 'float';
    case TokenKind.BOOLEAN:
      return 'boolean';
    case TokenKind.UUID:
      return 'uuid';
    case TokenKind.HEX:
      return 'hex';
    case TokenKind.DURATION:
      return 'duration';
    default:
      throw new InternalError('the token is no constant');
  }
}

/**
 * The text of a constant token: strings without quotes and unescaped, `NaN`, `Infinity` and `-Infinity` in this spelling
 * (`-NaN` is `NaN`, as in Cassandra), everything else as written.
 *
 * Spec: Cassandra 5.0 Parser.g `constant`.
 *
 * @throws CqlSyntaxError for a floating point constant that no double holds, as Cassandra's parser, whatever type it is for
 */
export function constantText(text: string, kind: number, start: number, end: number): string {
  if (kind === TokenKind.STRING) return stringContent(text, start, end);
  if (kind === TokenKind.FLOAT) {
    const last = text.charCodeAt(end - 1) | 32;
    if (last === 0x6e) return 'NaN';
    if (last === 0x79) return text.charCodeAt(start) === 45 ? '-Infinity' : 'Infinity';
    if (!Number.isFinite(Number(text.slice(start, end)))) {
      throw new CqlSyntaxError('Failed parsing statement: a constant is larger than any double');
    }
  }
  return text.slice(start, end);
}

function stringContent(text: string, start: number, end: number): string {
  if (text.charCodeAt(start) === 36) return text.slice(start + 2, end - 2);
  const content = text.slice(start + 1, end - 1);
  return content.includes("'") ? content.replaceAll("''", "'") : content;
}
