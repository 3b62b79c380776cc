import type { SelectStatement, Selector, Statement } from '../ast.ts';
import { TokenKind } from '../lexer/index.ts';
import type { TokenCursor } from './cursor.ts';
import { parseColumnName, parseCommaList, parseTableName } from './names.ts';
import { parseWhere } from './relations.ts';
import { parseSelectors, parseUnaliasedSelector } from './selectors.ts';
import { parseIntValue, parseTerm } from './terms.ts';

interface SelectClause {
  readonly distinct: boolean;
  readonly selectors: readonly Selector[] | undefined;
}

/**
 * `selectStatement`: K_SELECT K_JSON? selectClause K_FROM columnFamilyName ( K_WHERE whereClause )?
 * ( K_GROUP K_BY … )? ( K_ORDER K_BY … )? ( K_PER K_PARTITION K_LIMIT intValue )? ( K_LIMIT intValue )?
 * ( K_ALLOW K_FILTERING )?.
 */
export function parseSelect(p: TokenCursor): Statement {
  const { start } = p;
  p.expectWords('select');
  const { json, clause } = parseJsonAndClause(p);
  p.expectWords('from');
  const table = parseTableName(p);
  const where = p.acceptWord('where') ? parseWhere(p) : [];
  const groupBy = p.acceptWords('group', 'by')
    ? parseCommaList(p, () => parseUnaliasedSelector(p))
    : [];
  const orderBy = p.acceptWords('order', 'by') ? parseCommaList(p, () => parseOrdering(p)) : [];
  const perPartitionLimit = p.acceptWords('per', 'partition', 'limit')
    ? parseIntValue(p)
    : undefined;
  const limit = p.acceptWord('limit') ? parseIntValue(p) : undefined;
  const allowFiltering = p.acceptWords('allow', 'filtering');
  return {
    kind: 'select',
    json,
    distinct: clause.distinct,
    selectors: clause.selectors,
    table,
    where,
    groupBy,
    orderBy,
    perPartitionLimit,
    limit,
    allowFiltering,
    span: p.spanFrom(start),
  };
}

/** `( (K_JSON selectClause)=> K_JSON )? selectClause`: `json` is also a name of columns. */
function parseJsonAndClause(p: TokenCursor): { json: boolean; clause: SelectClause } {
  if (p.word() === 'json' && beginsSelectorBehind(p)) {
    const clause = p.speculate(() => {
      p.position++;
      return parseSelectClause(p);
    });
    if (clause !== undefined) return { json: true, clause };
  }
  return { json: false, clause: parseSelectClause(p) };
}

/** `selectClause`: (K_DISTINCT selectors)=> K_DISTINCT selectors | selectors. */
function parseSelectClause(p: TokenCursor): SelectClause {
  if (p.word() === 'distinct' && beginsSelectorBehind(p)) {
    const distinct = p.speculate(() => {
      p.position++;
      return { distinct: true, selectors: parseSelectors(p) };
    });
    if (distinct !== undefined) return distinct;
  }
  return { distinct: false, selectors: parseSelectors(p) };
}

/** Cheap rejection of the usual case that `json` or `distinct` is a column. */
function beginsSelectorBehind(p: TokenCursor): boolean {
  const kind = p.kind(1);
  return kind !== TokenKind.COMMA && kind !== TokenKind.DOT && p.word(1) !== 'from';
}

/** `orderByClause`: cident ( K_ANN K_OF term )? ( K_ASC | K_DESC )?. */
function parseOrdering(p: TokenCursor): SelectStatement['orderBy'][number] {
  const column = parseColumnName(p);
  const annOf = p.acceptWords('ann', 'of') ? parseTerm(p) : undefined;
  if (p.acceptWord('desc')) return { column, direction: 'desc', annOf };
  p.acceptWord('asc');
  return { column, direction: 'asc', annOf };
}
