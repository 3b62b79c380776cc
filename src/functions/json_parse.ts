import { InvalidRequestError } from '../errors/index.ts';

/** A parsed JSON text. Numbers keep whether they were written as integers; objects keep the order of their keys. */
export type JsonValue =
  | null
  | boolean
  | string
  | { readonly kind: 'integer'; readonly value: bigint }
  | { readonly kind: 'double'; readonly value: number }
  | readonly JsonValue[]
  | ReadonlyMap<string, JsonValue>;

/** The text is no JSON; the message is the class of Cassandra's exception alone. */
export class JsonSyntaxError extends InvalidRequestError {}

/** Depth at which Cassandra's parser gives up. */
const MAX_DEPTH = 1000;
const NUMBER = /-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?/y;

const PLAIN = /[^"\\\u0000-\u001f]*/y;
const SPACE = /[ \t\r\n]*/y;
const WORD_END = /[A-Za-z0-9_$]/;

const ESCAPED: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
};

/**
 * The first value of a text; what follows it is not looked at, as in Cassandra. Of equal keys the last value counts.
 * @throws JsonSyntaxError without the text
 */
export function parseJson(text: string): JsonValue {
  return new Parser(text).first();
}

class Parser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  first(): JsonValue {
    this.#skipSpace();
    if (this.#at === this.#text.length) {
      throw new JsonSyntaxError(`${ERRORS}.databind.exc.MismatchedInputException: <constant>`);
    }
    const value = this.#value(0);
    // A number must end where the value does.
    const isNumber = typeof value === 'object' && value !== null && 'kind' in value;
    if (isNumber && /^[^ \t\r\n]/.test(this.#text.slice(this.#at, this.#at + 1))) {
      throw this.#syntax();
    }
    return value;
  }

  #syntax(): JsonSyntaxError {
    if (this.#at < this.#text.length) {
      return new JsonSyntaxError(`${ERRORS}.core.JsonParseException: <constant>`);
    }
    return new JsonSyntaxError(`${ERRORS}.core.io.JsonEOFException: <constant>`);
  }

  #skipSpace(): void {
    this.#match(SPACE);
  }

  #match(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text);
    if (match !== null) this.#at = pattern.lastIndex;
    return match;
  }

  #take(character: string): boolean {
    if (this.#text.charAt(this.#at) !== character) return false;
    this.#at += 1;
    return true;
  }

  #word(word: string): boolean {
    if (!this.#text.startsWith(word, this.#at)) return false;
    if (WORD_END.test(this.#text.charAt(this.#at + word.length))) return false;
    this.#at += word.length;
    return true;
  }

  #value(depth: number): JsonValue {
    if (depth > MAX_DEPTH) throw this.#syntax();
    switch (this.#text.charAt(this.#at)) {
      case '{':
        this.#at += 1;
        return this.#object(depth);
      case '[':
        this.#at += 1;
        return this.#array(depth);
      case '"':
        this.#at += 1;
        return this.#string();
      default:
        return this.#scalar();
    }
  }

  #scalar(): JsonValue {
    if (this.#word('null')) return null;
    if (this.#word('true')) return true;
    if (this.#word('false')) return false;
    const match = this.#match(NUMBER);
    if (match === null || /[0-9.]/.test(this.#text.charAt(this.#at))) throw this.#syntax();
    const [number, fraction, exponent] = match;
    if (number.length > 1000) throw this.#syntax();
    if (fraction === undefined && exponent === undefined) {
      return { kind: 'integer', value: BigInt(number) };
    }
    return { kind: 'double', value: Number(number) };
  }

  #array(depth: number): JsonValue {
    const items: JsonValue[] = [];
    this.#skipSpace();
    if (this.#take(']')) return items;
    for (;;) {
      this.#skipSpace();
      items.push(this.#value(depth + 1));
      this.#skipSpace();
      if (this.#take(']')) return items;
      if (!this.#take(',')) throw this.#syntax();
    }
  }

  #object(depth: number): JsonValue {
    const entries = new Map<string, JsonValue>();
    this.#skipSpace();
    if (this.#take('}')) return entries;
    for (;;) {
      this.#skipSpace();
      if (!this.#take('"')) throw this.#syntax();
      const key = this.#string();
      this.#skipSpace();
      if (!this.#take(':')) throw this.#syntax();
      this.#skipSpace();
      entries.set(key, this.#value(depth + 1));
      this.#skipSpace();
      if (this.#take('}')) return entries;
      if (!this.#take(',')) throw this.#syntax();
    }
  }

  #string(): string {
    let out = '';
    for (;;) {
      out += this.#match(PLAIN)?.[0] ?? '';
      if (this.#take('"')) return out;
      if (!this.#take('\\')) throw this.#syntax();
      const character = this.#text.charAt(this.#at);
      this.#at += 1;
      if (character === 'u') {
        const hex = this.#text.slice(this.#at, this.#at + 4);
        if (!/^[0-9a-fA-F]{4}$/.test(hex)) throw this.#syntax();
        this.#at += 4;
        out += String.fromCharCode(parseInt(hex, 16));
      } else {
        const escaped = ESCAPED[character];
        if (escaped === undefined) throw this.#syntax();
        out += escaped;
      }
    }
  }
}

const ERRORS = 'com.fasterxml.jackson';

/** The Java class that Cassandra names for a value in its messages. */
export function javaClass(value: JsonValue): string {
  if (typeof value === 'string') return 'String';
  if (typeof value === 'boolean') return 'Boolean';
  if (value === null) return 'null';
  if (value instanceof Map) return 'LinkedHashMap';
  if (!('kind' in value)) return 'ArrayList';
  if (value.kind === 'double') return 'Double';
  if (BigInt.asIntN(32, value.value) === value.value) return 'Integer';
  return BigInt.asIntN(64, value.value) === value.value ? 'Long' : 'BigInteger';
}
