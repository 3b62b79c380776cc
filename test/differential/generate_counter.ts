/** Random statements on counter tables: increments, deletes, counter batches, reads, and what Cassandra refuses. */
import { randomDdl, schemaRead } from './generate_other.ts';
import { randomSelect } from './generate_select.ts';
import { rowWhere } from './generate_write.ts';
import {
  concretise,
  join,
  render,
  tableText,
  term,
  type GenColumn,
  type GenTable,
} from './model.ts';
import type { Piece, Statement, Step, Term } from './model.ts';
import type { Prng } from './prng.ts';

/** Whether a table has counters. */
export function isCounterTable(t: GenTable): boolean {
  return t.counters === true;
}

/** The next step for a counter table. */
export function nextCounterStep(rng: Prng, t: GenTable, v4: boolean): Step {
  const dice = rng.int(1000);
  // No DELETE: a counter that was deleted is used again through the proxy only (docs/compatibility.md).
  if (dice < 470) return concretise(rng, increment(rng, t, v4));
  if (dice < 570) return counterBatch(rng, t, v4);
  if (dice < 890) return concretise(rng, randomSelect(rng, t));
  if (dice < 960) return concretise(rng, refused(rng, t));
  if (dice < 980) return schemaRead(rng, t);
  return randomDdl(rng, t);
}

function amount(rng: Prng, v4: boolean): Term {
  if (v4 && rng.chance(0.04)) return { value: 'unset', force: 'bound' };
  if (rng.chance(0.02)) return { value: { bytes: null, literal: null }, force: 'bound' };
  const value = rng.chance(0.1)
    ? rng.pick([2n ** 63n - 1n, -(2n ** 63n), 2n ** 62n, -1n])
    : BigInt(rng.between(-9, 999));
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(value);
  // `c = c -5` without a plus is another form; a bound one is the same for both.
  return term({ bytes, literal: String(value) });
}

function assignment(rng: Prng, column: GenColumn, v4: boolean): Piece[] {
  const { text } = column;
  const operator = rng.chance(0.3) ? '-' : '+';
  const head = rng.chance(0.3) ? `${text} ${operator}= ` : `${text} = ${text} ${operator} `;
  return [head, amount(rng, v4)];
}

function increment(rng: Prng, t: GenTable, v4: boolean): Statement {
  const cells = [...t.statics, ...t.regular];
  const chosen = cells.length === 0 ? [] : rng.sample(cells, rng.between(1, cells.length));
  const withCk = chosen.length === 0 || chosen.some((c) => !t.statics.includes(c));
  return {
    kind: 'counter update',
    pieces: [
      `UPDATE ${tableText(rng, t)} SET `,
      ...(chosen.length === 0
        ? ['nothing_here = nothing_here + 1']
        : join(
            chosen.map((c) => assignment(rng, c, v4)),
            ', ',
          )),
      ' WHERE ',
      ...rowWhere(rng, t, undefined, withCk),
    ],
    compare: 'rows',
  };
}

function counterBatch(rng: Prng, t: GenTable, v4: boolean): Step {
  const children = Array.from({ length: rng.between(1, 5) }, () => increment(rng, t, v4));
  const type = rng.pick(['COUNTER ', 'COUNTER ', 'COUNTER ', 'UNLOGGED ', '']);
  if (rng.chance(0.5)) {
    const pieces: Piece[] = [`BEGIN ${type}BATCH`];
    for (const child of children) pieces.push(' ', ...child.pieces, ';');
    pieces.push(' APPLY BATCH');
    const mode = rng.pick(['literal', 'bound', 'prepared', 'mixed'] as const);
    const { cql, values } = render(rng, pieces, mode);
    return {
      kind: 'counter batch text',
      form: mode === 'literal' || mode === 'bound' ? 'query' : 'prepared',
      cql,
      ...(values.length > 0 ? { values } : {}),
      compare: 'rows',
    };
  }
  return {
    kind: 'counter batch message',
    form: 'batch',
    cql: `batch ${type}`,
    batchKind: type === '' ? 0 : type === 'UNLOGGED ' ? 1 : 2,
    children: children.map((child) => {
      const prepared = rng.chance(0.6);
      const { cql, values } = render(rng, child.pieces, prepared ? 'prepared' : 'literal');
      return { cql, prepared, values };
    }),
    compare: 'rows',
  };
}

function refused(rng: Prng, t: GenTable): Statement {
  const column = t.regular[0]?.text ?? t.statics[0]?.text ?? 'nothing_here';
  const where: Piece[] = [' WHERE ', ...rowWhere(rng, t, undefined, true)];
  const table = tableText(rng, t);
  const pieces: Piece[] = rng.pick([
    [`UPDATE ${table} SET ${column} = 5`, ...where],
    [`UPDATE ${table} SET ${column} = null`, ...where],
    [`UPDATE ${table} SET ${column} = ${column} + 'x'`, ...where],
    [`UPDATE ${table} USING TTL 100 SET ${column} = ${column} + 1`, ...where],
    [`UPDATE ${table} USING TIMESTAMP 100 SET ${column} = ${column} + 1`, ...where],
    [`UPDATE ${table} SET ${column} = ${column} + 1`, ...where, ' IF EXISTS'],
    [`UPDATE ${table} SET ${column} = ${column} + 1`, ...where, ` IF ${column} = 1`],
    [`DELETE FROM ${table} USING TIMESTAMP 5`, ...where],
    [`UPDATE ${table} SET ${column} = ${column} - -9223372036854775808`, ...where],
  ]);
  return { kind: 'counter refused', pieces, compare: 'rows' };
}
