import type { Expression } from '../../cql/index.ts';
import { InvalidRequestError, UnsupportedStatementError } from '../../errors/index.ts';
import { compareValues, isMultiCell, native } from '../../values/index.ts';
import type { CqlType } from '../../values/index.ts';
import { UNSET } from '../../wire/index.ts';
import { planSelector } from '../select_plan.ts';
import type { Row } from '../stored_result.ts';
import { requireColumn, tableName } from '../table_columns.ts';
import { compileTerm } from '../terms.ts';
import type { TermContext } from '../terms.ts';
import type { CompiledExpression, Constants, ExpressionScope } from './expression.ts';
import { HIDDEN, literalText, shownText } from './literals.ts';
import { elementOf, fieldOf } from './parts.ts';
import type { Elements } from './parts.ts';

type Metadata = Extract<Expression, { readonly kind: 'metadata' }>;
type Part = Extract<Expression, { readonly kind: 'element' | 'slice' | 'field' }>;

/** A column of a row or a part of it, with its write time or time to live. */
interface Timed {
  readonly value: Uint8Array | null;
  /** One for each element or field of a column of several cells, or one for all there is. */
  readonly times: Times;
}

type Times = Uint8Array | null | readonly (Uint8Array | null)[];

/** What is taken of a column. */
interface TimedPart {
  readonly type: CqlType;
  readonly name: (constants: Constants) => string;
  readonly bind: (context: TermContext) => (row: Row) => Timed;
}

const NOTHING: Timed = { value: null, times: null };

/**
 * Type of `writetime()`, `maxwritetime()` or `ttl()` of a value.
 * @param of type of the value: of one with a cell an element the first and the last give one for each
 */
export function timesType(name: Metadata['function'], of: CqlType | undefined): CqlType {
  const type = native(name === 'ttl' ? 'int' : 'bigint');
  const isMany = of !== undefined && isMultiCell(of) && name !== 'maxwritetime';
  return isMany ? { kind: 'list', element: type, frozen: false } : type;
}

/**
 * Compiles `writetime(m[k])`, `ttl(s['a'..'b'])`, `maxwritetime(u.f)`. In a frozen value all parts have the times of the column.
 * Spec: WritetimeOrTTLSelector, ColumnTimestamps of Cassandra 5.0
 * @throws InvalidRequestError as Cassandra
 */
export function compileTimes(expression: Metadata, scope: ExpressionScope): CompiledExpression {
  const part = compilePart(expression.value, expression.function, scope);
  const isMax = expression.function === 'maxwritetime';
  return {
    type: timesType(expression.function, part.type),
    name: (constants) => `${expression.function}(${part.name(constants)})`,
    bind: (context) => {
      const evaluate = part.bind(context);
      return (row) => {
        if (row === undefined) return null;
        const { times } = evaluate(row);
        if (times === null || times instanceof Uint8Array) return times;
        return isMax ? latest(times) : packTimes(times);
      };
    },
    hasAggregate: false,
  };
}

function compilePart(
  expression: Expression,
  name: Metadata['function'],
  scope: ExpressionScope,
): TimedPart {
  switch (expression.kind) {
    case 'column':
      return compileColumn(expression, name, scope);
    case 'element':
    case 'slice':
    case 'field':
      return partOf(expression, compilePart(expression.value, name, scope), scope);
    default:
      throw new UnsupportedStatementError(
        `${name}() of anything but a column or a part of one is not supported by the proxy on the encrypted table ${tableName(scope.table)} (see docs/compatibility.md)`,
      );
  }
}

function compileColumn(
  expression: Extract<Expression, { readonly kind: 'column' }>,
  name: Metadata['function'],
  scope: ExpressionScope,
): TimedPart {
  const column = requireColumn(scope.table, expression.name);
  if (column.kind === 'partition' || column.kind === 'clustering') {
    throw new InvalidRequestError(
      `Cannot use selection function ${name} on PRIMARY KEY part ${column.name}`,
    );
  }
  const isMany = isMultiCell(column.type);
  const { span } = expression;
  // Of several cells Cassandra gives the latest alone, which says nothing of one.
  const of = isMany && name === 'maxwritetime' ? 'writetime' : name;
  const selector = planSelector(
    {
      expression: { kind: 'metadata', function: of, value: expression, span },
      alias: undefined,
      span,
    },
    scope.table,
  );
  if (selector === undefined) throw new InvalidRequestError(`Undefined column name ${column.name}`);
  const valueSlot = scope.inputs.column(column);
  const timesSlot = scope.inputs.add(selector);
  return {
    type: column.type,
    name: () => column.name,
    bind: () => (row) => {
      const times = row[timesSlot] ?? null;
      return {
        value: row[valueSlot] ?? null,
        times: times !== null && isMany ? unpackTimes(times) : times,
      };
    },
  };
}

function partOf(expression: Part, inner: TimedPart, scope: ExpressionScope): TimedPart {
  const shown = shownText(expression.value);
  switch (expression.kind) {
    case 'field': {
      const field = expression.field.text;
      const { type, extract, position } = fieldOf(inner.type, field, shown);
      return {
        type,
        name: (constants) => `${inner.name(constants)}.${field}`,
        bind: (context) => {
          const evaluate = inner.bind(context);
          return (row) => {
            const { value, times } = evaluate(row);
            const found = value === null ? null : extract(value);
            return found === null ? NOTHING : { value: found, times: timeAt(times, position) };
          };
        },
      };
    }
    case 'element': {
      const element = elementOf(inner.type, shown, 'Element');
      const key = keyOf(expression.key, element, inner, scope);
      return {
        type: element.value,
        name: (constants) => `${inner.name(constants)}[${key.text(constants)}]`,
        bind: (context) => {
          const wanted = key.bind(context, 'element');
          if (wanted === undefined) {
            throw new InvalidRequestError(
              `Invalid unset value for element selection on ${inner.name(HIDDEN)}`,
            );
          }
          const evaluate = inner.bind(context);
          return (row) => {
            const { value, times } = evaluate(row);
            if (value === null) return NOTHING;
            const at = element
              .keys(value)
              .findIndex((own) => compareValues(element.key, own, wanted) === 0);
            if (at < 0) return NOTHING;
            return { value: element.find(value, wanted), times: timeAt(times, at) };
          };
        },
      };
    }
    case 'slice': {
      const element = elementOf(inner.type, shown, 'Slice');
      const ends = [expression.from, expression.to].map((end) =>
        end === undefined ? undefined : keyOf(end, element, inner, scope),
      );
      const text = (at: number, constants: Constants): string => ends[at]?.text(constants) ?? '';
      return {
        type: element.collection,
        name: (constants) =>
          `${inner.name(constants)}[${text(0, constants)}..${text(1, constants)}]`,
        bind: (context) => {
          const [from, to] = ends.map((end) => end?.bind(context, 'slice'));
          const evaluate = inner.bind(context);
          return (row) => {
            const { value, times } = evaluate(row);
            if (value === null) return NOTHING;
            const kept = element.keys(value).flatMap((own, at) => {
              if (from !== undefined && compareValues(element.key, own, from) < 0) return [];
              if (to !== undefined && compareValues(element.key, own, to) > 0) return [];
              return [at];
            });
            if (kept.length === 0) return NOTHING;
            return { value: element.between(value, from, to), times: timesAt(times, kept) };
          };
        },
      };
    }
  }
}

/** The key of an element, or an end of a slice; it gives `undefined` for unset. */
function keyOf(
  expression: Expression,
  element: Elements,
  inner: TimedPart,
  scope: ExpressionScope,
): {
  readonly text: (constants: Constants) => string;
  readonly bind: (context: TermContext, what: 'element' | 'slice') => Uint8Array | undefined;
} {
  const { keyspace, name: table } = scope.table;
  const what = element.collection.kind === 'map' ? 'key' : 'value';
  const name = `${what}(${inner.name(HIDDEN)})`;
  const source = compileTerm(expression, { keyspace, table, name, type: element.key }, scope.terms);
  return {
    text: literalText(expression),
    bind: (context, of) => {
      const value = source(context);
      if (value === UNSET) return undefined;
      if (value !== null) return value;
      throw new InvalidRequestError(
        `Invalid null value for ${of} selection on ${inner.name(HIDDEN)}`,
      );
    },
  };
}

function timeAt(times: Times, at: number): Uint8Array | null {
  return times === null || times instanceof Uint8Array ? times : (times[at] ?? null);
}

function timesAt(times: Times, kept: readonly number[]): Times {
  if (times === null || times instanceof Uint8Array) return times;
  return kept.map((at) => times[at] ?? null);
}

/** Times of 8 bytes; null without any. */
function latest(times: readonly (Uint8Array | null)[]): Uint8Array | null {
  let found: Buffer | null = null;
  for (const time of times) {
    if (time === null) continue;
    const bytes = Buffer.from(time.buffer, time.byteOffset, time.length);
    if (found === null || bytes.readBigInt64BE() > found.readBigInt64BE()) found = bytes;
  }
  return found;
}

/** A list of numbers, null where there is none. Spec: native_protocol_v4 6.11 */
function unpackTimes(list: Uint8Array): (Uint8Array | null)[] {
  const bytes = Buffer.from(list.buffer, list.byteOffset, list.length);
  const times: (Uint8Array | null)[] = [];
  for (let at = 4; at < bytes.length;) {
    const size = bytes.readInt32BE(at);
    at += 4;
    times.push(size < 0 ? null : bytes.subarray(at, at + size));
    at += Math.max(size, 0);
  }
  return times;
}

function packTimes(times: readonly (Uint8Array | null)[]): Uint8Array {
  const int = (value: number): Buffer => {
    const bytes = Buffer.alloc(4);
    bytes.writeInt32BE(value);
    return bytes;
  };
  return Buffer.concat([
    int(times.length),
    ...times.flatMap((time) => (time === null ? [int(-1)] : [int(time.length), time])),
  ]);
}
