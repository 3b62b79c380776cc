import type { Identifier, Statement, TypeName } from '../ast.ts';
import { TokenKind } from '../lexer/index.ts';
import type { TokenCursor } from './cursor.ts';
import {
  acceptIfExists,
  acceptIfNotExists,
  parseKeyspaceName,
  parseName,
  parseTableName,
} from './names.ts';
import { parseProperties } from './properties.ts';
import { parseType, parseUserTypeName } from './types.ts';

/** `useStatement`: K_USE keyspaceName. */
export function parseUse(p: TokenCursor): Statement {
  const { start } = p;
  p.expectWords('use');
  const keyspace = parseKeyspaceName(p);
  return { kind: 'use', keyspace, span: p.spanFrom(start) };
}

/** `truncateStatement`: K_TRUNCATE K_COLUMNFAMILY? columnFamilyName. */
export function parseTruncate(p: TokenCursor): Statement {
  const { start } = p;
  p.expectWords('truncate');
  if (!p.acceptWord('table')) p.acceptWord('columnfamily');
  const table = parseTableName(p);
  return { kind: 'truncate', table, span: p.spanFrom(start) };
}

/** `createKeyspaceStatement` behind K_CREATE K_KEYSPACE. */
export function parseCreateKeyspace(p: TokenCursor, start: number): Statement {
  const ifNotExists = acceptIfNotExists(p);
  const keyspace = parseKeyspaceName(p);
  p.expectWords('with');
  const properties = parseProperties(p);
  return { kind: 'create_keyspace', ifNotExists, keyspace, properties, span: p.spanFrom(start) };
}

/** `alterKeyspaceStatement` behind K_ALTER K_KEYSPACE. */
export function parseAlterKeyspace(p: TokenCursor, start: number): Statement {
  const ifExists = acceptIfExists(p);
  const keyspace = parseKeyspaceName(p);
  p.expectWords('with');
  const properties = parseProperties(p);
  return { kind: 'alter_keyspace', ifExists, keyspace, properties, span: p.spanFrom(start) };
}

/** `dropKeyspaceStatement` behind K_DROP K_KEYSPACE. */
export function parseDropKeyspace(p: TokenCursor, start: number): Statement {
  const ifExists = acceptIfExists(p);
  const keyspace = parseKeyspaceName(p);
  return { kind: 'drop_keyspace', ifExists, keyspace, span: p.spanFrom(start) };
}

/** `dropTableStatement` behind K_DROP K_COLUMNFAMILY. */
export function parseDropTable(p: TokenCursor, start: number): Statement {
  const ifExists = acceptIfExists(p);
  const table = parseTableName(p);
  return { kind: 'drop_table', ifExists, table, span: p.spanFrom(start) };
}

/** `createTypeStatement` behind K_CREATE K_TYPE: userTypeName '(' typeColumns ( ',' typeColumns? )* ')'. */
export function parseCreateType(p: TokenCursor, start: number): Statement {
  const ifNotExists = acceptIfNotExists(p);
  const type = parseUserTypeName(p);
  p.expect(TokenKind.OPEN, '(');
  const fields = [parseField(p)];
  while (p.accept(TokenKind.COMMA)) {
    if (p.kind() !== TokenKind.COMMA && p.kind() !== TokenKind.CLOSE) fields.push(parseField(p));
  }
  p.expect(TokenKind.CLOSE, ')');
  return { kind: 'create_type', ifNotExists, type, fields, span: p.spanFrom(start) };
}

/** `typeColumns`: fident comparatorType. */
function parseField(p: TokenCursor): {
  name: Identifier;
  type: TypeName;
  span: { start: number; end: number };
} {
  const { start } = p;
  const name = parseName(p);
  const type = parseType(p);
  return { name, type, span: p.spanFrom(start) };
}

/**
 * `alterTypeStatement` behind K_ALTER K_TYPE: ( K_IF K_EXISTS )? userTypeName ( K_ALTER fident K_TYPE comparatorType |
 * K_ADD ( K_IF K_NOT K_EXISTS )? fident comparatorType | K_RENAME ( K_IF K_EXISTS )? fident K_TO fident ( K_AND … )* ).
 */
export function parseAlterType(p: TokenCursor, start: number): Statement {
  const ifExists = acceptIfExists(p);
  const type = parseUserTypeName(p);
  const action = parseAlterTypeAction(p);
  return { kind: 'alter_type', ifExists, type, action, span: p.spanFrom(start) };
}

function parseAlterTypeAction(
  p: TokenCursor,
): Extract<Statement, { kind: 'alter_type' }>['action'] {
  if (p.acceptWord('alter')) {
    const field = parseName(p);
    p.expectWords('type');
    return { kind: 'alter', field, type: parseType(p) };
  }
  if (p.acceptWord('add')) {
    const ifNotExists = acceptIfNotExists(p);
    const name = parseName(p);
    return { kind: 'add', ifNotExists, fields: [{ name, type: parseType(p) }] };
  }
  if (!p.acceptWord('rename')) throw p.noAlternative();
  const ifExists = acceptIfExists(p);
  const renames: { from: Identifier; to: Identifier }[] = [];
  do {
    const from = parseName(p);
    p.expectWords('to');
    renames.push({ from, to: parseName(p) });
  } while (p.acceptWord('and'));
  return { kind: 'rename', ifExists, renames };
}

/** `dropTypeStatement` behind K_DROP K_TYPE. */
export function parseDropType(p: TokenCursor, start: number): Statement {
  const ifExists = acceptIfExists(p);
  const type = parseUserTypeName(p);
  return { kind: 'drop_type', ifExists, type, span: p.spanFrom(start) };
}
