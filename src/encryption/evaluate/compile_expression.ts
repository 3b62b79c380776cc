import type { Expression } from '../../cql/index.ts';
import { InvalidRequestError, UnsupportedStatementError } from '../../errors/index.ts';
import {
  argumentOf,
  arithmetic,
  cast,
  negate,
  resolveFunction,
  typedArgument,
  unknownFunction,
} from '../../functions/index.ts';
import type { ArgumentScope, ArgumentType, UserFunction } from '../../functions/index.ts';
import { freezeType, native, printType } from '../../values/index.ts';
import type { CqlType } from '../../values/index.ts';
import { UNSET } from '../../wire/index.ts';
import { maskerOf } from '../column_mask.ts';
import { planSelector } from '../select_plan.ts';
import { requireColumn, tableName } from '../table_columns.ts';
import { compileTerm } from '../terms.ts';
import type { TermScope } from '../terms.ts';
import type { ColumnEntry, TableEntry } from '../../schema/index.ts';
import { compileTimes, timesType } from './compile_times.ts';
import { callOf } from './expression.ts';
import type { CompiledExpression, ExpressionScope } from './expression.ts';
import {
  HIDDEN,
  isTerm,
  isTyped,
  literalText,
  sequenceOf,
  shownText,
  typeText,
} from './literals.ts';
import { elementOf, fieldOf } from './parts.ts';
import type { Inputs } from './inputs.ts';
import { requireNoAggregate } from './user_functions.ts';
import type { FindUserFunction } from './user_functions.ts';

/** Makes the scope of a statement's selection. */
export function expressionScope(
  table: TableEntry,
  inputs: Inputs,
  terms: TermScope,
  userFunction: FindUserFunction | undefined,
): ExpressionScope {
  const typing: ArgumentScope = {
    type: terms.types,
    selector: (expression) => selectorType(expression, table, typing),
    ...(userFunction === undefined ? {} : { userFunction }),
  };
  return { table, inputs, terms, arguments: typing, aggregates: [], calls: [] };
}

/** The type of what is no term: found without reading anything, as the choice of a function needs it first. */
function selectorType(
  expression: Expression,
  table: TableEntry,
  typing: ArgumentScope,
): ArgumentType {
  const text = shownText(expression);
  switch (expression.kind) {
    case 'column':
      return typedArgument(requireColumn(table, expression.name).type, text);
    case 'count_rows':
      return typedArgument(native('bigint'), text);
    case 'metadata': {
      const of = argumentOf(expression.value, typing).known;
      return typedArgument(timesType(expression.function, of), text);
    }
    case 'field': {
      const type = argumentOf(expression.value, typing).known;
      return typedArgument(fieldOf(type, expression.field.text, text).type, text);
    }
    case 'element': {
      const type = argumentOf(expression.value, typing).known;
      return typedArgument(elementOf(type, text, 'Element').value, text);
    }
    case 'slice': {
      const type = argumentOf(expression.value, typing).known;
      return typedArgument(elementOf(type, text, 'Slice').collection, text);
    }
    default:
      throw new UnsupportedStatementError(
        `${expression.kind} is not supported by the proxy in a selection of the encrypted table ${tableName(table)}`,
      );
  }
}

/**
 * Compiles an expression of the selection.
 * @param expected what the place takes, where one is known
 * @throws InvalidRequestError as Cassandra; UnsupportedStatementError for what the proxy cannot evaluate
 */
export function compileExpression(
  expression: Expression,
  expected: CqlType | undefined,
  scope: ExpressionScope,
): CompiledExpression {
  switch (expression.kind) {
    case 'column': {
      const column = requireColumn(scope.table, expression.name);
      return maskedSlot(slotOf(scope.inputs.column(column), column.type, column.name), column);
    }
    case 'count_rows': {
      const at = scope.aggregates.push({ kind: 'rows' }) - 1;
      return aggregateAt(at, native('bigint'), () => 'count');
    }
    case 'metadata':
      return expression.value.kind === 'column'
        ? storedSelector(expression, scope)
        : compileTimes(expression, scope);
    case 'function':
      return compileCall(expression, scope);
    case 'arithmetic': {
      const called = arithmetic(
        expression.operator,
        argument(expression.left, scope),
        argument(expression.right, scope),
        undefined,
      );
      return callOf(called, [
        compileExpression(expression.left, called.args[0], scope),
        compileExpression(expression.right, called.args[1], scope),
      ]);
    }
    case 'negate': {
      const called = negate(argument(expression.value, scope), undefined);
      return callOf(called, [compileExpression(expression.value, called.args[0], scope)]);
    }
    case 'cast': {
      const to = scope.terms.types(expression.type);
      const called = cast(argument(expression.value, scope), to);
      return callOf(called, [compileExpression(expression.value, called.args[0], scope)]);
    }
    case 'field': {
      const value = compileExpression(expression.value, undefined, scope);
      const { type, extract } = fieldOf(
        value.type,
        expression.field.text,
        shownText(expression.value),
      );
      return {
        type,
        name: (constants) => `${value.name(constants)}.${expression.field.text}`,
        bind: (context) => {
          const evaluate = value.bind(context);
          return (row, aggregates) => {
            const bytes = evaluate(row, aggregates);
            return bytes === null ? null : extract(bytes);
          };
        },
        hasAggregate: value.hasAggregate,
      };
    }
    case 'element':
      return compileElement(expression, scope);
    case 'slice':
      return compileSlice(expression, scope);
    case 'type_hint':
      return compileHint(expression, scope);
    default:
      return compileLiteral(expression, expected, scope);
  }
}

function slotOf(slot: number, type: CqlType, name: string): CompiledExpression {
  const evaluate = (row: readonly (Uint8Array | null)[] | undefined): Uint8Array | null =>
    row?.[slot] ?? null;
  return { type, name: () => name, bind: () => evaluate, hasAggregate: false };
}

/** A column as the client may see it: what is computed from it is computed from its mask, as in Cassandra. */
function maskedSlot(slot: CompiledExpression, column: ColumnEntry): CompiledExpression {
  const masker = maskerOf(column);
  if (masker === undefined) return slot;
  return {
    ...slot,
    bind: (context) => {
      const evaluate = slot.bind(context);
      if (context.sight !== undefined) return evaluate;
      // There is no value where there is no row.
      return (row, aggregates) =>
        row === undefined ? null : masker(evaluate(row, aggregates), context.functions);
    },
  };
}

function aggregateAt(
  at: number,
  type: CqlType,
  name: CompiledExpression['name'],
): CompiledExpression {
  return {
    type,
    name,
    bind: () => (_row, aggregates) => aggregates[at] ?? null,
    hasAggregate: true,
    isAggregate: true,
  };
}

/** writetime, ttl and token: Cassandra evaluates them on the stored row. */
function storedSelector(
  expression: Extract<Expression, { kind: 'metadata' | 'function' }>,
  scope: ExpressionScope,
): CompiledExpression {
  const selector = planSelector(
    { expression, alias: undefined, span: expression.span },
    scope.table,
  );
  if (selector === undefined) {
    throw new UnsupportedStatementError(
      `${expression.kind === 'metadata' ? expression.function : expression.name}() of anything but the partition key is not supported by the proxy on the encrypted table ${tableName(scope.table)} (see docs/compatibility.md)`,
    );
  }
  const name =
    expression.kind === 'metadata'
      ? `${expression.function}(${expression.value.kind === 'column' ? expression.value.name.text : ''})`
      : `system.token(${scope.table.partitionKey.map((column) => column.name).join(', ')})`;
  return slotOf(scope.inputs.add(selector), selector.spec.type, name);
}

function compileCall(
  expression: Extract<Expression, { kind: 'function' }>,
  scope: ExpressionScope,
): CompiledExpression {
  const { keyspace, name } = expression;
  if (isToken(expression)) return storedSelector(expression, scope);
  const call = { keyspace, name, args: expression.args.map((item) => argument(item, scope)) };
  const called =
    resolveFunction({ ...call, receiver: undefined }) ?? scope.arguments.userFunction?.(call);
  if (called === undefined) {
    throw unknownFunction(`${keyspace === undefined ? '' : `${keyspace}.`}${name}`);
  }
  const args = expression.args.map((item, index) =>
    compileExpression(item, called.args[index], scope),
  );
  if (called.kind === 'scalar') return callOf(called, args);
  if (called.kind === 'user') return userCallOf(called, args, scope);
  if (args.some((item) => item.hasAggregate)) {
    throw new InvalidRequestError(
      'aggregate functions cannot be used as arguments of aggregate functions',
    );
  }
  const at = scope.aggregates.push({ kind: 'function', function: called, args }) - 1;
  return aggregateAt(at, called.result, (constants) =>
    called.columnName(args.map((item) => item.name(constants))),
  );
}

/** The result of a call that Cassandra evaluated: it stands behind the columns of the row. */
function userCallOf(
  called: UserFunction,
  args: readonly CompiledExpression[],
  { calls, inputs }: ExpressionScope,
): CompiledExpression {
  requireNoAggregate(called, args);
  const at = calls.push({ function: called, args }) - 1;
  return {
    type: called.result,
    name: (constants) => `${called.name}(${args.map((one) => one.name(constants)).join(', ')})`,
    bind: () => {
      const slot = inputs.columns.length + at;
      return (row) => row?.[slot] ?? null;
    },
    hasAggregate: false,
  };
}

/** What the choice of a function knows of an expression. */
function argument(expression: Expression, scope: ExpressionScope): ArgumentType {
  return isToken(expression)
    ? typedArgument(native('bigint'), 'token')
    : argumentOf(expression, scope.arguments);
}

/** Cassandra's own function of the stored partition key. */
function isToken(expression: Expression): boolean {
  if (expression.kind !== 'function' || expression.name !== 'token') return false;
  return expression.keyspace === undefined || expression.keyspace === 'system';
}

function compileElement(
  expression: Extract<Expression, { kind: 'element' }>,
  scope: ExpressionScope,
): CompiledExpression {
  const value = compileExpression(expression.value, undefined, scope);
  const shown = shownText(expression.value);
  const element = elementOf(value.type, shown, 'Element');
  const key = compileTerm(expression.key, keyReceiver(scope, element, value), scope.terms);
  const keyText = literalText(expression.key);
  return {
    type: element.value,
    name: (constants) => `${value.name(constants)}[${keyText(constants)}]`,
    bind: (context) => {
      const wanted = key(context);
      if (!(wanted instanceof Uint8Array)) {
        throw new InvalidRequestError(
          `Invalid ${wanted === UNSET ? 'unset' : 'null'} value for element selection on ${value.name(HIDDEN)}`,
        );
      }
      const evaluate = value.bind(context);
      return (row, aggregates) => {
        const bytes = evaluate(row, aggregates);
        return bytes === null ? null : element.find(bytes, wanted);
      };
    },
    hasAggregate: value.hasAggregate,
  };
}

function compileSlice(
  expression: Extract<Expression, { kind: 'slice' }>,
  scope: ExpressionScope,
): CompiledExpression {
  const value = compileExpression(expression.value, undefined, scope);
  const shown = shownText(expression.value);
  const element = elementOf(value.type, shown, 'Slice');
  const receiver = keyReceiver(scope, element, value);
  const ends = [expression.from, expression.to].map((end) =>
    end === undefined
      ? { source: () => UNSET, text: () => '' }
      : { source: compileTerm(end, receiver, scope.terms), text: literalText(end) },
  );
  const [from, to] = ends;
  return {
    type: element.collection,
    name: (constants) =>
      `${value.name(constants)}[${from?.text(constants) ?? ''}..${to?.text(constants) ?? ''}]`,
    bind: (context) => {
      const bounds = ends.map(({ source }) => {
        const bound = source(context);
        if (bound === null) {
          throw new InvalidRequestError(
            `Invalid null value for slice selection on ${value.name(HIDDEN)}`,
          );
        }
        return bound instanceof Uint8Array ? bound : undefined;
      });
      const evaluate = value.bind(context);
      return (row, aggregates) => {
        const bytes = evaluate(row, aggregates);
        return bytes === null ? null : element.between(bytes, bounds[0], bounds[1]);
      };
    },
    hasAggregate: value.hasAggregate,
  };
}

function keyReceiver(
  scope: ExpressionScope,
  element: { readonly key: CqlType; readonly collection: CqlType },
  value: CompiledExpression,
): { keyspace: string; table: string; name: string; type: CqlType } {
  const { keyspace, name: table } = scope.table;
  const what = element.collection.kind === 'map' ? 'key' : 'value';
  return { keyspace, table, name: `${what}(${value.name(HIDDEN)})`, type: element.key };
}

function compileHint(
  expression: Extract<Expression, { kind: 'type_hint' }>,
  scope: ExpressionScope,
): CompiledExpression {
  const type = freezeType(scope.terms.types(expression.type));
  const { terms, table } = scope;
  const hint = typeText(
    expression.type,
    table.keyspace,
    (name) => terms.types(name).kind === 'udt',
  );
  if (argument(expression.value, scope).assign(type) === 'none') {
    const shown = `(${hint})${shownText(expression.value)}`;
    throw new InvalidRequestError(
      `Cannot assign value ${shown} to ${shown} of type ${printType(type)}`,
    );
  }
  const value = compileExpression(expression.value, type, scope);
  return { ...value, type, name: (constants) => `(${hint})${value.name(constants)}` };
}

function compileLiteral(
  expression: Expression,
  expected: CqlType | undefined,
  scope: ExpressionScope,
): CompiledExpression {
  // Constants have a type for the choice of a function, but none of their own.
  const type = isTyped(expression) ? (argument(expression, scope).known ?? expected) : expected;
  if (type === undefined) {
    throw new InvalidRequestError(
      `Cannot infer type for term ${shownText(expression)} in selection clause (try using a cast to force a type)`,
    );
  }
  if (!isTerm(expression)) {
    return sequenceOf(expression, type, (item, of) => compileExpression(item, of, scope));
  }
  const { keyspace, name: table } = scope.table;
  const source = compileTerm(
    expression,
    { keyspace, table, name: '[selection]', type },
    scope.terms,
  );
  return {
    type,
    name: literalText(expression),
    bind: (context) => {
      const value = source(context);
      const bytes = value === UNSET ? null : value;
      return () => bytes;
    },
    hasAggregate: false,
  };
}
