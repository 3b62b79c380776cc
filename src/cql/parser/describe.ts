import type { QualifiedName, Statement } from '../ast.ts';
import { TokenKind } from '../lexer/index.ts';
import type { TokenCursor } from './cursor.ts';
import {
  isName,
  parseFunctionName,
  parseKeyspaceName,
  parseName,
  parseTableName,
} from './names.ts';
import { parseUserTypeName } from './types.ts';

/** Words that stand alone, by the word in the text. */
const LISTS: ReadonlyMap<string, string> = new Map([
  ['cluster', 'CLUSTER'],
  ['schema', 'SCHEMA'],
  ['keyspaces', 'KEYSPACES'],
  ['tables', 'TABLES'],
  ['columnfamilies', 'TABLES'],
  ['types', 'TYPES'],
  ['functions', 'FUNCTIONS'],
  ['aggregates', 'AGGREGATES'],
]);

/** `describeStatement`: ( K_DESCRIBE | K_DESC ) what ( K_WITH K_INTERNALS )?. */
export function parseDescribe(p: TokenCursor): Statement {
  const { start } = p;
  p.position++;
  const { target, name } = parseTarget(p);
  const withInternals = p.acceptWord('with');
  if (withInternals) p.expectWords('internals');
  return { kind: 'describe', target, name, withInternals, span: p.spanFrom(start) };
}

function parseTarget(p: TokenCursor): { target: string; name: QualifiedName | undefined } {
  const word = p.word();
  const list = LISTS.get(word);
  if (list !== undefined) {
    p.position++;
    return { target: list, name: undefined };
  }
  switch (word) {
    case 'full':
      p.expectWords('full', 'schema');
      return { target: 'FULL SCHEMA', name: undefined };
    case 'keyspace':
      return parseKeyspace(p, 'KEYSPACE');
    case 'only':
      if (p.word(1) !== 'keyspace') break;
      p.position++;
      return parseKeyspace(p, 'ONLY KEYSPACE');
    case 'table':
    case 'columnfamily':
      p.position++;
      return { target: 'TABLE', name: parseTableName(p) };
    case 'index':
      p.position++;
      return { target: 'INDEX', name: parseTableName(p) };
    case 'materialized':
      p.expectWords('materialized', 'view');
      return { target: 'MATERIALIZED VIEW', name: parseTableName(p) };
    case 'type':
      if (!isName(p, 1)) break;
      p.position++;
      return { target: 'TYPE', name: parseUserTypeName(p) };
    case 'function':
    case 'aggregate':
      if (!isName(p, 1) && p.word(1) !== 'token') break;
      p.position++;
      return { target: word.toUpperCase(), name: parseFunctionName(p) };
    default:
  }
  return { target: '', name: parseGenericName(p) };
}

function parseKeyspace(
  p: TokenCursor,
  target: string,
): { target: string; name: QualifiedName | undefined } {
  p.position++;
  if (!isName(p)) return { target, name: undefined };
  const name = parseKeyspaceName(p);
  return { target, name: { keyspace: undefined, name, span: name.span } };
}

/** `( name '.' )? name`. */
function parseGenericName(p: TokenCursor): QualifiedName {
  const { start } = p;
  const first = parseName(p);
  if (!p.accept(TokenKind.DOT)) return { keyspace: undefined, name: first, span: first.span };
  const name = parseName(p);
  return { keyspace: first, name, span: p.spanFrom(start) };
}
