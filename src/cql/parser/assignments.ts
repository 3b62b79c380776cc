import type { Assignment, Identifier } from '../ast.ts';
import { TokenKind } from '../lexer/index.ts';
import type { TokenCursor } from './cursor.ts';
import { isCall, isColumnName, parseColumnName, parseCommaList, parseName } from './names.ts';
import { parseTerm } from './terms.ts';

/** `columnOperation ( ',' columnOperation )*`, with Cassandra's check of repeated columns. */
export function parseAssignments(p: TokenCursor): Assignment[] {
  const assignments = parseCommaList(p, () => parseAssignment(p));
  checkCompatible(p, assignments);
  return assignments;
}

/** `columnOperation`: cident ( '=' … | ( '+=' | '-=' ) term | '[' term ']' '=' term | '.' fident '=' term ). */
function parseAssignment(p: TokenCursor): Assignment {
  const { start } = p;
  const column = parseColumnName(p);
  switch (p.kind()) {
    case TokenKind.EQUAL:
      p.position++;
      return beginsOwnColumn(p)
        ? parseOwnColumn(p, column, start)
        : parseNormalAssignment(p, column, start);
    case TokenKind.PLUS_EQUAL:
    case TokenKind.MINUS_EQUAL: {
      const operator = p.kind() === TokenKind.PLUS_EQUAL ? '+' : '-';
      p.position++;
      const value = parseTerm(p);
      return { kind: 'operation', column, operator, value, span: p.spanFrom(start) };
    }
    case TokenKind.OPEN_BRACKET: {
      p.position++;
      const key = parseTerm(p);
      p.expect(TokenKind.CLOSE_BRACKET, ']');
      p.expect(TokenKind.EQUAL, '=');
      const value = parseTerm(p);
      return { kind: 'set_element', column, key, value, span: p.spanFrom(start) };
    }
    case TokenKind.DOT: {
      p.position++;
      const field = parseName(p);
      p.expect(TokenKind.EQUAL, '=');
      const value = parseTerm(p);
      return { kind: 'set_field', column, field, value, span: p.spanFrom(start) };
    }
    default:
      throw p.noAlternative();
  }
}

/** Whether a column stands behind `=`, and not a term. */
function beginsOwnColumn(p: TokenCursor): boolean {
  if (!isColumnName(p)) return false;
  return !isCall(p) && !(p.word() === 'cast' && p.kind(1) === TokenKind.OPEN);
}

/**
 * `cident ( '+' | '-' ) term` and `cident INTEGER`: the lexer reads `c = c -3` as a column and the integer -3, which
 * is added.
 */
function parseOwnColumn(p: TokenCursor, column: Identifier, start: number): Assignment {
  const own = parseColumnName(p);
  const kind = p.kind();
  if (kind === TokenKind.INTEGER) {
    checkOwn(p, column, own, '-');
    const value = p.takeConstant();
    return { kind: 'operation', column, operator: '+', value, span: p.spanFrom(start) };
  }
  if (kind !== TokenKind.PLUS && kind !== TokenKind.MINUS) throw p.noAlternative();
  const operator = kind === TokenKind.PLUS ? '+' : '-';
  p.position++;
  const value = parseTerm(p);
  checkOwn(p, column, own, operator);
  return { kind: 'operation', column, operator, value, span: p.spanFrom(start) };
}

function checkOwn(p: TokenCursor, column: Identifier, own: Identifier, operator: string): void {
  if (own.text !== column.text) {
    throw p.error(`Only expressions of the form X = X ${operator}<value> are supported.`);
  }
}

/** `term ( '+' cident )?`. */
function parseNormalAssignment(p: TokenCursor, column: Identifier, start: number): Assignment {
  const value = parseTerm(p);
  if (!p.accept(TokenKind.PLUS)) return { kind: 'set', column, value, span: p.spanFrom(start) };
  const own = parseColumnName(p);
  if (own.text !== column.text) {
    throw p.error('Only expressions of the form X = <value> + X are supported.');
  }
  return { kind: 'prepend', column, value, span: p.spanFrom(start) };
}

/** Cassandra refuses while it parses to set a column twice, unless only parts of it are set. */
function checkCompatible(p: TokenCursor, assignments: readonly Assignment[]): void {
  const byColumn = new Map<string, Assignment[]>();
  for (const assignment of assignments) {
    const name = assignment.column.text;
    const earlier = byColumn.get(name);
    if (earlier === undefined) {
      byColumn.set(name, [assignment]);
      continue;
    }
    if (earlier.some((other) => !isCompatible(other, assignment))) {
      throw p.error(`Multiple incompatible setting of column ${name}`);
    }
    earlier.push(assignment);
  }
}

/** `Operation.RawUpdate.isCompatibleWith`. */
function isCompatible(earlier: Assignment, later: Assignment): boolean {
  if (earlier.kind === 'set' || later.kind === 'set') return false;
  if (earlier.kind === 'set_field' && later.kind === 'set_field') {
    return earlier.field.text !== later.field.text;
  }
  return true;
}
