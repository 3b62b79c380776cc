import { CHAR_CLASS, CharBit, isDigit, isHex, isWordPart } from './chars.ts';
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
    if (code === 33 && text.charCodeAt(at + 1) === 61) {
      return this.#token(TokenKind.NOT_EQUAL, at + 2);
    }
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
    // Eight hexadecimal digits and a hyphen begin a uuid, whatever follows: `deadbeef-1` is an error in Cassandra too.
    if (length === 8 && text.charCodeAt(end) === 45) {
      const uuid = matchUuid(text, at);
      if (uuid >= 0) return this.#token(TokenKind.UUID, uuid);
      if (isHexRun(text, at, end)) throw lexicalError(text, end);
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
    if (duration >= 0) {
      // Digits behind a unit begin the next part of the duration, which needs its unit.
      if (isDigit(text.charCodeAt(duration))) throw lexicalError(text, duration);
      return this.#token(TokenKind.DURATION, duration);
    }
    if (code === 46) {
      if (text.charCodeAt(end + 1) === 46) {
        return text.charCodeAt(end + 2) === 46
          ? this.#token(TokenKind.FLOAT, end + 1)
          : this.#token(TokenKind.INTEGER, end);
      }
      const fraction = skipDigits(text, end + 1);
      const float = skipExponent(text, fraction);
      if (float === fraction && (text.charCodeAt(float) | 32) === 0x65) {
        throw lexicalError(text, float);
      }
      return this.#token(TokenKind.FLOAT, float);
    }
    const exponent = skipExponent(text, end);
    if (exponent > end) {
      if ((text.charCodeAt(exponent) | 32) === 0x65) throw lexicalError(text, exponent);
      return this.#token(TokenKind.FLOAT, exponent);
    }
    // Eight digits and a hyphen begin a uuid as well, see #word.
    if (code === 45 && at === digits && end - at === 8) throw lexicalError(text, end);
    if (beginsUnfinishedToken(code, at === digits)) throw lexicalError(text, end);
    return this.#token(TokenKind.INTEGER, end);
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

  /** `-NaN`, `-Infinity` and `-P1D` are one token each; a minus before N, I or P begins nothing else. */
  #afterMinus(at: number, following: number): number {
    const text = this.text;
    switch (following) {
      case 0x50: {
        const duration = matchIsoDuration(text, at + 1);
        if (duration < 0) throw lexicalError(text, at);
        return this.#token(TokenKind.DURATION, duration);
      }
      case 0x4e:
      case 0x6e:
        if (!equalsWord(text, at + 1, 'nan')) throw lexicalError(text, at);
        return this.#token(TokenKind.FLOAT, at + 4);
      case 0x49:
      case 0x69:
        if (!equalsWord(text, at + 1, 'infinity')) throw lexicalError(text, at);
        return this.#token(TokenKind.FLOAT, at + 9);
      default:
        return this.#token(TokenKind.MINUS, at + 1);
    }
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

function isHexRun(text: string, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (!isHex(text.charCodeAt(at))) return false;
  return true;
}

/**
 * Whether the character behind a number makes Cassandra's lexer expect a duration (n, u), a float (e) or, behind digits
 * without a sign, a uuid (a to f), which it then is not.
 */
function beginsUnfinishedToken(code: number, unsigned: boolean): boolean {
  const letter = code | 32;
  if (letter === 0x6e || letter === 0x75 || letter === 0x65) return true;
  return unsigned && letter >= 0x61 && letter <= 0x66;
}

/** Offset after an exponent at `at`; `at` itself when there is none. */
function skipExponent(text: string, at: number): number {
  if ((text.charCodeAt(at) | 32) !== 0x65) return at;
  const sign = text.charCodeAt(at + 1);
  const digits = sign === 43 || sign === 45 ? at + 2 : at + 1;
  const end = skipDigits(text, digits);
  return end > digits ? end : at;
}
