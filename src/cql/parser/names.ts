import type { BindMarker, Identifier, QualifiedName } from '../ast.ts';
import { keywordClass } from '../keywords.ts';
import { TokenKind } from '../lexer/index.ts';
import type { TokenCursor } from './cursor.ts';

/** Whether the token `ahead` can be a name: IDENT, QUOTED_NAME or an unreserved keyword. */
export function isName(p: TokenCursor, ahead = 0): boolean {
  const kind = p.kind(ahead);
  if (kind === TokenKind.QUOTED) return true;
  return kind === TokenKind.WORD && keywordClass(p.word(ahead)) !== 'reserved';
}

/** Whether the token `ahead` is a name or `""`. */
export function isColumnName(p: TokenCursor, ahead = 0): boolean {
  return p.kind(ahead) === TokenKind.EMPTY_QUOTED || isName(p, ahead);
}

/** Whether the token `ahead` is a word that is no keyword (IDENT). */
export function isPlainWord(p: TokenCursor, ahead = 0): boolean {
  return p.kind(ahead) === TokenKind.WORD && keywordClass(p.word(ahead)) === undefined;
}

/** Whether the token `ahead` can be the name of a function, without its keyspace (`allowedFunctionName`). */
export function isFunctionName(p: TokenCursor, ahead = 0): boolean {
  const kind = p.kind(ahead);
  if (kind === TokenKind.QUOTED) return true;
  if (kind !== TokenKind.WORD) return false;
  const word = p.word(ahead);
  if (word === 'token' || word === 'count') return true;
  const keyword = keywordClass(word);
  return keyword === undefined || keyword === 'basic' || keyword === 'native_type';
}

/** Whether a call begins `ahead`: `name (` or `keyspace.name (`. */
export function isCall(p: TokenCursor, ahead = 0): boolean {
  if (p.kind(ahead + 1) === TokenKind.OPEN) return isFunctionName(p, ahead);
  return (
    p.kind(ahead + 1) === TokenKind.DOT &&
    p.kind(ahead + 3) === TokenKind.OPEN &&
    isName(p, ahead) &&
    isFunctionName(p, ahead + 2)
  );
}

/** `ident`, `fident`, `noncol_ident`: IDENT | QUOTED_NAME | unreserved_keyword. */
export function parseName(p: TokenCursor): Identifier {
  if (!isName(p)) throw p.noAlternative();
  return takeName(p);
}

/** `cident`: EMPTY_QUOTED_NAME | ident. */
export function parseColumnName(p: TokenCursor): Identifier {
  if (!isColumnName(p)) throw p.noAlternative();
  return takeName(p);
}

/** Any word or quoted name that is the current token; the caller has checked which are allowed. */
export function takeName(p: TokenCursor): Identifier {
  const { start } = p;
  if (p.kind() === TokenKind.WORD) {
    const text = p.word();
    p.position++;
    return { text, quoted: false, span: p.spanFrom(start) };
  }
  const written = p.tokenText();
  p.position++;
  const text = written.slice(1, -1).replaceAll('""', '"');
  return { text, quoted: true, span: p.spanFrom(start) };
}

/** `keyspaceName`: ident; a marker is refused with Cassandra's words. */
export function parseKeyspaceName(p: TokenCursor): Identifier {
  if (p.kind() === TokenKind.QUESTION) {
    throw p.error('Bind variables cannot be used for keyspace names');
  }
  return parseName(p);
}

/** `columnFamilyName`: (ksName '.')? cfName. */
export function parseTableName(p: TokenCursor): QualifiedName {
  const { start } = p;
  if (p.kind() === TokenKind.QUESTION) {
    throw p.error('Bind variables cannot be used for table names');
  }
  const first = parseName(p);
  if (!p.accept(TokenKind.DOT)) return { keyspace: undefined, name: first, span: first.span };
  if (p.kind() === TokenKind.QUESTION) {
    throw p.error('Bind variables cannot be used for table names');
  }
  const name = parseName(p);
  return { keyspace: first, name, span: p.spanFrom(start) };
}

/** `functionName`: (keyspaceName '.')? allowedFunctionName. */
export function parseFunctionName(p: TokenCursor): QualifiedName {
  const { start } = p;
  let keyspace: Identifier | undefined;
  if (p.kind(1) === TokenKind.DOT) {
    keyspace = parseKeyspaceName(p);
    p.position++;
  }
  if (!isFunctionName(p)) throw p.noAlternative();
  const name = takeName(p);
  return { keyspace, name, span: p.spanFrom(start) };
}

/** Whether a bind marker begins at the current token. */
export function isMarker(p: TokenCursor): boolean {
  return p.kind() === TokenKind.QUESTION || p.kind() === TokenKind.COLON;
}

/** `marker`, `inMarker`, `markerForTuple`: QMARK | ':' noncol_ident. */
export function parseMarker(p: TokenCursor): BindMarker {
  const { start } = p;
  if (p.accept(TokenKind.QUESTION)) return p.addMarker(undefined, start);
  p.expect(TokenKind.COLON, ':');
  return p.addMarker(parseName(p), start);
}

/** `a ( ',' a )*`. */
export function parseCommaList<T>(p: TokenCursor, item: () => T): T[] {
  const items = [item()];
  while (p.accept(TokenKind.COMMA)) items.push(item());
  return items;
}

/** `K_IF K_NOT K_EXISTS`, optional. */
export function acceptIfNotExists(p: TokenCursor): boolean {
  if (!p.acceptWord('if')) return false;
  p.expectWords('not', 'exists');
  return true;
}

/** `K_IF K_EXISTS`, optional. */
export function acceptIfExists(p: TokenCursor): boolean {
  if (!p.acceptWord('if')) return false;
  p.expectWords('exists');
  return true;
}
