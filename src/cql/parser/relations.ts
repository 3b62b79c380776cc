import type { BindMarker, ComparisonOperator, Expression, Identifier, Relation } from '../ast.ts';
import { TokenKind } from '../lexer/index.ts';
import type { TokenCursor } from './cursor.ts';
import {
  isColumnName,
  isMarker,
  parseColumnName,
  parseCommaList,
  parseMarker,
  parseName,
} from './names.ts';
import { parseTerm, parseTupleLiteral } from './terms.ts';

/** `whereClause`: relationOrExpression ( K_AND relationOrExpression )*. */
export function parseWhere(p: TokenCursor): Relation[] {
  const relations: Relation[] = [];
  do {
    if (p.kind() === TokenKind.EXPR) skipCustomIndexExpression(p);
    else relations.push(parseRelation(p));
  } while (p.acceptWord('and'));
  return relations;
}

/** `customIndexExpression`: 'expr(' idxName ',' term ')'. The tree has no node for it. */
function skipCustomIndexExpression(p: TokenCursor): void {
  p.expect(TokenKind.EXPR, 'expr(');
  parseName(p);
  p.expect(TokenKind.COMMA, ',');
  parseTerm(p);
  p.expect(TokenKind.CLOSE, ')');
  p.unsupported = 'expr()';
}

/**
 * `relation`: a column, TOKEN, an element, a tuple of columns, or a relation in parentheses.
 *
 * Spec: Cassandra 5.0 Parser.g `relation`.
 */
function parseRelation(p: TokenCursor): Relation {
  const { start } = p;
  if (p.acceptWord('token')) {
    const columns = parseColumns(p);
    const operator = parseOperator(p);
    const value = parseTerm(p);
    return { kind: 'token', columns, operator, value, span: p.spanFrom(start) };
  }
  if (p.kind() === TokenKind.OPEN) {
    const beginsTuple =
      isColumnName(p, 1) && (p.kind(2) === TokenKind.COMMA || p.kind(2) === TokenKind.CLOSE);
    if (beginsTuple) return parseTupleRelation(p);
    p.position++;
    const relation = p.nested(() => parseRelation(p));
    p.expect(TokenKind.CLOSE, ')');
    return relation;
  }
  return parseColumnRelation(p);
}

/** The alternatives of `relation` that begin with `cident`. */
function parseColumnRelation(p: TokenCursor): Relation {
  const { start } = p;
  const column = parseColumnName(p);
  if (p.accept(TokenKind.OPEN_BRACKET)) {
    const key = parseTerm(p);
    p.expect(TokenKind.CLOSE_BRACKET, ']');
    const operator = parseOperator(p);
    const value = parseTerm(p);
    return { kind: 'element', column, key, operator, value, span: p.spanFrom(start) };
  }
  if (p.acceptWord('in')) {
    const values = parseInValues(p);
    return { kind: 'in', column, values, span: p.spanFrom(start) };
  }
  if (p.acceptWord('is')) {
    p.expectWords('not', 'null');
    return { kind: 'is_not_null', column, span: p.spanFrom(start) };
  }
  const operator = p.acceptWord('like') ? 'LIKE' : (acceptContains(p) ?? acceptOperator(p));
  if (operator === undefined) throw p.noAlternative();
  const value = parseTerm(p);
  return { kind: 'comparison', column, operator, value, span: p.spanFrom(start) };
}

/** `tupleOfIdentifiers ( K_IN … | relationType ( tupleLiteral | markerForTuple ) )`. */
function parseTupleRelation(p: TokenCursor): Relation {
  const { start } = p;
  const columns = parseColumns(p);
  if (p.acceptWord('in')) {
    const values = parseTupleInValues(p);
    return { kind: 'tuple_in', columns, values, span: p.spanFrom(start) };
  }
  const operator = parseOperator(p);
  const value = isMarker(p) ? parseMarker(p) : parseTupleLiteral(p);
  return { kind: 'tuple', columns, operator, value, span: p.spanFrom(start) };
}

/** `tupleOfIdentifiers`: '(' cident ( ',' cident )* ')'. */
function parseColumns(p: TokenCursor): Identifier[] {
  p.expect(TokenKind.OPEN, '(');
  const columns = parseCommaList(p, () => parseColumnName(p));
  p.expect(TokenKind.CLOSE, ')');
  return columns;
}

/** `inMarker | singleColumnInValues`: one marker, or '(' ( term ( ',' term )* )? ')'. */
export function parseInValues(p: TokenCursor): readonly Expression[] | BindMarker {
  if (isMarker(p)) return parseMarker(p);
  p.expect(TokenKind.OPEN, '(');
  if (p.accept(TokenKind.CLOSE)) return [];
  const values = parseCommaList(p, () => parseTerm(p));
  p.expect(TokenKind.CLOSE, ')');
  return values;
}

/** '(' ')' | inMarkerForTuple | tupleOfTupleLiterals | tupleOfMarkersForTuples; literals and markers do not mix. */
function parseTupleInValues(p: TokenCursor): readonly Expression[] | BindMarker {
  if (isMarker(p)) return parseMarker(p);
  p.expect(TokenKind.OPEN, '(');
  if (p.accept(TokenKind.CLOSE)) return [];
  const values: Expression[] = isMarker(p)
    ? parseCommaList(p, () => parseMarker(p))
    : parseCommaList(p, () => parseTupleLiteral(p));
  p.expect(TokenKind.CLOSE, ')');
  return values;
}

const OPERATORS: ReadonlyMap<number, ComparisonOperator> = new Map([
  [TokenKind.EQUAL, '='],
  [TokenKind.LESS, '<'],
  [TokenKind.LESS_EQUAL, '<='],
  [TokenKind.GREATER, '>'],
  [TokenKind.GREATER_EQUAL, '>='],
  [TokenKind.NOT_EQUAL, '!='],
]);

/** `relationType`, if it comes next. */
export function acceptOperator(p: TokenCursor): ComparisonOperator | undefined {
  const operator = OPERATORS.get(p.kind());
  if (operator !== undefined) p.position++;
  return operator;
}

/** `relationType`: '=' | '<' | '<=' | '>' | '>=' | '!='. */
export function parseOperator(p: TokenCursor): ComparisonOperator {
  const operator = acceptOperator(p);
  if (operator === undefined) throw p.noAlternative();
  return operator;
}

/** `containsOperator`: K_CONTAINS K_KEY?, if it comes next. */
export function acceptContains(p: TokenCursor): 'CONTAINS' | 'CONTAINS KEY' | undefined {
  if (!p.acceptWord('contains')) return undefined;
  // `key` begins no term unless it is the key of `CONTAINS KEY`: no function may have this name.
  return p.acceptWord('key') ? 'CONTAINS KEY' : 'CONTAINS';
}
