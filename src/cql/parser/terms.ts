import type { Expression } from '../ast.ts';
import { isConstantKind, TokenKind } from '../lexer/index.ts';
import type { TokenCursor } from './cursor.ts';
import {
  isCall,
  isColumnName,
  isMarker,
  isName,
  parseCommaList,
  parseFunctionName,
  parseMarker,
  parseName,
} from './names.ts';
import { parseNativeType, parseType, typeLength } from './types.ts';

/** `term`: termAddition. A term is a value: it names no columns. */
export function parseTerm(p: TokenCursor): Expression {
  return p.nested(() => parseTermAddition(p));
}

/** `termAddition`: termMultiplication ( '+' termMultiplication | '-' termMultiplication )*. */
function parseTermAddition(p: TokenCursor): Expression {
  const { start } = p;
  let left = parseTermMultiplication(p);
  for (let length = 1; ; length++) {
    const kind = p.kind();
    if (kind !== TokenKind.PLUS && kind !== TokenKind.MINUS) return left;
    // `SET c = [1] + c`: a bare name is no term, so the plus belongs to the assignment.
    if (kind === TokenKind.PLUS && isColumnName(p, 1) && !beginsCallOrCast(p, 1)) return left;
    p.checkChain(length);
    p.position++;
    const right = parseTermMultiplication(p);
    const operator = kind === TokenKind.PLUS ? '+' : '-';
    left = { kind: 'arithmetic', operator, left, right, span: p.spanFrom(start) };
  }
}

/** `termMultiplication`: termGroup ( '*' termGroup | '/' termGroup | '%' termGroup )*. */
function parseTermMultiplication(p: TokenCursor): Expression {
  const { start } = p;
  let left = parseTermGroup(p);
  for (let length = 1; ; length++) {
    const operator = multiplicationOperator(p.kind());
    if (operator === undefined) return left;
    p.checkChain(length);
    p.position++;
    const right = parseTermGroup(p);
    left = { kind: 'arithmetic', operator, left, right, span: p.spanFrom(start) };
  }
}

/** The operator of a token, if it is one of `*`, `/`, `%`. */
export function multiplicationOperator(kind: number): '*' | '/' | '%' | undefined {
  if (kind === TokenKind.STAR) return '*';
  if (kind === TokenKind.SLASH) return '/';
  return kind === TokenKind.PERCENT ? '%' : undefined;
}

/** `termGroup`: simpleTerm | '-' simpleTerm. */
function parseTermGroup(p: TokenCursor): Expression {
  const { start } = p;
  if (!p.accept(TokenKind.MINUS)) return parseSimpleTerm(p);
  const value = parseSimpleTerm(p);
  return { kind: 'negate', value, span: p.spanFrom(start) };
}

/** `simpleTerm`: value | function | '(' comparatorType ')' simpleTerm | K_CAST '(' simpleTerm K_AS native_type ')'. */
function parseSimpleTerm(p: TokenCursor): Expression {
  return p.nested(() => parseSimpleTermBody(p));
}

function parseSimpleTermBody(p: TokenCursor): Expression {
  const kind = p.kind();
  if (isConstantKind(kind)) return p.takeConstant();
  switch (kind) {
    case TokenKind.QUESTION:
    case TokenKind.COLON:
      return parseMarker(p);
    case TokenKind.OPEN:
      return beginsTypeCast(p) ? parseTypeCast(p) : parseTupleLiteral(p);
    case TokenKind.OPEN_BRACKET:
      return parseListLiteral(p);
    case TokenKind.OPEN_BRACE:
      return parseBraceLiteral(p);
    case TokenKind.WORD:
      if (p.word() === 'null') return takeNull(p);
      if (p.word() === 'cast' && p.kind(1) === TokenKind.OPEN) return parseCast(p);
      return parseFunction(p);
    case TokenKind.QUOTED:
      return parseFunction(p);
    default:
      throw p.noAlternative();
  }
}

/** `K_NULL`, which must be the current token. */
export function takeNull(p: TokenCursor): Expression {
  const { start } = p;
  p.position++;
  return { kind: 'null', span: p.spanFrom(start) };
}

function beginsCallOrCast(p: TokenCursor, ahead: number): boolean {
  return isCall(p, ahead) || (p.word(ahead) === 'cast' && p.kind(ahead + 1) === TokenKind.OPEN);
}

/** Whether `(` begins `(type) term` and not a tuple: only `('…')` can be both, and the next token decides. */
function beginsTypeCast(p: TokenCursor): boolean {
  const length = typeLength(p, 1);
  if (length < 0 || p.kind(length + 1) !== TokenKind.CLOSE) return false;
  return p.kind(1) !== TokenKind.STRING || beginsSimpleTerm(p, length + 2);
}

function beginsSimpleTerm(p: TokenCursor, ahead: number): boolean {
  const kind = p.kind(ahead);
  switch (kind) {
    case TokenKind.QUESTION:
    case TokenKind.COLON:
    case TokenKind.OPEN:
    case TokenKind.OPEN_BRACKET:
    case TokenKind.OPEN_BRACE:
      return true;
    default:
      return isConstantKind(kind) || p.word(ahead) === 'null' || beginsCallOrCast(p, ahead);
  }
}

/** `'(' comparatorType ')' simpleTerm`. */
function parseTypeCast(p: TokenCursor): Expression {
  const { start } = p;
  p.expect(TokenKind.OPEN, '(');
  const type = parseType(p);
  p.expect(TokenKind.CLOSE, ')');
  const value = parseSimpleTerm(p);
  return { kind: 'type_hint', type, value, span: p.spanFrom(start) };
}

/** `K_CAST '(' simpleTerm K_AS native_type ')'`. */
function parseCast(p: TokenCursor): Expression {
  const { start } = p;
  p.expectWords('cast');
  p.expect(TokenKind.OPEN, '(');
  const value = parseSimpleTerm(p);
  p.expectWords('as');
  const type = parseNativeType(p);
  p.expect(TokenKind.CLOSE, ')');
  return { kind: 'cast', value, type, span: p.spanFrom(start) };
}

/** `tupleLiteral`: '(' term ( ',' term )* ')'. */
export function parseTupleLiteral(p: TokenCursor): Expression {
  const { start } = p;
  p.expect(TokenKind.OPEN, '(');
  const items = parseCommaList(p, () => parseTerm(p));
  p.expect(TokenKind.CLOSE, ')');
  return { kind: 'tuple', items, span: p.spanFrom(start) };
}

/** `listLiteral`: '[' ( term ( ',' term )* )? ']'. */
function parseListLiteral(p: TokenCursor): Expression {
  const { start } = p;
  p.expect(TokenKind.OPEN_BRACKET, '[');
  const items = p.kind() === TokenKind.CLOSE_BRACKET ? [] : parseCommaList(p, () => parseTerm(p));
  p.expect(TokenKind.CLOSE_BRACKET, ']');
  return { kind: 'list', items, span: p.spanFrom(start) };
}

/** `collectionLiteral` and `usertypeLiteral` in braces: '{' '}' | a set | a map | '{' fident ':' term … '}'. */
function parseBraceLiteral(p: TokenCursor): Expression {
  const { start } = p;
  p.expect(TokenKind.OPEN_BRACE, '{');
  if (p.accept(TokenKind.CLOSE_BRACE)) return { kind: 'set', items: [], span: p.spanFrom(start) };
  if (isName(p) && p.kind(1) === TokenKind.COLON) {
    const fields = parseCommaList(p, () => {
      const name = parseName(p);
      p.expect(TokenKind.COLON, ':');
      return { name, value: parseTerm(p) };
    });
    p.expect(TokenKind.CLOSE_BRACE, '}');
    return { kind: 'udt', fields, span: p.spanFrom(start) };
  }
  const first = parseTerm(p);
  if (p.accept(TokenKind.COLON)) {
    const entries: (readonly [Expression, Expression])[] = [[first, parseTerm(p)]];
    while (p.accept(TokenKind.COMMA)) {
      const key = parseTerm(p);
      p.expect(TokenKind.COLON, ':');
      entries.push([key, parseTerm(p)]);
    }
    p.expect(TokenKind.CLOSE_BRACE, '}');
    return { kind: 'map', entries, span: p.spanFrom(start) };
  }
  const items = [first];
  while (p.accept(TokenKind.COMMA)) items.push(parseTerm(p));
  p.expect(TokenKind.CLOSE_BRACE, '}');
  return { kind: 'set', items, span: p.spanFrom(start) };
}

/** `function`: functionName '(' ( term ( ',' term )* )? ')'. */
function parseFunction(p: TokenCursor): Expression {
  const { start } = p;
  if (!isCall(p)) throw p.noAlternative();
  const name = parseFunctionName(p);
  p.expect(TokenKind.OPEN, '(');
  const args = p.kind() === TokenKind.CLOSE ? [] : parseCommaList(p, () => parseTerm(p));
  p.expect(TokenKind.CLOSE, ')');
  return {
    kind: 'function',
    keyspace: name.keyspace?.text,
    name: name.name.text,
    args,
    span: p.spanFrom(start),
  };
}

/** `intValue`: INTEGER | marker. */
export function parseIntValue(p: TokenCursor): Expression {
  if (p.kind() === TokenKind.INTEGER) return p.takeConstant();
  if (isMarker(p)) return parseMarker(p);
  throw p.noAlternative();
}
