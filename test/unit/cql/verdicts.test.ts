import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseStatement, statementShape } from '../../../src/cql/index.ts';
import { CqlSyntaxError } from '../../../src/errors/index.ts';

const verdicts = JSON.parse(
  readFileSync(new URL('../../vectors/cql/verdicts.json', import.meta.url), 'utf8'),
) as readonly { readonly cql: string; readonly accepted: boolean }[];

/** Refused by Cassandra while it parses, but only for what it knows of classes, functions and keys. */
const BEYOND_SYNTAX = new Set([
  "SELECT a FROM t WHERE a = ('x') 5",
  'CREATE TABLE t (k int PRIMARY KEY, j int PRIMARY KEY)',
  'GRANT EXECUTE ON FUNCTION ks.f(int, text) TO r',
  'GRANT EXECUTE ON FUNCTION ks.f() TO r',
]);

describe('verdicts of Cassandra 5.0.6', () => {
  it.each(verdicts.filter(({ accepted }) => accepted))('accepts $cql', ({ cql }) => {
    const parsed = parseStatement(cql);
    const { shape, constants } = statementShape(cql);
    expect(parsed.shape).toBe(shape);
    expect(parsed.constants.map(({ type, text }) => ({ type, text }))).toEqual(constants);
    expect(parsed.constants.map(({ index }) => index)).toEqual(constants.map((_, index) => index));
    expect(parsed.bindMarkers.map(({ index }) => index)).toEqual(
      parsed.bindMarkers.map((_, index) => index),
    );
  });

  it.each(verdicts.filter(({ accepted, cql }) => !accepted && !BEYOND_SYNTAX.has(cql)))(
    'refuses $cql',
    ({ cql }) => {
      expect(() => parseStatement(cql)).toThrow(CqlSyntaxError);
    },
  );

  it.each([...BEYOND_SYNTAX])('leaves %s to the planner', (cql) => {
    expect(verdicts.some((verdict) => verdict.cql === cql && !verdict.accepted)).toBe(true);
    expect(() => parseStatement(cql)).not.toThrow();
  });
});
