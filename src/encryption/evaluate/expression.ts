import type { Expression } from '../../cql/index.ts';
import type { AggregateFunction, ArgumentScope, ScalarFunction } from '../../functions/index.ts';
import type { TableEntry } from '../../schema/index.ts';
import type { CqlType } from '../../values/index.ts';
import type { Row } from '../stored_result.ts';
import type { TermContext, TermScope } from '../terms.ts';
import type { Inputs } from './inputs.ts';
import type { UserCallSlot } from './user_functions.ts';

/** The constants of a statement, in order of the text. */
export type Constants = TermContext['constants'];

/**
 * The value of an expression: of a row, or of a group by its first row (`undefined` when it has none) and the results of
 * its aggregates.
 */
export type Evaluate = (
  row: Row | undefined,
  aggregates: readonly (Uint8Array | null)[],
) => Uint8Array | null;

/** An expression of the selection. */
export interface CompiledExpression {
  readonly type: CqlType;
  /** Name in result metadata; it holds the constants of the statement. */
  readonly name: (constants: Constants) => string;
  /** Fixes the values of one execution. @throws InvalidRequestError as Cassandra for wrong ones. */
  readonly bind: (context: TermContext) => Evaluate;
  readonly hasAggregate: boolean;
  /** The result of an aggregate and nothing else: no row's own value is in it. */
  readonly isAggregate?: boolean;
}

/** An aggregate of the selection; a group keeps one state for each. */
export type AggregateSlot =
  | { readonly kind: 'rows' }
  | {
      readonly kind: 'function';
      readonly function: AggregateFunction;
      readonly args: readonly CompiledExpression[];
    };

/** What the compilation of expressions needs of the statement. */
export interface ExpressionScope {
  readonly table: TableEntry;
  readonly inputs: Inputs;
  readonly terms: TermScope;
  readonly arguments: ArgumentScope;
  /** The aggregates so far; the compiler adds its own. */
  readonly aggregates: AggregateSlot[];
  /** The calls of functions written by users so far, those that are arguments of others before them. */
  readonly calls: UserCallSlot[];
}

/** Compiles expressions inside others. @param expected what the place takes, where one is known */
export type Compile = (
  expression: Expression,
  expected: CqlType | undefined,
  scope: ExpressionScope,
) => CompiledExpression;

/** A scalar function of compiled arguments. */
export function callOf(
  called: ScalarFunction,
  args: readonly CompiledExpression[],
): CompiledExpression {
  return {
    type: called.result,
    name: (constants) => called.columnName(args.map((argument) => argument.name(constants))),
    bind: (context) => {
      const bound = args.map((argument) => argument.bind(context));
      return (row, aggregates) =>
        called.call(
          bound.map((evaluate) => evaluate(row, aggregates)),
          context.functions,
        );
    },
    hasAggregate: args.some((argument) => argument.hasAggregate),
  };
}
