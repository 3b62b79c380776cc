/**
 * Kinds of tokens. Punctuation of one character has its character code as kind, so the kinds here stay below 33 or
 * above 127.
 */
export const TokenKind = {
  EOF: 0,
  /** A keyword or an unquoted name; the parser decides which. */
  WORD: 1,
  /** `"name"`. */
  QUOTED: 2,
  /** `""`: the column without a name of old tables. */
  EMPTY_QUOTED: 3,
  STRING: 4,
  INTEGER: 5,
  /** Also `NaN` and `Infinity`, which are words in the text. */
  FLOAT: 6,
  BOOLEAN: 7,
  UUID: 8,
  HEX: 9,
  DURATION: 10,
  NOT_EQUAL: 128,
  LESS_EQUAL: 129,
  GREATER_EQUAL: 130,
  PLUS_EQUAL: 131,
  MINUS_EQUAL: 132,
  /** `..`. */
  RANGE: 133,
  /** `expr(`, one token in Cassandra's lexer, lower case only. */
  EXPR: 134,

  PERCENT: 37,
  OPEN: 40,
  CLOSE: 41,
  STAR: 42,
  PLUS: 43,
  COMMA: 44,
  MINUS: 45,
  DOT: 46,
  SLASH: 47,
  COLON: 58,
  SEMICOLON: 59,
  LESS: 60,
  EQUAL: 61,
  GREATER: 62,
  QUESTION: 63,
  OPEN_BRACKET: 91,
  CLOSE_BRACKET: 93,
  OPEN_BRACE: 123,
  CLOSE_BRACE: 125,
} as const;

/** Whether a token of this kind is a constant of the grammar. */
export function isConstantKind(kind: number): boolean {
  return kind >= TokenKind.STRING && kind <= TokenKind.DURATION;
}
