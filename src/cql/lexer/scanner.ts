import { CHAR_CLASS, CharBit, isDigit, isWordPart } from './chars.ts';
import { matchIsoDuration, matchUnitDuration, matchUuid, skipDigits } from './literals.ts';
import { lexicalError } from './syntax_error.ts';
import { TokenKind } from './token_kind.ts';

/**
 * Reads a statement token by token. It makes no objects: after {@link Scanner.next} the token is `kind`, `start`, `end`.
 *
 * Spec: Cassandra 5.0 Lexer.g.
 */
export class Scanner {
  readonly text: string;
  /** Kind of the current token, see TokenKind. */
  kind = 0;
  /** Offset of the current token in UTF-16 code units. */
  start = 0;
  /** Offset after the current token. */
  end = 0;

  constructor(text: string) {
    this.text = text;
  }

  /**
   * Steps to the next token; `EOF` for ever at the end.
   *
   * @returns its kind
   * @throws CqlSyntaxError where the text is no token of CQL
   */
  next(): number {
    const text = this.text;
    const at = this.#skipSpace();
    this.start = at;
    if (at >= text.length) {
      this.end = at;
      return (this.kind = TokenKind.EOF);
    }
    const code = text.charCodeAt(at);
    const bits = code < 128 ? (CHAR_CLASS[code] as number) : 0;
    if ((bits & CharBit.LETTER) !== 0) return this.#word(at, code);
    if ((bits & CharBit.DIGIT) !== 0) return this.#number(at, at);
    if ((bits & CharBit.SYMBOL) !== 0) return this.#symbol(at, code);
    if (code === 39) return this.#string(at);
    if (code === 34) return this.#quotedName(at);
    if (code === 36 && text.charCodeAt(at + 1) === 36) return this.#dollarString(at);
    throw lexicalError(text, at);
  }

  #token(kind: number, end: number): number {
    this.end = end;
    return (this.kind = kind);
  }

  #skipSpace(): number {
    const text = this.text;
    let at = this.end;
    for (;;) {
      const code = text.charCodeAt(at);
      if (code === 32 || code === 10 || code === 13 || code === 9) {
        at++;
      } else if (code === 45 || code === 47) {
        const following = text.charCodeAt(at + 1);
        if (following === code) at = this.#lineComment(at);
        else if (code === 47 && following === 42) {
          const close = text.indexOf('*/', at + 2);
          if (close < 0) throw lexicalError(text, text.length);
          at = close + 2;
        } else return at;
      } else return at;
    }
  }

  /** A comment of one line must end with the line: Cassandra refuses one that the text's end cuts off. */
  #lineComment(at: number): number {
    const text = this.text;
    for (let position = at + 2; position < text.length; position++) {
      const code = text.charCodeAt(position);
      if (code === 10 || code === 13) return position + 1;
    }
    throw lexicalError(text, text.length);
  }

  #word(at: number, first: number): number {
    const text = this.text;
    let end = at + 1;
    while (isWordPart(text.charCodeAt(end))) end++;
    const length = end - at;
    // A uuid and its first group: eight hexadecimal digits and a hyphen are always read as the begin of a uuid.
    if (length === 8 && text.charCodeAt(end) === 45) {
      const uuid = matchUuid(text, at);
      if (uuid >= 0) return this.#token(TokenKind.UUID, uuid);
    }
    if (first === 0x50) {
      const duration = matchIsoDuration(text, at);
      if (duration >= end) return this.#token(TokenKind.DURATION, duration);
    }
    if (length >= 3 && length <= 8) {
      switch (first | 32) {
        case 0x74: // t
          if (length === 4 && equalsWord(text, at, 'true'))
            return this.#token(TokenKind.BOOLEAN, end);
          break;
        case 0x66: // f
          if (length === 5 && equalsWord(text, at, 'false'))
            return this.#token(TokenKind.BOOLEAN, end);
          break;
        case 0x6e: // n
          if (length === 3 && equalsWord(text, at, 'nan')) return this.#token(TokenKind.FLOAT, end);
          break;
        case 0x69: // i
          if (length === 8 && equalsWord(text, at, 'infinity')) {
            return this.#token(TokenKind.FLOAT, end);
          }
          break;
        case 0x65: // e
          if (length === 4 && text.charCodeAt(end) === 40 && text.startsWith('expr', at)) {
            return this.#token(TokenKind.EXPR, end + 1);
          }
          break;
        default:
      }
    }
    return this.#token(TokenKind.WORD, end);
  }

  /** A number, duration, uuid or blob whose first digit stands at `digits`; `at` is there or at the sign before it. */
  #number(at: number, digits: number): number {
    const text = this.text;
    const end = skipDigits(text, digits);
    const code = text.charCodeAt(end);
    // The common case: the number ends here.
    if (code === 44 || code === 41 || code === 32 || code === 59) {
      return this.#token(TokenKind.INTEGER, end);
    }
    if (at === digits) {
      const uuid = matchUuid(text, at);
      if (uuid >= 0) return this.#token(TokenKind.UUID, uuid);
      if (end === at + 1 && text.charCodeAt(at) === 48 && (code | 32) === 0x78)
        return this.#hex(end);
    }
    const duration = matchUnitDuration(text, digits);
    if (duration >= 0) return this.#token(TokenKind.DURATION, duration);
    if (code === 46) {
      if (text.charCodeAt(end + 1) === 46) {
        return text.charCodeAt(end + 2) === 46
          ? this.#token(TokenKind.FLOAT, end + 1)
          : this.#token(TokenKind.INTEGER, end);
      }
      return this.#token(TokenKind.FLOAT, skipExponent(text, skipDigits(text, end + 1)));
    }
    const exponent = skipExponent(text, end);
    return exponent > end
      ? this.#token(TokenKind.FLOAT, exponent)
      : this.#token(TokenKind.INTEGER, end);
  }

  #hex(x: number): number {
    const text = this.text;
    let end = x + 1;
    for (;;) {
      const code = text.charCodeAt(end);
      if (code < 128 && ((CHAR_CLASS[code] as number) & CharBit.HEX) !== 0) end++;
      else return this.#token(TokenKind.HEX, end);
    }
  }

  #symbol(at: number, code: number): number {
    const following = this.text.charCodeAt(at + 1);
    switch (code) {
      case TokenKind.MINUS:
        if (isDigit(following)) return this.#number(at, at + 1);
        if (following === 61) return this.#token(TokenKind.MINUS_EQUAL, at + 2);
        return this.#afterMinus(at, following);
      case TokenKind.PLUS:
        if (following === 61) return this.#token(TokenKind.PLUS_EQUAL, at + 2);
        break;
      case TokenKind.LESS:
        if (following === 61) return this.#token(TokenKind.LESS_EQUAL, at + 2);
        break;
      case TokenKind.GREATER:
        if (following === 61) return this.#token(TokenKind.GREATER_EQUAL, at + 2);
        break;
      case TokenKind.DOT:
        if (following === 46) return this.#token(TokenKind.RANGE, at + 2);
        break;
      default:
    }
    return this.#token(code, at + 1);
  }

  /** `-NaN`, `-Infinity` and `-P1D` are one token each. */
  #afterMinus(at: number, following: number): number {
    const text = this.text;
    if (following === 0x50) {
      const duration = matchIsoDuration(text, at + 1);
      if (duration >= 0) return this.#token(TokenKind.DURATION, duration);
    }
    if ((following | 32) === 0x6e && equalsWord(text, at + 1, 'nan')) {
      return this.#token(TokenKind.FLOAT, at + 4);
    }
    if ((following | 32) === 0x69 && equalsWord(text, at + 1, 'infinity')) {
      return this.#token(TokenKind.FLOAT, at + 9);
    }
    return this.#token(TokenKind.MINUS, at + 1);
  }

  #string(at: number): number {
    const text = this.text;
    let close = text.indexOf("'", at + 1);
    while (close >= 0 && text.charCodeAt(close + 1) === 39) close = text.indexOf("'", close + 2);
    if (close < 0) throw lexicalError(text, text.length);
    return this.#token(TokenKind.STRING, close + 1);
  }

  #dollarString(at: number): number {
    const close = this.text.indexOf('$$', at + 2);
    if (close < 0) throw lexicalError(this.text, this.text.length);
    return this.#token(TokenKind.STRING, close + 2);
  }

  #quotedName(at: number): number {
    const text = this.text;
    let close = text.indexOf('"', at + 1);
    if (close === at + 1 && text.charCodeAt(at + 2) !== 34) {
      return this.#token(TokenKind.EMPTY_QUOTED, at + 2);
    }
    while (close >= 0 && text.charCodeAt(close + 1) === 34) close = text.indexOf('"', close + 2);
    if (close < 0) throw lexicalError(text, text.length);
    return this.#token(TokenKind.QUOTED, close + 1);
  }
}

/** Compares `word` (lower-case letters) with the text at `at`, whatever the case of the text. */
function equalsWord(text: string, at: number, word: string): boolean {
  for (let index = 0; index < word.length; index++) {
    if ((text.charCodeAt(at + index) | 32) !== word.charCodeAt(index)) return false;
  }
  return true;
}

/** Offset after an exponent at `at`; `at` itself when there is none. */
function skipExponent(text: string, at: number): number {
  if ((text.charCodeAt(at) | 32) !== 0x65) return at;
  const sign = text.charCodeAt(at + 1);
  const digits = sign === 43 || sign === 45 ? at + 2 : at + 1;
  const end = skipDigits(text, digits);
  return end > digits ? end : at;
}
