import type { ConstantType } from '../ast.ts';
import { isReservedKeyword } from '../keywords.ts';
import { constantText, constantType } from './constant_text.ts';
import { Scanner } from './scanner.ts';
import { ShapeWriter } from './shape_writer.ts';
import { isConstantKind, TokenKind } from './token_kind.ts';

/** A constant of a statement as the lexer sees it. */
export interface ShapeConstant {
  readonly type: ConstantType;
  readonly text: string;
}

/** What {@link statementShape} finds. */
export interface StatementShape {
  readonly shape: string;
  /** In order of text; the index is the `index` of the Constant in the tree. */
  readonly constants: readonly ShapeConstant[];
}

/**
 * The canonical key of a statement of data (SELECT, INSERT, UPDATE, DELETE, BATCH): two texts with the same shape have
 * the same tree but for the texts of their constants and the spans. Words are folded to lower case, spaces and comments
 * dropped, each constant is `$` and a letter of its type. A constant that is part of a type (`vector<float, 3>`,
 * `('some.Class') c`) changes the tree, so its text is repeated behind a `#`.
 *
 * The shapes of other statements are no cache keys: constants in property maps and column types decide about them.
 *
 * @throws CqlSyntaxError where the text is no token of CQL
 */
export function statementShape(text: string): StatementShape {
  const scanner = new Scanner(text);
  const writer = new ShapeWriter();
  const constants: ShapeConstant[] = [];
  const types = new TypeConstants(text, writer, constants);
  for (;;) {
    const kind = scanner.next();
    if (kind === TokenKind.EOF) return { shape: writer.finish(), constants };
    const start = scanner.start;
    const end = scanner.end;
    if (kind === TokenKind.WORD) {
      writer.reserve(end - start + 1);
      if (types.watching) types.before(kind, start, end);
      writer.word(text, start, end);
    } else if (isConstantKind(kind)) {
      if (types.watching) types.before(kind, start, end);
      writer.reserve(2);
      writer.byte(36);
      writer.byte(TYPE_LETTERS[kind] as number);
      const value = constantText(text, kind, start, end);
      constants.push({ type: constantType(kind), text: value });
      if (kind === TokenKind.STRING) types.string();
    } else {
      if (types.watching || kind === TokenKind.LESS) types.before(kind, start, end);
      writer.reserve((end - start) * 3 + 1);
      if (kind < 128 && kind > TokenKind.EMPTY_QUOTED) writer.byte(kind);
      else if (kind >= 128) writer.byte(kind - 127);
      else {
        writer.verbatim(text, start, end);
        writer.byte(32);
      }
    }
    types.after(kind, start, end);
  }
}

/** Letters by kind of token: s, i, f, b, u, h, d. */
const TYPE_LETTERS: readonly number[] = (() => {
  const letters: number[] = [];
  letters[TokenKind.STRING] = 0x73;
  letters[TokenKind.INTEGER] = 0x69;
  letters[TokenKind.FLOAT] = 0x66;
  letters[TokenKind.BOOLEAN] = 0x62;
  letters[TokenKind.UUID] = 0x75;
  letters[TokenKind.HEX] = 0x68;
  letters[TokenKind.DURATION] = 0x64;
  return letters;
})();

const PARAMETRISED = new Set(['list', 'set', 'map', 'tuple', 'frozen', 'vector']);

/** Reserved words and keywords that a term or a selector can stand behind, so that `(` begins one. */
const BEFORE_TERM = new Set([
  ...['select', 'distinct', 'json', 'like', 'contains', 'key', 'by', 'of', 'as', 'and', 'or'],
  ...['set', 'where', 'not', 'is', 'if'],
]);

/** `('…')` so far: nothing, the string, the closing parenthesis. */
const HINT_NONE = 0;
const HINT_STRING = 1;
const HINT_CLOSED = 2;

/**
 * Finds constants that belong to types. It may take a value for one, never the other way: the price is a shape that
 * fewer texts share.
 */
class TypeConstants {
  /** Whether {@link before} has to see the next token. */
  watching = false;
  readonly #text: string;
  readonly #writer: ShapeWriter;
  readonly #constants: readonly ShapeConstant[];
  #previousKind = 0;
  #previousStart = 0;
  #previousEnd = 0;
  /** Whether the `(` just read could open a type hint. */
  #openBeginsTerm = false;
  #hint = HINT_NONE;
  #hintConstant = 0;
  /** Open `<` of types, and the constants before the first. */
  #angles = 0;
  #angleConstant = 0;

  constructor(text: string, writer: ShapeWriter, constants: readonly ShapeConstant[]) {
    this.#text = text;
    this.#writer = writer;
    this.#constants = constants;
  }

  /** A string constant was read. */
  string(): void {
    if (this.#previousKind !== TokenKind.OPEN || !this.#openBeginsTerm) return;
    this.#hint = HINT_STRING;
    this.#hintConstant = this.#constants.length - 1;
    this.watching = true;
  }

  /** Looks at a token before it is written. */
  before(kind: number, start: number, end: number): void {
    if (kind === TokenKind.LESS) this.#less();
    else if (this.#angles > 0) this.#insideAngles(kind, start, end);
    if (this.#hint === HINT_STRING) {
      this.#hint = kind === TokenKind.CLOSE ? HINT_CLOSED : HINT_NONE;
    } else if (this.#hint === HINT_CLOSED) {
      if (this.#mayBeginTerm(kind, start, end)) this.#writeConstants(this.#hintConstant, 1);
      this.#hint = HINT_NONE;
    }
    this.watching = this.#hint !== HINT_NONE || this.#angles > 0;
  }

  /** Remembers a token after it was written. */
  after(kind: number, start: number, end: number): void {
    if (kind === TokenKind.OPEN) this.#openBeginsTerm = this.#previousLetsTermBegin();
    this.#previousKind = kind;
    this.#previousStart = start;
    this.#previousEnd = end;
  }

  #less(): void {
    if (this.#previousKind !== TokenKind.WORD) {
      this.#angles = 0;
      return;
    }
    if (!PARAMETRISED.has(this.#word(this.#previousStart, this.#previousEnd))) {
      this.#angles = 0;
      return;
    }
    if (this.#angles === 0) this.#angleConstant = this.#constants.length;
    this.#angles++;
  }

  #insideAngles(kind: number, start: number, end: number): void {
    switch (kind) {
      case TokenKind.GREATER:
        this.#angles--;
        if (this.#angles === 0) {
          this.#writeConstants(this.#angleConstant, this.#constants.length - this.#angleConstant);
        }
        return;
      case TokenKind.WORD:
        if (this.#word(start, end) === 'and') this.#angles = 0;
        return;
      case TokenKind.STRING:
      case TokenKind.INTEGER:
      case TokenKind.QUOTED:
      case TokenKind.COMMA:
      case TokenKind.DOT:
        return;
      default:
        this.#angles = 0;
    }
  }

  #previousLetsTermBegin(): boolean {
    switch (this.#previousKind) {
      case TokenKind.WORD:
        return BEFORE_TERM.has(this.#word(this.#previousStart, this.#previousEnd));
      case TokenKind.QUOTED:
      case TokenKind.EMPTY_QUOTED:
      case TokenKind.EXPR:
        return false;
      default:
        return true;
    }
  }

  #mayBeginTerm(kind: number, start: number, end: number): boolean {
    switch (kind) {
      case TokenKind.WORD: {
        const word = this.#word(start, end);
        return word === 'null' || word === 'token' || !isReservedKeyword(word);
      }
      case TokenKind.QUOTED:
      case TokenKind.OPEN:
      case TokenKind.OPEN_BRACKET:
      case TokenKind.OPEN_BRACE:
      case TokenKind.QUESTION:
      case TokenKind.COLON:
        return true;
      default:
        return isConstantKind(kind);
    }
  }

  #writeConstants(from: number, count: number): void {
    for (let index = from; index < from + count; index++) {
      const value = this.#constants[index]?.text ?? '';
      const written = `#${value.length} ${value}`;
      this.#writer.reserve(written.length * 3);
      this.#writer.verbatim(written, 0, written.length);
    }
  }

  #word(start: number, end: number): string {
    return this.#text.slice(start, end).toLowerCase();
  }
}
