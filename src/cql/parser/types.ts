import type { Identifier, QualifiedName, TypeName } from '../ast.ts';
import { isNativeTypeName, keywordClass } from '../keywords.ts';
import { TokenKind } from '../lexer/index.ts';
import type { TokenCursor } from './cursor.ts';
import { isName, parseCommaList, parseName, takeName } from './names.ts';

const PARAMETRISED: ReadonlyMap<string, 'list' | 'set' | 'map' | 'tuple' | 'frozen'> = new Map(
  (['list', 'set', 'map', 'tuple', 'frozen'] as const).map((name) => [name, name] as const),
);

/** Names that Cassandra keeps for types to come; compared as written, in lower case only. */
const RESERVED_TYPE_NAMES = new Set([
  'byte',
  'complex',
  'enum',
  'interval',
  'macaddr',
  'bitstring',
]);

/** `non_type_ident`: IDENT | QUOTED_NAME | basic_unreserved_keyword | K_KEY. */
function isTypeIdentifier(p: TokenCursor, ahead = 0): boolean {
  if (p.kind(ahead) === TokenKind.QUOTED) return true;
  if (p.kind(ahead) !== TokenKind.WORD) return false;
  const word = p.word(ahead);
  const keyword = keywordClass(word);
  return keyword === undefined || keyword === 'basic' || word === 'key';
}

/** `userTypeName`: (noncol_ident '.')? non_type_ident. */
export function parseUserTypeName(p: TokenCursor): QualifiedName {
  const { start } = p;
  let keyspace: Identifier | undefined;
  if (p.kind(1) === TokenKind.DOT) {
    keyspace = parseName(p);
    p.position++;
  }
  if (!isTypeIdentifier(p)) throw p.noAlternative();
  if (p.kind() === TokenKind.WORD && RESERVED_TYPE_NAMES.has(p.tokenText())) {
    throw p.error(`Invalid (reserved) user type name ${p.tokenText()}`);
  }
  const name = takeName(p);
  return { keyspace, name, span: p.spanFrom(start) };
}

/**
 * `comparatorType`: native_type | collection_type | tuple_type | vector_type | userTypeName |
 * K_FROZEN '<' comparatorType '>' | STRING_LITERAL.
 */
export function parseType(p: TokenCursor): TypeName {
  return p.nested(() => parseTypeBody(p));
}

function parseTypeBody(p: TokenCursor): TypeName {
  const { start } = p;
  if (p.kind() === TokenKind.STRING) {
    const { text } = p.takeConstant();
    return { kind: 'custom', className: text, span: p.spanFrom(start) };
  }
  if (p.kind(1) === TokenKind.LESS && p.kind() === TokenKind.WORD) {
    const word = p.word();
    const name = PARAMETRISED.get(word);
    if (name !== undefined) return parseParametrised(p, name);
    if (word === 'vector') return parseVector(p);
  }
  if (p.kind(1) !== TokenKind.DOT && isNativeTypeName(p.word())) return parseNativeType(p);
  const name = parseUserTypeName(p);
  return { kind: 'named', name, span: p.spanFrom(start) };
}

/** `native_type`. */
export function parseNativeType(p: TokenCursor): TypeName {
  const { start } = p;
  if (!isNativeTypeName(p.word())) throw p.noAlternative();
  const name = takeName(p);
  const span = p.spanFrom(start);
  return { kind: 'named', name: { keyspace: undefined, name, span }, span };
}

/** `collection_type`, `tuple_type`, `K_FROZEN '<' comparatorType '>'`. */
function parseParametrised(
  p: TokenCursor,
  name: 'list' | 'set' | 'map' | 'tuple' | 'frozen',
): TypeName {
  const { start } = p;
  p.position += 2;
  const args = [parseType(p)];
  if (name === 'map') {
    p.expect(TokenKind.COMMA, ',');
    args.push(parseType(p));
  } else if (name === 'tuple') {
    while (p.accept(TokenKind.COMMA)) args.push(parseType(p));
  }
  p.expect(TokenKind.GREATER, '>');
  if (name === 'frozen') checkFreezable(p, args[0]);
  return { kind: 'parametrised', name, args, span: p.spanFrom(start) };
}

/** Cassandra refuses `frozen<int>` and the like while it parses. */
function checkFreezable(p: TokenCursor, type: TypeName | undefined): void {
  if (type === undefined) return;
  const isScalar =
    type.kind === 'custom' ||
    (type.kind === 'named' &&
      type.name.keyspace === undefined &&
      !type.name.name.quoted &&
      isNativeTypeName(type.name.name.text));
  if (isScalar) {
    throw p.error('frozen<> is only allowed on collections, tuples, and user-defined types');
  }
}

/** `vector_type`: K_VECTOR '<' comparatorType ',' INTEGER '>'. */
function parseVector(p: TokenCursor): TypeName {
  const { start } = p;
  p.position += 2;
  const element = parseType(p);
  p.expect(TokenKind.COMMA, ',');
  if (p.kind() !== TokenKind.INTEGER) throw p.mismatch('INTEGER');
  const dimensions = Number(p.takeConstant().text);
  if (dimensions > 0x7fff_ffff || dimensions < -0x8000_0000) {
    throw p.error(
      'reason: NumberFormatException, the dimension of a vector must be a 32-bit integer',
    );
  }
  p.expect(TokenKind.GREATER, '>');
  return { kind: 'vector', element, dimensions, span: p.spanFrom(start) };
}

/**
 * How many tokens a type takes that begins `ahead`, without building it; -1 if there is none. It decides whether
 * `(` begins a cast.
 */
export function typeLength(p: TokenCursor, ahead: number): number {
  if (p.kind(ahead) === TokenKind.STRING) return 1;
  if (p.kind(ahead) === TokenKind.WORD && p.kind(ahead + 1) === TokenKind.LESS) {
    return p.nested(() => parametrisedLength(p, ahead));
  }
  if (p.kind(ahead + 1) === TokenKind.DOT) {
    return isName(p, ahead) && isTypeIdentifier(p, ahead + 2) ? 3 : -1;
  }
  return isNativeTypeName(p.word(ahead)) || isTypeIdentifier(p, ahead) ? 1 : -1;
}

function parametrisedLength(p: TokenCursor, ahead: number): number {
  const word = p.word(ahead);
  if (!PARAMETRISED.has(word) && word !== 'vector') return -1;
  let at = ahead + 1;
  do {
    at++;
    if (word === 'vector' && at > ahead + 2 && p.kind(at) === TokenKind.INTEGER) at++;
    else {
      const length = typeLength(p, at);
      if (length < 0) return -1;
      at += length;
    }
  } while (p.kind(at) === TokenKind.COMMA);
  return p.kind(at) === TokenKind.GREATER ? at + 1 - ahead : -1;
}

/** `'(' ( comparatorType ( ',' comparatorType )* )? ')'`. */
export function parseTypeList(p: TokenCursor): TypeName[] {
  p.expect(TokenKind.OPEN, '(');
  if (p.accept(TokenKind.CLOSE)) return [];
  const types = parseCommaList(p, () => parseType(p));
  p.expect(TokenKind.CLOSE, ')');
  return types;
}
