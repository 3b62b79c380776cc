import type { Property, PropertyValue } from '../ast.ts';
import { keywordClass } from '../keywords.ts';
import { isConstantKind, TokenKind } from '../lexer/index.ts';
import type { TokenCursor } from './cursor.ts';
import { parseName } from './names.ts';

/** `properties`: property ( K_AND property )*. */
export function parseProperties(p: TokenCursor): Property[] {
  const properties: Property[] = [];
  do addProperty(p, properties);
  while (p.acceptWord('and'));
  return properties;
}

/**
 * `property`: noncol_ident '=' ( propertyValue | fullMapLiteral ).
 *
 * @throws CqlSyntaxError also where the property was given before
 */
export function addProperty(p: TokenCursor, properties: Property[]): void {
  const { start } = p;
  const name = parseName(p);
  p.expect(TokenKind.EQUAL, '=');
  const value = parsePropertyValue(p);
  if (properties.some((other) => other.name.text === name.text)) {
    throw p.error(`Multiple definitions for property '${name.text}'`);
  }
  properties.push({ name, value, span: p.spanFrom(start) });
}

/** `propertyValue`: constant | unreserved_keyword; or `fullMapLiteral`. */
function parsePropertyValue(p: TokenCursor): PropertyValue {
  const { start } = p;
  if (p.kind() === TokenKind.OPEN_BRACE) return parsePropertyMap(p);
  if (isConstantKind(p.kind())) {
    const constant = p.takeConstant();
    return { kind: 'constant', constant, span: constant.span };
  }
  const keyword = p.kind() === TokenKind.WORD ? keywordClass(p.word()) : undefined;
  if (keyword === undefined || keyword === 'reserved') throw p.noAlternative();
  const name = keyword === 'native_type' ? p.word() : p.tokenText();
  p.position++;
  return { kind: 'name', name, span: p.spanFrom(start) };
}

/**
 * `fullMapLiteral` whose keys and values are constants. A map as a value is more than Cassandra's grammar has: Amazon
 * Keyspaces writes CUSTOM_PROPERTIES so.
 */
export function parsePropertyMap(p: TokenCursor): PropertyValue {
  return p.nested(() => {
    const { start } = p;
    p.expect(TokenKind.OPEN_BRACE, '{');
    const entries: (readonly [string, PropertyValue])[] = [];
    const keys = new Set<string>();
    if (p.kind() !== TokenKind.CLOSE_BRACE) {
      do {
        const key = p.takeConstant().text;
        p.expect(TokenKind.COLON, ':');
        const value = parseMapValue(p, key);
        if (keys.has(key)) throw p.error('Multiple definition for property in a map');
        keys.add(key);
        entries.push([key, value]);
      } while (p.accept(TokenKind.COMMA));
    }
    p.expect(TokenKind.CLOSE_BRACE, '}');
    return { kind: 'map', entries, span: p.spanFrom(start) };
  });
}

function parseMapValue(p: TokenCursor, key: string): PropertyValue {
  if (p.kind() === TokenKind.OPEN_BRACE) return parsePropertyMap(p);
  if (p.kind() === TokenKind.WORD && p.word() === 'null') {
    throw p.error(`Invalid property value: NULL for property: ${key}`);
  }
  const constant = p.takeConstant();
  return { kind: 'constant', constant, span: constant.span };
}
