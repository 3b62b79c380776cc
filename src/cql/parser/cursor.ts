import { CqlSyntaxError } from '../../errors/index.ts';
import type { BindMarker, Constant, Identifier, Span } from '../ast.ts';
import {
  constantText,
  constantType,
  isConstantKind,
  linePosition,
  Scanner,
  TokenKind,
} from '../lexer/index.ts';

const MAX_DEPTH = 200;
const MAX_CHAIN = 1_000;
const MAX_SPECULATIONS = 2_000;

/** Thrown inside speculation only, where building a message would be wasted work. */
const SPECULATION_FAILED = new CqlSyntaxError('speculation failed');

/** The tokens of one statement and the place of the parser in them. */
export class TokenCursor {
  readonly text: string;
  /** Constants of the text in order, whether the tree keeps them or not. */
  readonly constants: Constant[] = [];
  /** Bind markers read so far. */
  readonly markers: BindMarker[] = [];
  /** Set by a rule that accepts what Cassandra accepts, but for which the tree has no node. */
  unsupported: string | undefined;
  /** Index of the current token. */
  position = 0;
  readonly #kinds: number[] = [];
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];
  /** Lower-case words by token; empty for every other token. */
  readonly #words: string[] = [];
  /** Index in `constants` by token, only of constants. */
  readonly #constantIndexes: number[] = [];
  #depth = 0;
  #speculating = 0;
  #speculations = 0;

  /**
   * Reads all tokens.
   *
   * @throws CqlSyntaxError where the text is no token, or has more tokens than `maxTokens`
   */
  constructor(text: string, maxTokens: number) {
    this.text = text;
    const scanner = new Scanner(text);
    for (;;) {
      const kind = scanner.next();
      const { start, end } = scanner;
      const index = this.#kinds.length;
      if (index > maxTokens) {
        throw new CqlSyntaxError(`the statement has more than ${maxTokens} tokens`);
      }
      this.#kinds.push(kind);
      this.#starts.push(start);
      this.#ends.push(end);
      this.#words.push(kind === TokenKind.WORD ? text.slice(start, end).toLowerCase() : '');
      if (kind === TokenKind.EOF) return;
      if (isConstantKind(kind)) {
        this.#constantIndexes[index] = this.constants.length;
        this.constants.push({
          kind: 'constant',
          type: constantType(kind),
          text: constantText(text, kind, start, end),
          index: this.constants.length,
          span: { start, end },
        });
      }
    }
  }

  /** Kind of the token `ahead` of the current one; EOF past the end. */
  kind(ahead = 0): number {
    return this.#kinds[this.position + ahead] ?? TokenKind.EOF;
  }

  /** The lower-case word `ahead`, empty for another token. */
  word(ahead = 0): string {
    return this.#words[this.position + ahead] ?? '';
  }

  /** The current token as written. */
  tokenText(): string {
    return this.text.slice(this.#starts[this.position], this.#ends[this.position]);
  }

  /** Offset of the current token. */
  get start(): number {
    return this.#starts[this.position] ?? this.text.length;
  }

  /** From an offset to the end of the token before the current one. */
  spanFrom(start: number): Span {
    const end = this.position === 0 ? start : (this.#ends[this.position - 1] as number);
    return { start, end: Math.max(start, end) };
  }

  /** Steps over the current token if it is of this kind. */
  accept(kind: number): boolean {
    if (this.kind() !== kind) return false;
    this.position++;
    return true;
  }

  /** Steps over the current token if it is this (lower-case) word. */
  acceptWord(word: string): boolean {
    if (this.word() !== word) return false;
    this.position++;
    return true;
  }

  /** Steps over the words if they all come next. */
  acceptWords(...words: readonly string[]): boolean {
    for (let index = 0; index < words.length; index++) {
      if (this.word(index) !== words[index]) return false;
    }
    this.position += words.length;
    return true;
  }

  /** @throws CqlSyntaxError if the current token is not of this kind */
  expect(kind: number, shown: string): void {
    if (!this.accept(kind)) throw this.mismatch(`'${shown}'`);
  }

  /** @throws CqlSyntaxError if the words do not come next */
  expectWords(...words: readonly string[]): void {
    for (const word of words) {
      if (!this.acceptWord(word)) throw this.mismatch(`K_${word.toUpperCase()}`);
    }
  }

  /** The constant that is the current token, which must be one; steps over it. */
  takeConstant(): Constant {
    const constant = this.constants[this.#constantIndexes[this.position] ?? -1];
    if (constant === undefined) throw this.noAlternative();
    this.position++;
    return constant;
  }

  /** Adds the marker whose tokens begin at `start` and were just stepped over. */
  addMarker(name: Identifier | undefined, start: number): BindMarker {
    const marker: BindMarker = {
      kind: 'bind',
      index: this.markers.length,
      name: name?.text,
      span: this.spanFrom(start),
    };
    this.markers.push(marker);
    return marker;
  }

  /** Runs a rule one level deeper: nesting is bounded so that no statement can exhaust the stack. */
  nested<T>(rule: () => T): T {
    if (this.#depth >= MAX_DEPTH) {
      throw new CqlSyntaxError(
        `${linePosition(this.text, this.start)} nested deeper than ${MAX_DEPTH} levels`,
      );
    }
    this.#depth++;
    try {
      return rule();
    } finally {
      this.#depth--;
    }
  }

  /** Bounds a chain such as `1 + 1 + …`, whose tree is as deep as it is long. */
  checkChain(length: number): void {
    if (length > MAX_CHAIN) {
      throw new CqlSyntaxError(
        `${linePosition(this.text, this.start)} more than ${MAX_CHAIN} operators in one expression`,
      );
    }
  }

  /**
   * Runs a rule that may turn out wrong (a syntactic predicate of the grammar).
   *
   * @returns `undefined` with the cursor where it was, if the rule failed
   */
  speculate<T>(rule: () => T): T | undefined {
    if (++this.#speculations > MAX_SPECULATIONS) {
      throw new CqlSyntaxError(`${linePosition(this.text, this.start)} too many ambiguities`);
    }
    const { position } = this;
    const markers = this.markers.length;
    const depth = this.#depth;
    this.#speculating++;
    try {
      return rule();
    } catch (error) {
      if (error !== SPECULATION_FAILED) throw error;
      this.position = position;
      this.markers.length = markers;
      this.#depth = depth;
      return undefined;
    } finally {
      this.#speculating--;
    }
  }

  /** The error for a token that no alternative of the rule begins with. */
  noAlternative(): CqlSyntaxError {
    if (this.#speculating > 0) return SPECULATION_FAILED;
    return this.error(`no viable alternative at input '${this.shownToken()}'`);
  }

  /** The error for a token other than the one the rule needs. */
  mismatch(expecting: string): CqlSyntaxError {
    if (this.#speculating > 0) return SPECULATION_FAILED;
    return this.error(`mismatched input '${this.shownToken()}' expecting ${expecting}`);
  }

  /** An error at the current token; `message` must not contain text of constants. */
  error(message: string): CqlSyntaxError {
    if (this.#speculating > 0) return SPECULATION_FAILED;
    return new CqlSyntaxError(`${linePosition(this.text, this.start)} ${message}`);
  }

  /** The current token for a message: constants only by their type, since they are values. */
  shownToken(): string {
    const kind = this.kind();
    if (kind === TokenKind.EOF) return '<EOF>';
    if (isConstantKind(kind)) return `<${constantType(kind)}>`;
    const shown = this.tokenText();
    return shown.length > 60 ? `${shown.slice(0, 60)}…` : shown;
  }
}
