import type { Identifier, QualifiedName } from '../ast.ts';
import { TokenKind } from '../lexer/index.ts';
import type { TokenCursor } from './cursor.ts';
import {
  isName,
  parseFunctionName,
  parseKeyspaceName,
  parseName,
  parseTableName,
} from './names.ts';
import { parseTypeList } from './types.ts';

/** What permissions can be granted on, with the permissions that apply to it. */
export interface Resource {
  readonly kind: 'all_keyspaces' | 'keyspace' | 'table' | 'role' | 'function' | 'mbean';
  readonly keyspace: Identifier | undefined;
  readonly table: QualifiedName | undefined;
  readonly permissions: readonly string[];
}

const TABLE = ['alter', 'drop', 'select', 'modify', 'authorize', 'unmask', 'select_masked'];
const KEYSPACE = ['create', ...TABLE];
const ROLE = ['alter', 'drop', 'authorize', 'describe'];
const FUNCTION = ['alter', 'drop', 'authorize', 'execute'];
const MBEAN = ['authorize', 'describe', 'execute', 'modify', 'select'];

/** Every permission, in the grammar's words. */
export const PERMISSIONS: ReadonlySet<string> = new Set([
  ...['create', 'alter', 'drop', 'select', 'modify', 'authorize', 'describe', 'execute'],
  ...['unmask', 'select_masked'],
]);

function resource(
  kind: Resource['kind'],
  permissions: readonly string[],
  keyspace?: Identifier,
  table?: QualifiedName,
): Resource {
  return { kind, keyspace, table, permissions };
}

/**
 * `resource`: dataResource | roleResource | functionResource | jmxResource.
 *
 * Spec: Cassandra 5.0 Parser.g; permissions from org.apache.cassandra.auth.*Resource.
 */
export function parseResource(p: TokenCursor): Resource {
  switch (p.word()) {
    case 'all':
      return parseAllResource(p) ?? parseTableResource(p);
    case 'keyspace':
      p.position++;
      return resource('keyspace', KEYSPACE, parseKeyspaceName(p));
    case 'table':
    case 'columnfamily':
      p.position++;
      return parseTableResource(p);
    case 'role':
      if (!isRoleName(p, 1)) break;
      p.position++;
      parseRoleName(p);
      return resource('role', ROLE);
    case 'function':
      if (!isName(p, 1)) break;
      p.position++;
      return parseFunctionResource(p);
    case 'mbean':
    case 'mbeans':
      if (p.kind(1) !== TokenKind.STRING) break;
      return parseMbean(p);
    default:
  }
  return parseTableResource(p);
}

function parseTableResource(p: TokenCursor): Resource {
  return resource('table', TABLE, undefined, parseTableName(p));
}

/** The resources that begin with K_ALL; `undefined` if `all` is the name of a table. */
function parseAllResource(p: TokenCursor): Resource | undefined {
  if (p.acceptWords('all', 'keyspaces')) return resource('all_keyspaces', KEYSPACE);
  if (p.acceptWords('all', 'tables')) {
    p.expectWords('in', 'keyspace');
    return resource('keyspace', KEYSPACE, parseKeyspaceName(p));
  }
  if (p.acceptWords('all', 'roles')) return resource('role', ['create', ...ROLE]);
  if (p.acceptWords('all', 'mbeans')) return resource('mbean', MBEAN);
  if (!p.acceptWords('all', 'functions')) return undefined;
  const permissions = ['create', ...FUNCTION];
  if (!p.acceptWord('in')) return resource('function', permissions);
  p.expectWords('keyspace');
  return resource('function', permissions, parseKeyspaceName(p));
}

function parseFunctionResource(p: TokenCursor): Resource {
  const { keyspace } = parseFunctionName(p);
  parseTypeList(p);
  return resource('function', FUNCTION, keyspace);
}

/** `K_MBEAN mbean | K_MBEANS mbean`: a JMX object name; the plural wants a pattern. */
function parseMbean(p: TokenCursor): Resource {
  const plural = p.word() === 'mbeans';
  p.position++;
  const name = p.takeConstant().text;
  if (name === '') throw p.error('Empty JMX object name supplied');
  if (name === '*:*') throw p.error('Please use ALL MBEANS instead of wildcard pattern');
  if (!/^[^:\n]*:[^\n]*(=|\*)[^\n]*$/.test(name)) throw p.error('not a valid JMX object name');
  if (plural && !/[*?]/.test(name)) {
    throw p.error('Plural form used, but non-pattern JMX object name specified');
  }
  return resource('mbean', MBEAN);
}

/** Whether the token `ahead` can be a role's name. */
export function isRoleName(p: TokenCursor, ahead = 0): boolean {
  return p.kind(ahead) === TokenKind.STRING || isName(p, ahead);
}

/** `userOrRoleName`: IDENT | STRING_LITERAL | QUOTED_NAME | unreserved_keyword. */
export function parseRoleName(p: TokenCursor): void {
  if (p.kind() === TokenKind.QUESTION) {
    throw p.error('Bind variables cannot be used for role names');
  }
  if (p.kind() === TokenKind.STRING) p.position++;
  else parseName(p);
}
