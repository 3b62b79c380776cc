import { parseStatement } from '../cql/index.ts';
import type { Expression, MaskClause } from '../cql/index.ts';
import { InternalError, InvalidRequestError, UnsupportedStatementError } from '../errors/index.ts';
import { argumentOf, castText, resolveFunction, typedArgument } from '../functions/index.ts';
import type { ArgumentScope, ScalarFunction } from '../functions/index.ts';
import type { ColumnEntry, MaskArgumentRecord, MaskRecord, TableEntry } from '../schema/index.ts';
import { printType, sameType } from '../values/index.ts';
import type { CqlType, FunctionContext } from '../values/index.ts';
import { UNSET } from '../wire/index.ts';
import { shownText } from './evaluate/literals.ts';
import { childrenOf } from './evaluate/walk.ts';
import { MarkerRegistry } from './markers.ts';
import { compileTerm } from './terms.ts';
import type { TypeResolver } from './type_resolver.ts';

/** What a mask is for. */
interface MaskedColumn {
  readonly keyspace: string;
  readonly table: string;
  readonly name: string;
  readonly type: CqlType;
}

/** Functions of a mask's arguments would give other values at each time. */
const NO_FUNCTIONS: FunctionContext = {
  nowMs: () => noFunction(),
  randomBytes: () => noFunction(),
  nextTimeuuid: () => noFunction(),
};

function noFunction(): never {
  throw new InternalError('an argument of a mask asks for the time or for random bytes');
}

/** Whether a table or view has a masked column. */
export function isMasked(table: TableEntry): boolean {
  return table.allColumns.some(({ mask }) => mask !== undefined);
}

/**
 * The mask of a MASKED WITH clause. Spec: ColumnMask.Raw of Cassandra 5.0.
 * @param text the statement, for its constants
 * @throws InvalidRequestError as Cassandra; UnsupportedStatementError for calls in its arguments
 */
export function planMask(
  clause: MaskClause,
  column: MaskedColumn,
  types: TypeResolver,
  text: string,
): MaskRecord {
  const { name, type } = column;
  const named = clause.function;
  const [keyspace, written] =
    named === 'default' ? ['system', 'mask_default'] : [named.keyspace?.text, named.name.text];
  const shown = `${keyspace === undefined ? '' : `${keyspace}.`}${written}(${clause.args.map(shownText).join(', ')})`;
  refuseCalls(clause.args, shown);
  const scope: ArgumentScope = {
    type: types,
    selector: (expression) => {
      throw new InvalidRequestError(`Invalid term ${shownText(expression)} in mask ${shown}`);
    },
    isTerm: true,
  };
  const called = resolveFunction({
    keyspace,
    name: written,
    args: [typedArgument(type, printType(type)), ...clause.args.map((a) => argumentOf(a, scope))],
    receiver: type,
  });
  if (called === undefined) {
    throw new InvalidRequestError(
      `Unable to find masking function for ${name}, no declared function matches the signature ${shown} (functions written by users are not evaluated on encrypted tables, see docs/compatibility.md)`,
    );
  }
  if (called.kind === 'aggregate') {
    throw new InvalidRequestError(
      `Aggregate function ${shown} cannot be used for masking table columns`,
    );
  }
  if (!written.startsWith('mask_')) {
    throw new InvalidRequestError(
      `Not-masking function ${shown} cannot be used for masking table columns`,
    );
  }
  if (!sameType(called.result, type)) {
    throw new InvalidRequestError(
      `Masking function ${shown} return type is ${printType(called.result)}. This is different to the type of the masked column ${name} of type ${printType(type)}. Masking functions can only be attached to table columns if they return the same data type as the masked column.`,
    );
  }
  const { constants } = parseStatement(text);
  const args = clause.args.map((expression, index): MaskArgumentRecord => {
    const argumentType = called.args[index + 1] ?? type;
    const receiver = {
      keyspace: column.keyspace,
      table: column.table,
      name: '(dummy)',
      type: argumentType,
    };
    const source = compileTerm(expression, receiver, { markers: new MarkerRegistry([]), types });
    const value = source({ binds: [], constants, functions: NO_FUNCTIONS });
    if (value === UNSET) throw new InternalError('an argument of a mask has no value');
    const { start, end } = expression.span;
    return argumentRecord(argumentType, value, text.slice(start, end));
  });
  return { function: written, args };
}

/** Cassandra evaluates them once; markers have no values there. */
function refuseCalls(args: readonly Expression[], shown: string): void {
  for (const expression of args) {
    if (expression.kind === 'bind') {
      throw new InvalidRequestError(`Invalid bind marker as argument of mask ${shown}`);
    }
    if (expression.kind === 'function') {
      throw new UnsupportedStatementError(
        `a call of ${expression.name} as argument of the mask ${shown} is not supported by the proxy: write the value`,
      );
    }
    refuseCalls(childrenOf(expression), shown);
  }
}

/** Native types whose literals stand in quotes. */
const QUOTED: ReadonlySet<string> = new Set(['ascii', 'text', 'date', 'inet', 'time', 'timestamp']);

/** @param written the argument in the statement, which is shown where its type has no other text */
function argumentRecord(
  type: CqlType,
  bytes: Uint8Array | null,
  written: string,
): MaskArgumentRecord {
  const base = { type: printType(type), value: bytes && Buffer.from(bytes).toString('hex') };
  if (bytes === null) return { ...base, literal: 'null', text: '' };
  if (type.kind !== 'native' || type.name === 'duration') {
    return { ...base, literal: written, text: written };
  }
  if (type.name === 'blob') {
    return { ...base, literal: `0x${base.value ?? ''}`, text: base.value ?? '' };
  }
  const text = bytes.length === 0 && !isText(type) ? '' : castText(type.name, bytes);
  return {
    ...base,
    literal: QUOTED.has(type.name) ? `'${text.replaceAll("'", "''")}'` : text,
    text,
  };
}

function isText(type: CqlType): boolean {
  return type.kind === 'native' && (type.name === 'text' || type.name === 'ascii');
}

/** Whether a column has that mask, or none where that is none. */
export function isSameMask(column: ColumnEntry, mask: MaskRecord | undefined): boolean {
  const { mask: current } = column;
  if (current === undefined || mask === undefined) return current === mask;
  const valuesOf = (args: readonly MaskArgumentRecord[]): string =>
    JSON.stringify(args.map(({ value }) => value));
  return (
    current.function === mask.function &&
    valuesOf(current.args.map(({ record }) => record)) === valuesOf(mask.args)
  );
}

/** Hides values of a column. */
export type Masker = (value: Uint8Array | null, functions: FunctionContext) => Uint8Array | null;

/** The masker of a column; undefined for one without a mask. @throws InternalError for a mask that does not fit it any more */
export function maskerOf({ name, type, mask }: ColumnEntry): Masker | undefined {
  if (mask === undefined) return undefined;
  const called = resolveFunction({
    keyspace: 'system',
    name: mask.function,
    args: [
      typedArgument(type, name),
      ...mask.args.map((argument) => typedArgument(argument.type, argument.record.literal)),
    ],
    receiver: type,
  });
  if (called?.kind !== 'scalar' || !sameType(called.result, type)) {
    throw new InternalError(`the mask of column ${name} is no function of its type`);
  }
  return maskerFor(
    called,
    mask.args.map(({ value }) => value),
  );
}

function maskerFor(called: ScalarFunction, args: readonly (Uint8Array | null)[]): Masker {
  return (value, functions) => called.call([value, ...args], functions);
}
