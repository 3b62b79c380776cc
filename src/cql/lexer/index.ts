/**
 * From text to tokens: the scanner, texts of constants and names, and the shape of a statement.
 * Imports the syntax tree's types, the keywords and errors.
 */
export { constantText, constantType } from './constant_text.ts';
export { Scanner } from './scanner.ts';
export { statementShape } from './statement_shape.ts';
export type { ShapeConstant, StatementShape } from './statement_shape.ts';
export { linePosition } from './syntax_error.ts';
export { TokenKind, isConstantKind } from './token_kind.ts';
