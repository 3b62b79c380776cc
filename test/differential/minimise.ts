/** Shortens the statements before a failure to those it needs. */
import { replayDiffers, type RunSettings, type TableFailure } from './run_table.ts';
import type { Step } from './model.ts';

/** Tries at most `budget` replays; the first steps (CREATE TYPE, CREATE TABLE, USE) and the last stay. Null: it did not happen again. */
export async function minimise(
  settings: RunSettings,
  failure: TableFailure,
  table: string,
  budget = 60,
): Promise<Step[] | null> {
  const first = failure.steps[0]?.kind === 'create type' ? 3 : 2;
  const head = failure.steps.slice(0, first);
  const last = failure.steps[failure.steps.length - 1] as Step;
  if (failure.steps.length <= first) return [...failure.steps];
  let body = failure.steps.slice(first, -1);
  let left = budget;
  const fails = async (candidate: readonly Step[]): Promise<boolean> => {
    left--;
    return replayDiffers(settings, table, failure.version, [...head, ...candidate, last]);
  };
  if (!(await fails(body))) return null;
  for (
    let chunk = Math.ceil(body.length / 2);
    chunk >= 1 && left > 0;
    chunk = chunk === 1 ? 0 : Math.ceil(chunk / 2)
  ) {
    for (let at = 0; at < body.length && left > 0;) {
      const without = [...body.slice(0, at), ...body.slice(at + chunk)];
      if (await fails(without)) body = without;
      else at += chunk;
    }
  }
  return [...head, ...body, last];
}

/** A step as text for people. */
export function stepText(step: Step): string {
  const value = (v: Uint8Array | null | 'unset'): string =>
    v === null ? 'null' : v === 'unset' ? 'unset' : `0x${Buffer.from(v).toString('hex')}`;
  const extras = [
    step.names === undefined ? '' : `names ${step.names.join()}`,
    step.pageSize === undefined ? '' : `page ${step.pageSize}`,
    step.timestamp === undefined ? '' : `timestamp ${step.timestamp}`,
    step.skipMetadata === true ? 'skip metadata' : '',
  ].filter((t) => t !== '');
  const values = step.values === undefined ? '' : ` [${step.values.map(value).join(', ')}]`;
  const children = (step.children ?? [])
    .map(
      (c) =>
        `\n      ${c.prepared ? 'prepared' : 'text'} ${c.cql} [${c.values.map(value).join(', ')}]`,
    )
    .join('');
  return `${step.form} ${step.cql}${values}${extras.length > 0 ? ` (${extras.join('; ')})` : ''}${children}`;
}
