import type { Expression, TypeName } from '../cql/ast.ts';
import { UnsupportedStatementError } from '../errors/index.ts';
import type { CqlType } from '../values/index.ts';

/** How an argument fits a parameter: exactly, by a conversion that Cassandra makes on its own, or not. */
export type Assignment = 'exact' | 'weak' | 'none';

/** What the resolution of overloads knows of an argument, whose type may not be fixed yet. Spec: AssignmentTestable. */
export interface ArgumentType {
  /** For messages: a column's name, `?`, `<constant>`. */
  readonly text: string;
  /** The type that the argument has by itself; `undefined` for what takes any, such as a bind marker. */
  readonly known: CqlType | undefined;
  readonly isMarker: boolean;
  /** Number of items of an array literal `[…]`, which may be a list or a vector. */
  readonly arrayLength: number | undefined;
  /** Whether a parameter of the type takes it. */
  assign(type: CqlType): Assignment;
}

/** What arguments that are expressions need of the statement. */
export interface ArgumentScope {
  /** Resolves the type of a hint or cast. */
  type(name: TypeName): CqlType;
  /** The type of what only selectors have: columns, fields, elements, slices, writetime and the like. */
  selector(expression: Expression): ArgumentType;
}

/** An argument of a fixed type: a column or the result of a function. */
export function typedArgument(type: CqlType, text: string): ArgumentType {
  throw new UnsupportedStatementError(`the argument ${text} (${type.kind}) is not supported yet`);
}

/** An argument as it is written; calls of functions, arithmetic and casts included. */
export function argumentOf(expression: Expression, scope: ArgumentScope): ArgumentType {
  void scope;
  throw new UnsupportedStatementError(`${expression.kind} is not supported as an argument yet`);
}
