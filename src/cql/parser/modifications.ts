import type {
  BatchStatement,
  Condition,
  DeleteStatement,
  DeleteTarget,
  Expression,
  InsertStatement,
  ModificationStatement,
  UpdateStatement,
  UsingClause,
} from '../ast.ts';
import { TokenKind } from '../lexer/index.ts';
import { parseAssignments } from './assignments.ts';
import type { TokenCursor } from './cursor.ts';
import {
  acceptIfNotExists,
  isMarker,
  parseColumnName,
  parseCommaList,
  parseMarker,
  parseName,
  parseTableName,
} from './names.ts';
import { acceptContains, acceptOperator, parseInValues, parseWhere } from './relations.ts';
import { parseIntValue, parseTerm } from './terms.ts';

const NO_USING: UsingClause = { ttl: undefined, timestamp: undefined };

/** `insertStatement`: K_INSERT K_INTO columnFamilyName ( normalInsertStatement | K_JSON jsonInsertStatement ). */
export function parseInsert(p: TokenCursor): InsertStatement {
  const { start } = p;
  p.expectWords('insert', 'into');
  const table = parseTableName(p);
  const body = p.acceptWord('json')
    ? { columns: [], values: [], json: parseJsonInsert(p) }
    : parseInsertColumns(p);
  const ifNotExists = acceptIfNotExists(p);
  const using = parseUsing(p);
  return { kind: 'insert', table, ...body, ifNotExists, using, span: p.spanFrom(start) };
}

/** '(' cident ( ',' cident )* ')' K_VALUES '(' term ( ',' term )* ')'. */
function parseInsertColumns(p: TokenCursor): Pick<InsertStatement, 'columns' | 'values' | 'json'> {
  p.expect(TokenKind.OPEN, '(');
  const columns = parseCommaList(p, () => parseColumnName(p));
  p.expect(TokenKind.CLOSE, ')');
  p.expectWords('values');
  p.expect(TokenKind.OPEN, '(');
  const values = parseCommaList(p, () => parseTerm(p));
  p.expect(TokenKind.CLOSE, ')');
  return { columns, values, json: undefined };
}

/** `jsonValue ( K_DEFAULT ( K_NULL | K_UNSET ) )?`, where jsonValue is STRING_LITERAL | marker. */
function parseJsonInsert(p: TokenCursor): NonNullable<InsertStatement['json']> {
  const value = parseJsonValue(p);
  if (!p.acceptWord('default')) return { value, defaultUnset: false };
  if (p.acceptWord('null')) return { value, defaultUnset: false };
  p.expectWords('unset');
  return { value, defaultUnset: true };
}

function parseJsonValue(p: TokenCursor): Expression {
  if (p.kind() === TokenKind.STRING) return p.takeConstant();
  if (isMarker(p)) return parseMarker(p);
  throw p.noAlternative();
}

/** `usingClause`, optional: K_USING objective ( K_AND objective )*; of an objective given twice the last counts. */
function parseUsing(p: TokenCursor): UsingClause {
  if (!p.acceptWord('using')) return NO_USING;
  let using = NO_USING;
  do {
    if (p.acceptWord('timestamp')) using = { ...using, timestamp: parseIntValue(p) };
    else if (p.acceptWord('ttl')) using = { ...using, ttl: parseIntValue(p) };
    else throw p.noAlternative();
  } while (p.acceptWord('and'));
  return using;
}

/**
 * `updateStatement`: K_UPDATE columnFamilyName usingClause? K_SET columnOperation ( ',' columnOperation )*
 * K_WHERE whereClause ( K_IF ( K_EXISTS | updateConditions ) )?.
 */
export function parseUpdate(p: TokenCursor): UpdateStatement {
  const { start } = p;
  p.expectWords('update');
  const table = parseTableName(p);
  const using = parseUsing(p);
  p.expectWords('set');
  const assignments = parseAssignments(p);
  p.expectWords('where');
  const where = parseWhere(p);
  const conditions = parseConditions(p);
  return {
    kind: 'update',
    table,
    using,
    assignments,
    where,
    ...conditions,
    span: p.spanFrom(start),
  };
}

/** `( K_IF ( K_EXISTS | updateConditions ) )?`; a column may be called `exists`. */
function parseConditions(p: TokenCursor): Pick<UpdateStatement, 'ifExists' | 'conditions'> {
  if (!p.acceptWord('if')) return { ifExists: false, conditions: [] };
  if (p.word() === 'exists' && !beginsConditionBehind(p)) {
    p.position++;
    return { ifExists: true, conditions: [] };
  }
  const conditions = [parseCondition(p)];
  while (p.acceptWord('and')) conditions.push(parseCondition(p));
  return { ifExists: false, conditions };
}

function beginsConditionBehind(p: TokenCursor): boolean {
  switch (p.kind(1)) {
    case TokenKind.EOF:
    case TokenKind.SEMICOLON:
      return false;
    case TokenKind.WORD:
      return p.word(1) === 'in' || p.word(1) === 'contains';
    default:
      return true;
  }
}

/**
 * `columnCondition`: cident ( relationType term | containsOperator term | K_IN … | '[' term ']' ( … ) | '.' fident ( … ) ).
 */
function parseCondition(p: TokenCursor): Condition {
  const { start } = p;
  const { column, key, field } = parseTarget(p);
  if (p.acceptWord('in')) {
    const value = parseInValues(p);
    return { column, key, field, operator: 'IN', value, span: p.spanFrom(start) };
  }
  const contains = key === undefined && field === undefined ? acceptContains(p) : undefined;
  const operator = contains ?? acceptOperator(p);
  if (operator === undefined) throw p.noAlternative();
  const value = parseTerm(p);
  return { column, key, field, operator, value, span: p.spanFrom(start) };
}

/** `cident`, `cident '[' term ']'` or `cident '.' fident`; as `deleteOp` it is a whole rule. */
function parseTarget(p: TokenCursor): DeleteTarget {
  const { start } = p;
  const column = parseColumnName(p);
  if (p.accept(TokenKind.OPEN_BRACKET)) {
    const key = parseTerm(p);
    p.expect(TokenKind.CLOSE_BRACKET, ']');
    return { column, key, field: undefined, span: p.spanFrom(start) };
  }
  const field = p.accept(TokenKind.DOT) ? parseName(p) : undefined;
  return { column, key: undefined, field, span: p.spanFrom(start) };
}

/**
 * `deleteStatement`: K_DELETE deleteSelection? K_FROM columnFamilyName ( K_USING K_TIMESTAMP intValue )?
 * K_WHERE whereClause ( K_IF ( K_EXISTS | updateConditions ) )?.
 */
export function parseDelete(p: TokenCursor): DeleteStatement {
  const { start } = p;
  p.expectWords('delete');
  const targets = p.word() === 'from' ? [] : parseCommaList(p, () => parseTarget(p));
  p.expectWords('from');
  const table = parseTableName(p);
  let using = NO_USING;
  if (p.acceptWord('using')) {
    p.expectWords('timestamp');
    using = { ttl: undefined, timestamp: parseIntValue(p) };
  }
  p.expectWords('where');
  const where = parseWhere(p);
  const conditions = parseConditions(p);
  return { kind: 'delete', table, targets, using, where, ...conditions, span: p.spanFrom(start) };
}

/**
 * `batchStatement`: K_BEGIN ( K_UNLOGGED | K_COUNTER )? K_BATCH usingClause? ( batchStatementObjective ';'? )*
 * K_APPLY K_BATCH.
 */
export function parseBatch(p: TokenCursor): BatchStatement {
  const { start } = p;
  p.expectWords('begin');
  const type = p.acceptWord('unlogged')
    ? 'unlogged'
    : p.acceptWord('counter')
      ? 'counter'
      : 'logged';
  p.expectWords('batch');
  const using = parseUsing(p);
  const statements: ModificationStatement[] = [];
  while (!p.acceptWord('apply')) {
    statements.push(parseModification(p));
    p.accept(TokenKind.SEMICOLON);
  }
  p.expectWords('batch');
  return { kind: 'batch', type, using, statements, span: p.spanFrom(start) };
}

/** `batchStatementObjective`: insertStatement | updateStatement | deleteStatement. */
function parseModification(p: TokenCursor): ModificationStatement {
  switch (p.word()) {
    case 'insert':
      return parseInsert(p);
    case 'update':
      return parseUpdate(p);
    case 'delete':
      return parseDelete(p);
    default:
      throw p.mismatch('K_APPLY');
  }
}
