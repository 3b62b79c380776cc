import type { Statement, TypeName } from '../ast.ts';
import { TokenKind } from '../lexer/index.ts';
import type { TokenCursor } from './cursor.ts';
import {
  acceptIfExists,
  acceptIfNotExists,
  isFunctionName,
  isPlainWord,
  parseCommaList,
  parseFunctionName,
  parseName,
  takeName,
} from './names.ts';
import { parseTerm } from './terms.ts';
import { parseType, parseTypeList } from './types.ts';

type UserFunctionStatement = Extract<Statement, { kind: 'user_function' }>;

/** Whether CREATE FUNCTION or CREATE AGGREGATE comes, behind K_CREATE and also with K_OR K_REPLACE; steps over the words. */
export function acceptUserFunction(p: TokenCursor): 'function' | 'aggregate' | undefined {
  for (const what of ['function', 'aggregate'] as const) {
    if (p.acceptWords('or', 'replace', what) || p.acceptWord(what)) return what;
  }
  return undefined;
}

/**
 * `createFunctionStatement` behind K_FUNCTION: ( K_IF K_NOT K_EXISTS )? functionName '(' ( noncol_ident comparatorType
 * ( ',' … )* )? ')' ( K_RETURNS K_NULL | K_CALLED ) K_ON K_NULL K_INPUT K_RETURNS comparatorType K_LANGUAGE IDENT K_AS
 * STRING_LITERAL.
 */
export function parseCreateFunction(p: TokenCursor, start: number): UserFunctionStatement {
  acceptIfNotExists(p);
  const name = parseFunctionName(p);
  const types: TypeName[] = [];
  p.expect(TokenKind.OPEN, '(');
  if (p.kind() !== TokenKind.CLOSE) {
    parseCommaList(p, () => {
      parseName(p);
      types.push(parseType(p));
    });
  }
  p.expect(TokenKind.CLOSE, ')');
  if (p.acceptWord('returns')) p.expectWords('null');
  else p.expectWords('called');
  p.expectWords('on', 'null', 'input', 'returns');
  types.push(parseType(p));
  p.expectWords('language');
  if (!isPlainWord(p)) throw p.noAlternative();
  p.position++;
  p.expectWords('as');
  if (p.kind() !== TokenKind.STRING) throw p.noAlternative();
  p.position++;
  return {
    kind: 'user_function',
    change: 'create',
    what: 'function',
    name,
    types,
    span: p.spanFrom(start),
  };
}

/**
 * `createAggregateStatement` behind K_AGGREGATE: ( K_IF K_NOT K_EXISTS )? functionName '(' ( comparatorType ( ',' … )* )? ')'
 * K_SFUNC allowedFunctionName K_STYPE comparatorType ( K_FINALFUNC allowedFunctionName )? ( K_INITCOND term )?.
 */
export function parseCreateAggregate(p: TokenCursor, start: number): UserFunctionStatement {
  acceptIfNotExists(p);
  const name = parseFunctionName(p);
  const types = parseTypeList(p);
  p.expectWords('sfunc');
  parsePlainFunctionName(p);
  p.expectWords('stype');
  types.push(parseType(p));
  if (p.acceptWord('finalfunc')) parsePlainFunctionName(p);
  if (p.acceptWord('initcond')) parseTerm(p);
  return {
    kind: 'user_function',
    change: 'create',
    what: 'aggregate',
    name,
    types,
    span: p.spanFrom(start),
  };
}

/** `dropFunctionStatement`, `dropAggregateStatement` behind their first two words: ( K_IF K_EXISTS )? functionName ( '(' types ')' )?. */
export function parseDropUserFunction(
  p: TokenCursor,
  what: 'function' | 'aggregate',
  start: number,
): UserFunctionStatement {
  acceptIfExists(p);
  const name = parseFunctionName(p);
  const types = p.kind() === TokenKind.OPEN ? parseTypeList(p) : [];
  return { kind: 'user_function', change: 'drop', what, name, types, span: p.spanFrom(start) };
}

function parsePlainFunctionName(p: TokenCursor): void {
  if (!isFunctionName(p)) throw p.noAlternative();
  takeName(p);
}
