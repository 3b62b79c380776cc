import type {
  AlterTableAction,
  ColumnDefinition,
  CreateTableStatement,
  Expression,
  Identifier,
  MaskClause,
  Property,
  RestoreTableStatement,
  Statement,
} from '../ast.ts';
import { TokenKind } from '../lexer/index.ts';
import type { TokenCursor } from './cursor.ts';
import {
  acceptIfExists,
  acceptIfNotExists,
  parseColumnName,
  parseCommaList,
  parseFunctionName,
  parseName,
  parseTableName,
} from './names.ts';
import { addProperty, parseProperties } from './properties.ts';
import { parseTerm } from './terms.ts';
import { parseType } from './types.ts';

type PrimaryKey = CreateTableStatement['primaryKeys'][number];
type ClusteringOrder = CreateTableStatement['clusteringOrder'][number];

const MAX_LONG = 2n ** 63n - 1n;

/**
 * `createTableStatement` behind K_CREATE K_COLUMNFAMILY: ( K_IF K_NOT K_EXISTS )? columnFamilyName tableDefinition.
 */
export function parseCreateTable(p: TokenCursor, start: number): CreateTableStatement {
  const ifNotExists = acceptIfNotExists(p);
  const table = parseTableName(p);
  const columns: ColumnDefinition[] = [];
  const primaryKeys: PrimaryKey[] = [];
  p.expect(TokenKind.OPEN, '(');
  parseTableColumn(p, columns, primaryKeys);
  while (p.accept(TokenKind.COMMA)) {
    // Cassandra lets commas stand without a column behind them.
    if (p.kind() !== TokenKind.COMMA && p.kind() !== TokenKind.CLOSE) {
      parseTableColumn(p, columns, primaryKeys);
    }
  }
  p.expect(TokenKind.CLOSE, ')');
  const options = parseTableOptions(p);
  return {
    kind: 'create_table',
    ifNotExists,
    table,
    columns,
    primaryKeys,
    ...options,
    span: p.spanFrom(start),
  };
}

/**
 * `tableColumns`: ident comparatorType K_STATIC? columnMask? ( K_PRIMARY K_KEY )? |
 * K_PRIMARY K_KEY '(' tablePartitionKey ( ',' ident )* ')'.
 */
function parseTableColumn(
  p: TokenCursor,
  columns: ColumnDefinition[],
  primaryKeys: PrimaryKey[],
): void {
  if (p.acceptWord('primary')) {
    p.expectWords('key');
    primaryKeys.push(parsePrimaryKey(p));
    return;
  }
  const { start } = p;
  const column = parseColumn(p);
  const { name } = column;
  const isPrimaryKey = p.acceptWord('primary');
  if (isPrimaryKey) {
    p.expectWords('key');
    primaryKeys.push({ partition: [name], clustering: [] });
  }
  columns.push({ ...column, isPrimaryKey, span: p.spanFrom(start) });
}

/** `ident comparatorType K_STATIC? columnMask?`. */
function parseColumn(p: TokenCursor): ColumnDefinition {
  const { start } = p;
  const name = parseName(p);
  const type = parseType(p);
  const isStatic = p.acceptWord('static');
  const { end: typeEnd } = p.spanFrom(start);
  const mask = acceptMask(p);
  return { name, type, isStatic, isPrimaryKey: false, mask, typeEnd, span: p.spanFrom(start) };
}

/** `columnMask`, optional: K_MASKED K_WITH ( K_DEFAULT | functionName '(' ( term ( ',' term )* )? ')' ). */
function acceptMask(p: TokenCursor): MaskClause | undefined {
  const { start } = p;
  if (!p.acceptWord('masked')) return undefined;
  p.expectWords('with');
  if (p.word() === 'default' && p.kind(1) !== TokenKind.OPEN && p.kind(1) !== TokenKind.DOT) {
    p.position++;
    return { function: 'default', args: [], span: p.spanFrom(start) };
  }
  const named = parseFunctionName(p);
  p.expect(TokenKind.OPEN, '(');
  if (p.accept(TokenKind.CLOSE)) return { function: named, args: [], span: p.spanFrom(start) };
  const args = parseCommaList(p, () => parseTerm(p));
  p.expect(TokenKind.CLOSE, ')');
  return { function: named, args, span: p.spanFrom(start) };
}

/** '(' tablePartitionKey ( ',' ident )* ')', where tablePartitionKey is ident | '(' ident ( ',' ident )* ')'. */
export function parsePrimaryKey(p: TokenCursor): PrimaryKey {
  p.expect(TokenKind.OPEN, '(');
  const partition = p.kind() === TokenKind.OPEN ? parseNamesInParentheses(p) : [parseName(p)];
  const clustering: Identifier[] = [];
  while (p.accept(TokenKind.COMMA)) clustering.push(parseName(p));
  p.expect(TokenKind.CLOSE, ')');
  return { partition, clustering };
}

function parseNamesInParentheses(p: TokenCursor): Identifier[] {
  p.expect(TokenKind.OPEN, '(');
  const names = parseCommaList(p, () => parseName(p));
  p.expect(TokenKind.CLOSE, ')');
  return names;
}

/** `( K_WITH tableProperty ( K_AND tableProperty )* )?`. */
export function parseTableOptions(
  p: TokenCursor,
): Pick<CreateTableStatement, 'clusteringOrder' | 'compactStorage' | 'properties'> {
  const clusteringOrder: ClusteringOrder[] = [];
  const properties: Property[] = [];
  let compactStorage = false;
  if (!p.acceptWord('with')) return { clusteringOrder, compactStorage, properties };
  do {
    if (p.acceptWords('compact', 'storage')) compactStorage = true;
    else if (p.acceptWords('clustering', 'order')) {
      p.expectWords('by');
      p.expect(TokenKind.OPEN, '(');
      clusteringOrder.push(...parseCommaList(p, () => parseClusteringOrder(p)));
      p.expect(TokenKind.CLOSE, ')');
    } else addProperty(p, properties);
  } while (p.acceptWord('and'));
  return { clusteringOrder, compactStorage, properties };
}

/** `tableClusteringOrder`: ident ( K_ASC | K_DESC ). */
function parseClusteringOrder(p: TokenCursor): ClusteringOrder {
  const column = parseName(p);
  if (p.acceptWord('asc')) return { column, direction: 'asc' };
  p.expectWords('desc');
  return { column, direction: 'desc' };
}

/** Not of Cql.g, as Amazon Keyspaces writes it: RESTORE TABLE columnFamilyName FROM TABLE columnFamilyName ( K_WITH properties )?. */
export function parseRestoreTable(p: TokenCursor): RestoreTableStatement {
  const { start } = p;
  p.expectWords('restore', 'table');
  const table = parseTableName(p);
  p.expectWords('from', 'table');
  const source = parseTableName(p);
  const properties = p.acceptWord('with') ? parseProperties(p) : [];
  return { kind: 'restore_table', table, source, properties, span: p.spanFrom(start) };
}

/**
 * `alterTableStatement` behind K_ALTER K_COLUMNFAMILY: ( K_IF K_EXISTS )? columnFamilyName and one action.
 */
export function parseAlterTable(p: TokenCursor, start: number): Statement {
  const ifExists = acceptIfExists(p);
  const table = parseTableName(p);
  const action = parseAlterAction(p);
  return { kind: 'alter_table', ifExists, table, action, span: p.spanFrom(start) };
}

function parseAlterAction(p: TokenCursor): AlterTableAction {
  if (p.acceptWord('add')) return parseAdd(p);
  if (p.acceptWord('drop')) return parseDrop(p);
  if (p.acceptWord('alter')) return parseAlterColumn(p);
  if (p.acceptWord('rename')) {
    const ifExists = acceptIfExists(p);
    const renames: { from: Identifier; to: Identifier }[] = [];
    do {
      const from = parseName(p);
      p.expectWords('to');
      renames.push({ from, to: parseName(p) });
    } while (p.acceptWord('and'));
    return { kind: 'rename', ifExists, renames };
  }
  if (p.acceptWord('with')) return { kind: 'with', properties: parseProperties(p) };
  throw p.noAlternative();
}

/** K_ADD ( K_IF K_NOT K_EXISTS )? ( column | '(' column ( ',' column )* ')' ). */
function parseAdd(p: TokenCursor): AlterTableAction {
  const ifNotExists = acceptIfNotExists(p);
  if (!p.accept(TokenKind.OPEN)) return { kind: 'add', ifNotExists, columns: [parseColumn(p)] };
  const columns = parseCommaList(p, () => parseColumn(p));
  p.expect(TokenKind.CLOSE, ')');
  return { kind: 'add', ifNotExists, columns };
}

/** K_DROP ( K_COMPACT K_STORAGE | ( K_IF K_EXISTS )? ( ident | '(' … ')' ) ( K_USING K_TIMESTAMP INTEGER )? ). */
function parseDrop(p: TokenCursor): AlterTableAction {
  if (p.acceptWords('compact', 'storage')) return { kind: 'drop_compact_storage' };
  const ifExists = acceptIfExists(p);
  const columns = p.kind() === TokenKind.OPEN ? parseNamesInParentheses(p) : [parseName(p)];
  let timestamp: Expression | undefined;
  if (p.acceptWord('using')) {
    p.expectWords('timestamp');
    if (p.kind() !== TokenKind.INTEGER) throw p.mismatch('INTEGER');
    timestamp = p.takeConstant();
    const value = BigInt(timestamp.text);
    if (value > MAX_LONG || value < -MAX_LONG - 1n) {
      throw p.error('the timestamp must be a 64-bit integer');
    }
  }
  return { kind: 'drop', ifExists, columns, timestamp };
}

/** K_ALTER ( cident K_TYPE comparatorType | ( K_IF K_EXISTS )? cident ( columnMask | K_DROP K_MASKED ) ). */
function parseAlterColumn(p: TokenCursor): AlterTableAction {
  const ifExists = acceptIfExists(p);
  const column = parseColumnName(p);
  if (!ifExists && p.acceptWord('type')) {
    return { kind: 'alter_type', column, type: parseType(p) };
  }
  if (p.acceptWord('drop')) {
    p.expectWords('masked');
    return { kind: 'drop_mask', column };
  }
  const mask = acceptMask(p);
  if (mask === undefined) throw p.noAlternative();
  return { kind: 'mask', ifExists, column, mask };
}
