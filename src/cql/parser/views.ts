import type { Statement } from '../ast.ts';
import type { TokenCursor } from './cursor.ts';
import { acceptIfExists, acceptIfNotExists, parseTableName } from './names.ts';
import { parseProperties } from './properties.ts';
import { parseWhere } from './relations.ts';
import { parseSelectors } from './selectors.ts';
import { parsePrimaryKey, parseTableOptions } from './tables.ts';

/**
 * `createMaterializedViewStatement` behind K_CREATE K_MATERIALIZED K_VIEW: ( K_IF K_NOT K_EXISTS )? columnFamilyName K_AS
 * K_SELECT selectors K_FROM columnFamilyName ( K_WHERE whereClause )? viewPrimaryKey ( K_WITH viewProperty ( K_AND … )* )?.
 *
 * @throws CqlSyntaxError also for COMPACT STORAGE, as Cassandra
 */
export function parseCreateView(p: TokenCursor, start: number): Statement {
  const ifNotExists = acceptIfNotExists(p);
  const view = parseTableName(p);
  p.expectWords('as');
  p.expectWords('select');
  const selectors = parseSelectors(p);
  p.expectWords('from');
  const table = parseTableName(p);
  const where = p.acceptWord('where') ? parseWhere(p) : [];
  p.expectWords('primary', 'key');
  const primaryKey = parsePrimaryKey(p);
  const { compactStorage, clusteringOrder, properties } = parseTableOptions(p);
  if (compactStorage) {
    throw p.error('COMPACT STORAGE tables are not supported starting with version 4.0');
  }
  return {
    kind: 'create_view',
    ifNotExists,
    view,
    selectors,
    table,
    where,
    primaryKey,
    clusteringOrder,
    properties,
    span: p.spanFrom(start),
  };
}

/** `alterMaterializedViewStatement` behind K_ALTER K_MATERIALIZED K_VIEW: ( K_IF K_EXISTS )? columnFamilyName K_WITH properties. */
export function parseAlterView(p: TokenCursor, start: number): Statement {
  const ifExists = acceptIfExists(p);
  const view = parseTableName(p);
  p.expectWords('with');
  const properties = parseProperties(p);
  return { kind: 'alter_view', ifExists, view, properties, span: p.spanFrom(start) };
}

/** `dropMaterializedViewStatement` behind K_DROP K_MATERIALIZED K_VIEW: ( K_IF K_EXISTS )? columnFamilyName. */
export function parseDropView(p: TokenCursor, start: number): Statement {
  const ifExists = acceptIfExists(p);
  return { kind: 'drop_view', ifExists, view: parseTableName(p), span: p.spanFrom(start) };
}
