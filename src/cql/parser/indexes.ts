import type { IndexTargetKind, IndexTargetName, QualifiedName, Statement } from '../ast.ts';
import { TokenKind } from '../lexer/index.ts';
import type { TokenCursor } from './cursor.ts';
import {
  acceptIfExists,
  acceptIfNotExists,
  parseColumnName,
  parseName,
  parseTableName,
} from './names.ts';
import { parseProperties } from './properties.ts';

const TARGET_WORDS: readonly Exclude<IndexTargetKind, 'simple'>[] = [
  'values',
  'keys',
  'entries',
  'full',
];

/**
 * `createIndexStatement` behind K_CREATE ( K_CUSTOM )? K_INDEX: ( K_IF K_NOT K_EXISTS )? idxName? K_ON columnFamilyName '('
 * ( indexIdent ( ',' indexIdent )* )? ')' ( K_USING STRING_LITERAL )? ( K_WITH properties )?.
 */
export function parseCreateIndex(p: TokenCursor, isCustom: boolean, start: number): Statement {
  const ifNotExists = acceptIfNotExists(p);
  const index = p.word() === 'on' ? undefined : parseIndexName(p);
  p.expectWords('on');
  const table = parseTableName(p);
  p.expect(TokenKind.OPEN, '(');
  const targets: IndexTargetName[] = [];
  if (p.kind() !== TokenKind.CLOSE) {
    do targets.push(parseTarget(p));
    while (p.accept(TokenKind.COMMA));
  }
  const targetsEnd = p.start;
  p.expect(TokenKind.CLOSE, ')');
  const targetsSpan = { start: targets[0]?.span.start ?? targetsEnd, end: targetsEnd };
  let className: string | undefined;
  if (p.acceptWord('using')) {
    if (p.kind() !== TokenKind.STRING) throw p.mismatch('STRING_LITERAL');
    className = p.takeConstant().text;
  }
  const properties = p.acceptWord('with') ? parseProperties(p) : [];
  return {
    kind: 'create_index',
    isCustom,
    ifNotExists,
    index,
    table,
    targets,
    targetsSpan,
    className,
    properties,
    span: p.spanFrom(start),
  };
}

/** `dropIndexStatement` behind K_DROP K_INDEX: ( K_IF K_EXISTS )? indexName. */
export function parseDropIndex(p: TokenCursor, start: number): Statement {
  const ifExists = acceptIfExists(p);
  return { kind: 'drop_index', ifExists, index: parseIndexName(p), span: p.spanFrom(start) };
}

/** `indexName`: (ksName '.')? idxName. */
function parseIndexName(p: TokenCursor): QualifiedName {
  const { start } = p;
  if (p.kind() === TokenKind.QUESTION) {
    throw p.error('Bind variables cannot be used for index names');
  }
  const first = parseName(p);
  if (!p.accept(TokenKind.DOT)) return { keyspace: undefined, name: first, span: first.span };
  return { keyspace: first, name: parseName(p), span: p.spanFrom(start) };
}

/** `indexIdent`: cident | ( K_VALUES | K_KEYS | K_ENTRIES | K_FULL ) '(' cident ')'. */
function parseTarget(p: TokenCursor): IndexTargetName {
  const { start } = p;
  const kind = TARGET_WORDS.find((word) => p.word() === word);
  if (kind === undefined || p.kind(1) !== TokenKind.OPEN) {
    const column = parseColumnName(p);
    return { kind: 'simple', column, span: column.span };
  }
  p.position += 2;
  const column = parseColumnName(p);
  p.expect(TokenKind.CLOSE, ')');
  return { kind, column, span: p.spanFrom(start) };
}
