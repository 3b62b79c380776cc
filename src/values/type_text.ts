import { InvalidRequestError } from '../errors/index.ts';
import type { CqlType, UdtType } from './cql_type.ts';
import { nativeByName, typeOfClass } from './native_names.ts';
import { freezeType } from './type_names.ts';

/** Finds a UDT; `keyspace` is undefined when the text names none. The result may be frozen or not. */
export type UdtResolver = (keyspace: string | undefined, name: string) => UdtType | undefined;

const MAX_DEPTH = 64;

/**
 * Reads a type as {@link printType} and `system_schema` write it; the inverse of {@link printType}. Takes what is there:
 * rules of CREATE TABLE (nested collections without frozen and the like) are those of {@link resolveTypeName}.
 * @param keyspace keyspace of UDTs that the text names without one
 * @throws InvalidRequestError when the text is no type or names an unknown UDT
 */
export function parseTypeText(text: string, resolveUdt: UdtResolver, keyspace: string): CqlType {
  const parser = new TypeTextParser(text, resolveUdt, keyspace);
  return parser.parse();
}

class TypeTextParser {
  readonly #text: string;
  readonly #resolveUdt: UdtResolver;
  readonly #keyspace: string;
  #position = 0;

  constructor(text: string, resolveUdt: UdtResolver, keyspace: string) {
    this.#text = text;
    this.#resolveUdt = resolveUdt;
    this.#keyspace = keyspace;
  }

  parse(): CqlType {
    const type = this.#type(0);
    this.#skipSpaces();
    if (this.#position !== this.#text.length) throw this.#malformed();
    return type;
  }

  #type(depth: number): CqlType {
    if (depth > MAX_DEPTH) throw this.#malformed();
    this.#skipSpaces();
    if (this.#text[this.#position] === "'") return typeOfClass(this.#quoted("'"));
    const isQuoted = this.#text[this.#position] === '"';
    const name = this.#name();
    if (!isQuoted && this.#take('<')) return this.#parametrised(name, depth);
    if (this.#take('.')) return this.#udt(name, this.#name());
    return (isQuoted ? undefined : nativeByName(name)) ?? this.#udt(undefined, name);
  }

  #parametrised(name: string, depth: number): CqlType {
    const args: CqlType[] = [this.#type(depth + 1)];
    if (name === 'vector') {
      this.#expect(',');
      this.#skipSpaces();
      const digits = /^[0-9]{1,9}/.exec(this.#text.slice(this.#position))?.[0];
      if (digits === undefined) throw this.#malformed();
      this.#position += digits.length;
      this.#expect('>');
      return {
        kind: 'vector',
        element: freezeType(args[0] as CqlType),
        dimensions: parseInt(digits, 10),
      };
    }
    while (this.#take(',')) args.push(this.#type(depth + 1));
    this.#expect('>');
    return this.#typeOfArguments(name, args);
  }

  #typeOfArguments(name: string, args: readonly CqlType[]): CqlType {
    const [first, second] = args;
    if (first === undefined) throw this.#malformed();
    if (name === 'tuple') return { kind: 'tuple', elements: args.map(freezeType) };
    if (name === 'map' && second !== undefined && args.length === 2) {
      return { kind: 'map', key: first, value: second, frozen: false };
    }
    if (args.length === 1) {
      if (name === 'frozen') return freezeType(first);
      if (name === 'list' || name === 'set') return { kind: name, element: first, frozen: false };
    }
    throw this.#malformed();
  }

  #udt(keyspace: string | undefined, name: string): CqlType {
    const found = this.#resolveUdt(keyspace, name);
    if (found === undefined) {
      throw new InvalidRequestError(`Unknown type ${keyspace ?? this.#keyspace}.${name}`);
    }
    return found.frozen ? { ...found, frozen: false } : found;
  }

  #name(): string {
    this.#skipSpaces();
    if (this.#text[this.#position] === '"') return this.#quoted('"');
    const word = /^[A-Za-z][A-Za-z0-9_]*/.exec(this.#text.slice(this.#position))?.[0];
    if (word === undefined) throw this.#malformed();
    this.#position += word.length;
    return word.toLowerCase();
  }

  #quoted(quote: string): string {
    let content = '';
    for (let i = this.#position + 1; i < this.#text.length; i++) {
      const character = this.#text.charAt(i);
      if (character !== quote) {
        content += character;
      } else if (this.#text[i + 1] === quote) {
        content += quote;
        i += 1;
      } else {
        this.#position = i + 1;
        return content;
      }
    }
    throw this.#malformed();
  }

  #take(symbol: string): boolean {
    this.#skipSpaces();
    if (this.#text[this.#position] !== symbol) return false;
    this.#position += 1;
    return true;
  }

  #expect(symbol: string): void {
    if (!this.#take(symbol)) throw this.#malformed();
  }

  #skipSpaces(): void {
    while (this.#text[this.#position] === ' ') this.#position += 1;
  }

  #malformed(): InvalidRequestError {
    return new InvalidRequestError(`Cannot read the type '${this.#text}'`);
  }
}
