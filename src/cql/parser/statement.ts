import type { BindMarker, Constant, Statement } from '../ast.ts';
import { statementShape, TokenKind } from '../lexer/index.ts';
import { TokenCursor } from './cursor.ts';
import { parseDescribe } from './describe.ts';
import {
  acceptUserFunction,
  parseCreateAggregate,
  parseCreateFunction,
  parseDropUserFunction,
} from './functions.ts';
import { parseCreateIndex, parseDropIndex } from './indexes.ts';
import { parseBatch, parseDelete, parseInsert, parseUpdate } from './modifications.ts';
import {
  parseAddIdentity,
  parseDropRole,
  parseGrant,
  parseList,
  parseRoleDefinition,
  parseUserDefinition,
} from './roles.ts';
import {
  parseAlterKeyspace,
  parseAlterType,
  parseCreateKeyspace,
  parseCreateType,
  parseDropKeyspace,
  parseDropTable,
  parseDropType,
  parseTruncate,
  parseUse,
} from './schema_statements.ts';
import { parseSelect } from './select.ts';
import { parseAlterTable, parseCreateTable, parseRestoreTable } from './tables.ts';
import { parseAlterView, parseCreateView, parseDropView } from './views.ts';

const DEFAULT_MAX_TOKENS = 500_000;

/** Limits of {@link parseStatement}. */
export interface ParseOptions {
  /** The most tokens a statement may have; 500,000 if not given. */
  readonly maxTokens?: number;
}

/** A statement and what is needed to use its plan again for other constants and values. */
export interface ParsedStatement {
  readonly statement: Statement;
  /** Every constant of the text in order, also those that are part of a type or a property. */
  readonly constants: readonly Constant[];
  /** In order of text. */
  readonly bindMarkers: readonly BindMarker[];
  /** The same as `statementShape(text).shape`. */
  readonly shape: string;
}

/**
 * Parses one statement. What Cassandra 5.0's parser accepts is accepted, what it refuses is refused, but for property
 * maps, which may be nested here, for RESTORE TABLE, and for statements of kind 'unsupported', of which only the first words
 * are read.
 *
 * Spec: Cassandra 5.0 Cql.g `query`: cqlStatement (';')* EOF.
 *
 * @throws CqlSyntaxError if the text is not one statement, or exceeds a limit; the message holds no constants
 */
export function parseStatement(text: string, options: ParseOptions = {}): ParsedStatement {
  const p = new TokenCursor(text, options.maxTokens ?? DEFAULT_MAX_TOKENS);
  let statement = parseCqlStatement(p);
  while (p.accept(TokenKind.SEMICOLON));
  if (p.kind() !== TokenKind.EOF) throw p.mismatch('EOF');
  if (p.unsupported !== undefined) {
    statement = { kind: 'unsupported', name: p.unsupported, span: statement.span };
  }
  return {
    statement,
    constants: p.constants,
    bindMarkers: p.markers,
    shape: statementShape(text).shape,
  };
}

/** `cqlStatement`. */
function parseCqlStatement(p: TokenCursor): Statement {
  switch (p.word()) {
    case 'select':
      return parseSelect(p);
    case 'insert':
      return parseInsert(p);
    case 'update':
      return parseUpdate(p);
    case 'delete':
      return parseDelete(p);
    case 'begin':
      return parseBatch(p);
    case 'use':
      return parseUse(p);
    case 'truncate':
      return parseTruncate(p);
    case 'create':
      return parseCreate(p);
    case 'alter':
      return parseAlter(p);
    case 'drop':
      return parseDrop(p);
    case 'restore':
      return parseRestoreTable(p);
    case 'grant':
    case 'revoke':
      return parseGrant(p);
    case 'list':
      return parseList(p);
    case 'add':
      return parseAddIdentity(p);
    case 'describe':
    case 'desc':
      return parseDescribe(p);
    default:
      return parseUnsupported(p, p.start) ?? fail(p);
  }
}

function fail(p: TokenCursor): never {
  throw p.noAlternative();
}

function parseCreate(p: TokenCursor): Statement {
  const { start } = p;
  const unsupported = parseUnsupported(p, start);
  if (unsupported !== undefined) return unsupported;
  p.position++;
  if (p.acceptWord('table') || p.acceptWord('columnfamily')) return parseCreateTable(p, start);
  if (p.acceptWord('keyspace')) return parseCreateKeyspace(p, start);
  if (p.acceptWord('type')) return parseCreateType(p, start);
  if (p.acceptWord('role')) return parseRoleDefinition(p, 'CREATE ROLE', start);
  if (p.acceptWord('user')) return parseUserDefinition(p, 'CREATE USER', start);
  if (p.acceptWord('index')) return parseCreateIndex(p, false, start);
  if (p.acceptWords('custom', 'index')) return parseCreateIndex(p, true, start);
  const what = acceptUserFunction(p);
  if (what === 'function') return parseCreateFunction(p, start);
  if (what === 'aggregate') return parseCreateAggregate(p, start);
  if (p.acceptWords('materialized', 'view')) return parseCreateView(p, start);
  throw p.noAlternative();
}

function parseAlter(p: TokenCursor): Statement {
  const { start } = p;
  const unsupported = parseUnsupported(p, start);
  if (unsupported !== undefined) return unsupported;
  p.position++;
  if (p.acceptWord('table') || p.acceptWord('columnfamily')) return parseAlterTable(p, start);
  if (p.acceptWord('keyspace')) return parseAlterKeyspace(p, start);
  if (p.acceptWord('type')) return parseAlterType(p, start);
  if (p.acceptWord('role')) return parseRoleDefinition(p, 'ALTER ROLE', start);
  if (p.acceptWord('user')) return parseUserDefinition(p, 'ALTER USER', start);
  if (p.acceptWords('materialized', 'view')) return parseAlterView(p, start);
  throw p.noAlternative();
}

function parseDrop(p: TokenCursor): Statement {
  const { start } = p;
  const unsupported = parseUnsupported(p, start);
  if (unsupported !== undefined) return unsupported;
  p.position++;
  if (p.acceptWord('table') || p.acceptWord('columnfamily')) return parseDropTable(p, start);
  if (p.acceptWord('keyspace')) return parseDropKeyspace(p, start);
  if (p.acceptWord('type')) return parseDropType(p, start);
  if (p.acceptWord('role')) return parseDropRole(p, 'DROP ROLE', start);
  if (p.acceptWord('user')) return parseDropRole(p, 'DROP USER', start);
  if (p.acceptWord('index')) return parseDropIndex(p, start);
  if (p.acceptWords('materialized', 'view')) return parseDropView(p, start);
  if (p.acceptWord('identity')) return parseDropRole(p, 'DROP IDENTITY', start);
  if (p.acceptWord('function')) return parseDropUserFunction(p, 'function', start);
  if (p.acceptWord('aggregate')) return parseDropUserFunction(p, 'aggregate', start);
  throw p.noAlternative();
}

/** First words of statements that are recognised only, and their names. */
const UNSUPPORTED: readonly (readonly [words: readonly string[], name: string])[] = [
  [['create', 'trigger'], 'CREATE TRIGGER'],
  [['drop', 'trigger'], 'DROP TRIGGER'],
  [['copy', 'table'], 'COPY TABLE'],
];

/** Recognises a statement by its first words and steps over the rest of it. */
function parseUnsupported(p: TokenCursor, start: number): Statement | undefined {
  for (const [words, name] of UNSUPPORTED) {
    if (!p.acceptWords(...words)) continue;
    while (p.kind() !== TokenKind.EOF) p.position++;
    return { kind: 'unsupported', name, span: p.spanFrom(start) };
  }
  return undefined;
}
