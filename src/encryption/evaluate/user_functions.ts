import { InvalidRequestError, UnsupportedStatementError } from '../../errors/index.ts';
import { resolveUserFunction } from '../../functions/index.ts';
import type { UserCall, UserFunction } from '../../functions/index.ts';
import type { RawTable, Snapshot, TableEntry } from '../../schema/index.ts';
import { parseTypeText, splitList, udtNames } from '../../values/index.ts';
import type { CqlType, UdtType } from '../../values/index.ts';
import { tableName } from '../table_columns.ts';
import type { CompiledExpression, Evaluate } from './expression.ts';

/** A call of the selection that Cassandra evaluates; its results stand behind the columns of a row. */
export interface UserCallSlot {
  readonly function: UserFunction;
  readonly args: readonly CompiledExpression[];
}

/** A call with the values of one execution. */
export interface BoundUserCall {
  readonly function: UserFunction;
  readonly args: readonly Evaluate[];
}

/** Finds the function of a call; undefined when there is none of the name. */
export type FindUserFunction = (call: UserCall) => UserFunction | undefined;

/**
 * The functions written by users that a statement on `table` may call, by the names that Cassandra looks them up with. Plans keep
 * what it gives: it must not keep the whole snapshot with it.
 * @throws by its result: InvalidRequestError as Cassandra; UnsupportedStatementError for an aggregate, or a user type in a signature,
 * which Cassandra knows in its stored form only
 */
export function userFunctions(snapshot: Snapshot, table: TableEntry): FindUserFunction {
  const functions = snapshot.raw('system_schema', 'functions');
  const aggregates = snapshot.raw('system_schema', 'aggregates');
  return (call) => {
    const keyspace = call.keyspace ?? table.keyspace;
    const refuse = (what: string): UnsupportedStatementError =>
      new UnsupportedStatementError(
        `${what} ${keyspace}.${call.name} is not called by the proxy on the encrypted table ${tableName(table)} (see docs/compatibility.md)`,
      );
    if (rowsOf(aggregates, 'aggregate_name', keyspace, call.name).length > 0)
      throw refuse('the aggregate');
    const type = (text: string): CqlType =>
      parseTypeText(text, (of, name) => unknownUdt(of ?? keyspace, name), keyspace);
    const candidates = rowsOf(functions, 'function_name', keyspace, call.name).map(
      (row): UserFunction => ({
        kind: 'user',
        name: `${keyspace}.${call.name}`,
        keyspace,
        ownName: call.name,
        args: splitList(row('argument_types')).map((text) => type(Buffer.from(text).toString())),
        result: type(Buffer.from(row('return_type')).toString()),
      }),
    );
    const found = resolveUserFunction(candidates, call.args);
    if (found === undefined) return undefined;
    if ([...found.args, found.result].some((one) => udtNames(one).size > 0)) {
      throw refuse('the function with a user type');
    }
    return found;
  };
}

/** Only its name matters: a function that has one is refused. */
function unknownUdt(keyspace: string, name: string): UdtType {
  return { kind: 'udt', keyspace, name, fields: [], frozen: true };
}

/** @throws InvalidRequestError for what only Cassandra could do in one step */
export function requireNoAggregate(found: UserFunction, args: readonly CompiledExpression[]): void {
  if (!args.some(({ hasAggregate }) => hasAggregate)) return;
  throw new InvalidRequestError(
    `${found.name} of an aggregate is not evaluated by the proxy: read the aggregate and call the function on its value`,
  );
}

/** Gives a cell of a row of system_schema. */
type RawRow = (column: string) => Uint8Array;

function rowsOf(
  table: RawTable | undefined,
  nameColumn: string,
  keyspace: string,
  name: string,
): RawRow[] {
  if (table === undefined) return [];
  const at = (column: string): number => table.columns.findIndex((one) => one.name === column);
  const [keyspaceAt, nameAt] = [at('keyspace_name'), at(nameColumn)];
  const text = (cell: Uint8Array | null | undefined): string => Buffer.from(cell ?? []).toString();
  return table.rows
    .filter((row) => text(row[keyspaceAt]) === keyspace && text(row[nameAt]) === name)
    .map((row) => (column) => row[at(column)] ?? new Uint8Array());
}
