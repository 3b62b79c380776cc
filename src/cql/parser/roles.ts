import type { Statement } from '../ast.ts';
import { TokenKind } from '../lexer/index.ts';
import type { TokenCursor } from './cursor.ts';
import { acceptIfExists, acceptIfNotExists, isPlainWord, parseCommaList } from './names.ts';
import { parsePropertyMap } from './properties.ts';
import { isRoleName, parseResource, parseRoleName, PERMISSIONS } from './resources.ts';
import type { Resource } from './resources.ts';

/** A checked statement about roles, from `start` to the token before the current one. */
function roles(p: TokenCursor, name: string, start: number, resource?: Resource): Statement {
  const span = p.spanFrom(start);
  if (resource?.table !== undefined) {
    return { kind: 'roles', name, resource: { kind: 'table', table: resource.table }, span };
  }
  if (resource?.keyspace !== undefined) {
    return {
      kind: 'roles',
      name,
      resource: { kind: 'keyspace', keyspace: resource.keyspace },
      span,
    };
  }
  return { kind: 'roles', name, resource: undefined, span };
}

/** `createRoleStatement`, `alterRoleStatement` behind their first two words. */
export function parseRoleDefinition(
  p: TokenCursor,
  name: 'CREATE ROLE' | 'ALTER ROLE',
  start: number,
): Statement {
  if (name === 'CREATE ROLE') acceptIfNotExists(p);
  else acceptIfExists(p);
  parseRoleName(p);
  if (p.acceptWord('with')) parseRoleOptions(p);
  return roles(p, name, start);
}

/** `createUserStatement`, `alterUserStatement` behind their first two words. */
export function parseUserDefinition(
  p: TokenCursor,
  name: 'CREATE USER' | 'ALTER USER',
  start: number,
): Statement {
  if (name === 'CREATE USER') acceptIfNotExists(p);
  else acceptIfExists(p);
  parsePlainName(p, 'user names');
  if (p.acceptWord('with')) {
    p.acceptWord('hashed');
    p.expectWords('password');
    expectString(p);
  }
  if (!p.acceptWord('superuser')) p.acceptWord('nosuperuser');
  return roles(p, name, start);
}

/** `dropRoleStatement`, `dropUserStatement`, `dropIdentityStatement` behind their first two words. */
export function parseDropRole(
  p: TokenCursor,
  name: 'DROP ROLE' | 'DROP USER' | 'DROP IDENTITY',
  start: number,
): Statement {
  acceptIfExists(p);
  if (name === 'DROP ROLE') parseRoleName(p);
  else parsePlainName(p, name === 'DROP USER' ? 'user names' : 'identity');
  return roles(p, name, start);
}

/** `addIdentityStatement`: K_ADD K_IDENTITY ( K_IF K_NOT K_EXISTS )? identity K_TO K_ROLE identity. */
export function parseAddIdentity(p: TokenCursor): Statement {
  const { start } = p;
  p.expectWords('add', 'identity');
  acceptIfNotExists(p);
  parsePlainName(p, 'identity');
  p.expectWords('to', 'role');
  parsePlainName(p, 'identity');
  return roles(p, 'ADD IDENTITY', start);
}

/** `username`, `identity`: IDENT | STRING_LITERAL; Cassandra reads quoted names only to refuse them. */
function parsePlainName(p: TokenCursor, what: string): void {
  if (p.kind() === TokenKind.QUOTED) {
    throw p.error(`Quoted strings are not supported for ${what}`);
  }
  if (p.kind() !== TokenKind.STRING && !isPlainWord(p)) throw p.noAlternative();
  p.position++;
}

function expectString(p: TokenCursor): void {
  if (!p.accept(TokenKind.STRING)) throw p.mismatch('STRING_LITERAL');
}

/** `roleOptions`: roleOption ( K_AND roleOption )*; a password and a hashed one exclude each other. */
function parseRoleOptions(p: TokenCursor): void {
  const seen = new Set<string>();
  do {
    const option = parseRoleOption(p);
    if (option !== 'access' && seen.has(option)) {
      throw p.error(`Multiple definition for property '${option}'`);
    }
    seen.add(option);
  } while (p.acceptWord('and'));
  if (seen.has('password') && seen.has('hashed')) {
    throw p.error("Options 'password' and 'hashed password' are mutually exclusive");
  }
}

/** `roleOption`; returns its first word. */
function parseRoleOption(p: TokenCursor): string {
  const option = p.word();
  switch (option) {
    case 'hashed':
    case 'password':
      p.acceptWord('hashed');
      p.expectWords('password');
      p.expect(TokenKind.EQUAL, '=');
      expectString(p);
      return option;
    case 'options':
      p.position++;
      p.expect(TokenKind.EQUAL, '=');
      parsePropertyMap(p);
      return option;
    case 'superuser':
    case 'login':
      p.position++;
      p.expect(TokenKind.EQUAL, '=');
      if (!p.accept(TokenKind.BOOLEAN)) throw p.mismatch('BOOLEAN');
      return option;
    case 'access':
      p.position++;
      parseAccess(p);
      return option;
    default:
      throw p.noAlternative();
  }
}

/** K_ACCESS ( K_TO ( K_ALL K_DATACENTERS | K_DATACENTERS {…} ) | K_FROM ( K_ALL K_CIDRS | K_CIDRS {…} ) ). */
function parseAccess(p: TokenCursor): void {
  const word = p.acceptWord('to') ? 'datacenters' : 'cidrs';
  if (word === 'cidrs') p.expectWords('from');
  if (p.acceptWord('all')) {
    p.expectWords(word);
    return;
  }
  p.expectWords(word);
  p.expect(TokenKind.OPEN_BRACE, '{');
  parseCommaList(p, () => {
    expectString(p);
  });
  p.expect(TokenKind.CLOSE_BRACE, '}');
}

/**
 * `grantPermissionsStatement`, `grantRoleStatement` and their K_REVOKE … K_FROM twins.
 *
 * @throws CqlSyntaxError also where no permission applies to the resource, as Cassandra's parser does
 */
export function parseGrant(p: TokenCursor): Statement {
  const { start } = p;
  const name = p.word() === 'grant' ? 'GRANT' : 'REVOKE';
  const preposition = name === 'GRANT' ? 'to' : 'from';
  p.position++;
  if (isRoleName(p) && p.word(1) === preposition) {
    parseRoleName(p);
    p.expectWords(preposition);
    parseRoleName(p);
    return roles(p, `${name} ROLE`, start);
  }
  const permissions = parsePermissions(p);
  p.expectWords('on');
  const resource = parseResource(p);
  if (permissions !== 'all' && !permissions.some((word) => resource.permissions.includes(word))) {
    throw p.error('The resource does not support any of the requested permissions');
  }
  p.expectWords(preposition);
  parseRoleName(p);
  return roles(p, name, start, resource);
}

/** `permissionOrAll`: K_ALL K_PERMISSIONS? | permission K_PERMISSION? ( ',' permission K_PERMISSION? )*. */
function parsePermissions(p: TokenCursor): 'all' | string[] {
  if (p.acceptWord('all')) {
    p.acceptWord('permissions');
    return 'all';
  }
  return parseCommaList(p, () => {
    const permission = p.word();
    if (!PERMISSIONS.has(permission)) throw p.noAlternative();
    p.position++;
    p.acceptWord('permission');
    return permission;
  });
}

/** `listRolesStatement`, `listUsersStatement`, `listPermissionsStatement`. */
export function parseList(p: TokenCursor): Statement {
  const { start } = p;
  p.expectWords('list');
  if (p.acceptWord('users')) return roles(p, 'LIST USERS', start);
  if (p.acceptWord('roles')) {
    parseOfRole(p);
    return roles(p, 'LIST ROLES', start);
  }
  parsePermissions(p);
  const resource = p.acceptWord('on') ? parseResource(p) : undefined;
  parseOfRole(p);
  return roles(p, 'LIST PERMISSIONS', start, resource);
}

/** `( K_OF roleName )? K_NORECURSIVE?`. */
function parseOfRole(p: TokenCursor): void {
  if (p.acceptWord('of')) parseRoleName(p);
  p.acceptWord('norecursive');
}
