import type { TermContext } from '../encryption/index.ts';
import { InvalidRequestError } from '../errors/index.ts';
import type { BoundValue, ColumnSpec } from '../wire/index.ts';
import { checkBoundCount } from './run_write.ts';
import type { Session } from './session.ts';

/** The values of one request, as they were sent. */
export interface RequestValues {
  readonly constants: readonly { readonly text: string }[];
  readonly values: readonly BoundValue[];
  readonly names: readonly string[] | undefined;
}

/** The values of one execution by position; named values are put in order. */
export function termContext(
  session: Session,
  variables: readonly ColumnSpec[],
  execution: RequestValues,
): TermContext {
  const { names, values } = execution;
  return {
    binds: names === undefined ? positional(variables, values) : named(variables, names, values),
    constants: execution.constants,
    functions: session.services.functions,
  };
}

/** Values bound by position. @throws InvalidRequestError unless there are as many as markers. */
export function positional(
  variables: readonly ColumnSpec[],
  values: readonly BoundValue[],
): readonly BoundValue[] {
  checkBoundCount(variables.length, values.length);
  return values;
}

/** Values bound by name, in the order of the markers. @throws InvalidRequestError for a marker without a value. */
export function named(
  variables: readonly ColumnSpec[],
  names: readonly string[],
  values: readonly BoundValue[],
): BoundValue[] {
  const byName = new Map(names.map((name, index) => [name, values[index] as BoundValue]));
  if (values.length < byName.size) checkBoundCount(variables.length, values.length);
  return variables.map((variable) => {
    const value = byName.get(variable.name);
    if (value === undefined) {
      throw new InvalidRequestError(
        `there were ${String(variables.length)} markers(?) in CQL but no value for the marker ${variable.name}`,
      );
    }
    return value;
  });
}
