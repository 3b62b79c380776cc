import type { Expression, Selector } from '../ast.ts';
import { isConstantKind, TokenKind } from '../lexer/index.ts';
import type { TokenCursor } from './cursor.ts';
import {
  isCall,
  isName,
  parseCommaList,
  parseFunctionName,
  parseMarker,
  parseName,
} from './names.ts';
import { multiplicationOperator, parseTerm, takeNull } from './terms.ts';
import { parseNativeType, parseType, typeLength } from './types.ts';

/** `selectors`: selector ( ',' selector )* | '*'; `undefined` stands for the star. */
export function parseSelectors(p: TokenCursor): readonly Selector[] | undefined {
  if (p.accept(TokenKind.STAR)) return undefined;
  return parseCommaList(p, () => parseSelector(p));
}

/** `selector`: unaliasedSelector ( K_AS noncol_ident )?. */
function parseSelector(p: TokenCursor): Selector {
  const { start } = p;
  const expression = parseUnaliasedSelector(p);
  const alias = p.acceptWord('as') ? parseName(p) : undefined;
  return { expression, alias, span: p.spanFrom(start) };
}

/** `unaliasedSelector`: selectionMultiplication ( '+' selectionMultiplication | '-' selectionMultiplication )*. */
export function parseUnaliasedSelector(p: TokenCursor): Expression {
  return p.nested(() => {
    const { start } = p;
    let left = parseMultiplication(p);
    for (let length = 1; ; length++) {
      const kind = p.kind();
      if (kind !== TokenKind.PLUS && kind !== TokenKind.MINUS) return left;
      p.checkChain(length);
      p.position++;
      const right = parseMultiplication(p);
      const operator = kind === TokenKind.PLUS ? '+' : '-';
      left = { kind: 'arithmetic', operator, left, right, span: p.spanFrom(start) };
    }
  });
}

/** `selectionMultiplication`: selectionGroup ( '*' selectionGroup | '/' selectionGroup | '%' selectionGroup )*. */
function parseMultiplication(p: TokenCursor): Expression {
  const { start } = p;
  let left = parseGroup(p);
  for (let length = 1; ; length++) {
    const operator = multiplicationOperator(p.kind());
    if (operator === undefined) return left;
    p.checkChain(length);
    p.position++;
    const right = parseGroup(p);
    left = { kind: 'arithmetic', operator, left, right, span: p.spanFrom(start) };
  }
}

/** `selectionGroup`: selectionGroupWithField | selectionGroupWithoutField | '-' selectionGroup. */
function parseGroup(p: TokenCursor): Expression {
  const { start } = p;
  if (p.accept(TokenKind.MINUS)) {
    const value = p.nested(() => parseGroup(p));
    return { kind: 'negate', value, span: p.spanFrom(start) };
  }
  return parseModifiers(p, parseWithoutField(p), start);
}

/** `selectorModifier`: ( '.' fident | '[' collectionSubSelection ']' )*. */
function parseModifiers(p: TokenCursor, receiver: Expression, start: number): Expression {
  let value = receiver;
  for (let length = 1; ; length++) {
    p.checkChain(length);
    if (p.accept(TokenKind.DOT)) {
      const field = parseName(p);
      value = { kind: 'field', value, field, span: p.spanFrom(start) };
    } else if (p.accept(TokenKind.OPEN_BRACKET)) {
      value = parseSubSelection(p, value, start);
    } else return value;
  }
}

/** `collectionSubSelection`: term ( RANGE term? )? | RANGE term; with the closing bracket. */
function parseSubSelection(p: TokenCursor, value: Expression, start: number): Expression {
  if (p.accept(TokenKind.RANGE)) {
    const to = parseTerm(p);
    p.expect(TokenKind.CLOSE_BRACKET, ']');
    return { kind: 'slice', value, from: undefined, to, span: p.spanFrom(start) };
  }
  const key = parseTerm(p);
  if (p.accept(TokenKind.RANGE)) {
    const to = p.kind() === TokenKind.CLOSE_BRACKET ? undefined : parseTerm(p);
    p.expect(TokenKind.CLOSE_BRACKET, ']');
    return { kind: 'slice', value, from: key, to, span: p.spanFrom(start) };
  }
  p.expect(TokenKind.CLOSE_BRACKET, ']');
  return { kind: 'element', value, key, span: p.spanFrom(start) };
}

/**
 * `selectionGroupWithoutField`: simpleUnaliasedSelector | selectionTypeHint | selectionTupleOrNestedSelector |
 * selectionList | selectionMapOrSet.
 */
function parseWithoutField(p: TokenCursor): Expression {
  switch (p.kind()) {
    case TokenKind.OPEN:
      return p.nested(() => parseTypeHint(p) ?? parseTuple(p));
    case TokenKind.OPEN_BRACKET:
      return parseList(p);
    case TokenKind.OPEN_BRACE:
      return parseMapOrSet(p);
    default:
      return parseSimpleSelector(p);
  }
}

/** `simpleUnaliasedSelector`: sident | selectionLiteral | selectionFunction. */
function parseSimpleSelector(p: TokenCursor): Expression {
  const kind = p.kind();
  if (isConstantKind(kind)) return p.takeConstant();
  if (kind === TokenKind.QUESTION || kind === TokenKind.COLON) return parseMarker(p);
  if (p.word() === 'null') return takeNull(p);
  if (p.kind(1) === TokenKind.OPEN && p.kind() === TokenKind.WORD) {
    const special = parseSpecialFunction(p);
    if (special !== undefined) return special;
  }
  if (isCall(p)) return parseSelectionFunction(p);
  return parseColumn(p);
}

/** `sident`. What can follow a column is known; it tells `(a) AS b` from a type hint on a column `as`. */
function parseColumn(p: TokenCursor): Expression {
  if (!isName(p)) throw p.noAlternative();
  if (!followsColumn(p, 1)) {
    p.position++;
    throw p.noAlternative();
  }
  const name = parseName(p);
  return { kind: 'column', name, span: name.span };
}

function followsColumn(p: TokenCursor, ahead: number): boolean {
  switch (p.kind(ahead)) {
    case TokenKind.EOF:
    case TokenKind.PLUS:
    case TokenKind.MINUS:
    case TokenKind.STAR:
    case TokenKind.SLASH:
    case TokenKind.PERCENT:
    case TokenKind.COMMA:
    case TokenKind.DOT:
    case TokenKind.COLON:
    case TokenKind.SEMICOLON:
    case TokenKind.CLOSE:
    case TokenKind.OPEN_BRACKET:
    case TokenKind.CLOSE_BRACKET:
    case TokenKind.CLOSE_BRACE:
      return true;
    default:
      return ['as', 'from', 'order', 'per', 'limit', 'allow'].includes(p.word(ahead));
  }
}

/** The alternatives of `selectionFunction` that begin with a keyword of their own. */
function parseSpecialFunction(p: TokenCursor): Expression | undefined {
  const { start } = p;
  const word = p.word();
  switch (word) {
    case 'count':
      if (p.kind(2) !== TokenKind.STAR) return undefined;
      p.position += 3;
      p.expect(TokenKind.CLOSE, ')');
      return { kind: 'count_rows', span: p.spanFrom(start) };
    case 'writetime':
    case 'maxwritetime':
    case 'ttl': {
      p.position += 2;
      const column = parseName(p);
      const receiver: Expression = { kind: 'column', name: column, span: column.span };
      const value = parseModifiers(p, receiver, column.span.start);
      p.expect(TokenKind.CLOSE, ')');
      return { kind: 'metadata', function: word, value, span: p.spanFrom(start) };
    }
    case 'cast': {
      p.position += 2;
      const value = parseUnaliasedSelector(p);
      p.expectWords('as');
      const type = parseNativeType(p);
      p.expect(TokenKind.CLOSE, ')');
      return { kind: 'cast', value, type, span: p.spanFrom(start) };
    }
    default:
      return undefined;
  }
}

/**
 * `functionName selectionFunctionArgs`. `count` of one constant counts rows, which Cassandra decides after parsing
 * (Selectable.WithFunction).
 */
function parseSelectionFunction(p: TokenCursor): Expression {
  const { start } = p;
  const name = parseFunctionName(p);
  p.expect(TokenKind.OPEN, '(');
  const args =
    p.kind() === TokenKind.CLOSE ? [] : parseCommaList(p, () => parseUnaliasedSelector(p));
  p.expect(TokenKind.CLOSE, ')');
  const span = p.spanFrom(start);
  const keyspace = name.keyspace?.text;
  if (
    name.name.text === 'count' &&
    (keyspace === undefined || keyspace === 'system') &&
    args.length === 1 &&
    args[0]?.kind === 'constant'
  ) {
    return { kind: 'count_rows', span };
  }
  return { kind: 'function', keyspace, name: name.name.text, args, span };
}

/** `selectionTypeHint`: '(' comparatorType ')' selectionGroupWithoutField; `undefined` if the text does not fit. */
function parseTypeHint(p: TokenCursor): Expression | undefined {
  const length = typeLength(p, 1);
  if (length < 0 || p.kind(length + 1) !== TokenKind.CLOSE) return undefined;
  return p.speculate(() => {
    const { start } = p;
    p.expect(TokenKind.OPEN, '(');
    const type = parseType(p);
    p.expect(TokenKind.CLOSE, ')');
    const value = parseWithoutField(p);
    return { kind: 'type_hint', type, value, span: p.spanFrom(start) } as const;
  });
}

/** `selectionTupleOrNestedSelector`: '(' unaliasedSelector ( ',' unaliasedSelector )* ')'. */
function parseTuple(p: TokenCursor): Expression {
  const { start } = p;
  p.expect(TokenKind.OPEN, '(');
  const items = parseCommaList(p, () => parseUnaliasedSelector(p));
  p.expect(TokenKind.CLOSE, ')');
  return { kind: 'tuple', items, span: p.spanFrom(start) };
}

/** `selectionList`: '[' ( unaliasedSelector ( ',' unaliasedSelector )* )? ']'. */
function parseList(p: TokenCursor): Expression {
  const { start } = p;
  p.expect(TokenKind.OPEN_BRACKET, '[');
  const items =
    p.kind() === TokenKind.CLOSE_BRACKET ? [] : parseCommaList(p, () => parseUnaliasedSelector(p));
  p.expect(TokenKind.CLOSE_BRACKET, ']');
  return { kind: 'list', items, span: p.spanFrom(start) };
}

/**
 * `selectionMapOrSet`: '{' '}' | '{' unaliasedSelector ( selectionMap | selectionSet ) '}'. A map whose keys are all
 * bare names is given as a user type's literal: keys of a map would be columns then, which only the type can tell.
 */
function parseMapOrSet(p: TokenCursor): Expression {
  const { start } = p;
  p.expect(TokenKind.OPEN_BRACE, '{');
  if (p.accept(TokenKind.CLOSE_BRACE)) return { kind: 'set', items: [], span: p.spanFrom(start) };
  const first = parseUnaliasedSelector(p);
  if (!p.accept(TokenKind.COLON)) {
    const items = [first];
    while (p.accept(TokenKind.COMMA)) items.push(parseUnaliasedSelector(p));
    p.expect(TokenKind.CLOSE_BRACE, '}');
    return { kind: 'set', items, span: p.spanFrom(start) };
  }
  const entries: (readonly [Expression, Expression])[] = [[first, parseUnaliasedSelector(p)]];
  while (p.accept(TokenKind.COMMA)) {
    const key = parseUnaliasedSelector(p);
    p.expect(TokenKind.COLON, ':');
    entries.push([key, parseUnaliasedSelector(p)]);
  }
  p.expect(TokenKind.CLOSE_BRACE, '}');
  const fields = entries.flatMap(([key, value]) =>
    key.kind === 'column' ? [{ name: key.name, value }] : [],
  );
  return fields.length === entries.length
    ? { kind: 'udt', fields, span: p.spanFrom(start) }
    : { kind: 'map', entries, span: p.spanFrom(start) };
}
