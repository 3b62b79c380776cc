/**
 * From CQL text to a syntax tree, as Cassandra 5.0's parser reads it; no knowledge of schemas. May import errors and util.
 *
 * `lexer/` has the scanner and the shape of a statement (the key of the plan cache), `parser/` one file for each family
 * of statements. The parser works on the tokens of the whole text with bounded recursion, so no text can exhaust memory
 * or stack. Error messages hold names and keywords, never text of constants.
 */
export type * from './ast.ts';
export { isReservedKeyword } from './keywords.ts';
export { statementShape } from './lexer/index.ts';
export type { ShapeConstant, StatementShape } from './lexer/index.ts';
export { parseStatement } from './parser/statement.ts';
export type { ParsedStatement, ParseOptions } from './parser/statement.ts';
export { printExpression, printTypeName } from './print.ts';
export { editText, quoteIdentifier, quoteString } from './text.ts';
export type { TextEdit } from './text.ts';
