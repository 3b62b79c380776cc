/** Random IF clauses: EXISTS, conditions on columns, on elements and on fields. */
import { inPieces } from './generate_select.ts';
import { join, term, type GenColumn, type GenTable, type Piece, type Term } from './model.ts';
import type { Prng } from './prng.ts';
import { NULL_VALUE, isMulti } from './types.ts';
import type { GenType, GenValue } from './types.ts';
import { randomValue } from './values.ts';

const REMEMBERED = 6;

/** Keeps a value that a statement writes to a column, so that conditions meet it. */
export function remember(t: GenTable, column: GenColumn, written: Term): Term {
  const { value } = written;
  if (value === 'unset' || value.bytes === null) return written;
  if (value.bytes.length === 0) t.emptied.add(column.text);
  const known = t.written.get(column.text) ?? [];
  t.written.set(column.text, [value, ...known].slice(0, REMEMBERED));
  return written;
}

function valueOf(rng: Prng, t: GenTable, column: GenColumn): GenValue {
  const known = t.written.get(column.text) ?? [];
  if (rng.chance(0.06)) return NULL_VALUE;
  return known.length > 0 && rng.chance(0.7) ? rng.pick(known) : randomValue(rng, column.type);
}

const OPERATORS = ['=', '=', '!=', '<', '<=', '>', '>='];
const EQUALITY = ['=', '=', '!='];
/** Keys by which the proxy and Cassandra order the values of maps alike (docs/compatibility.md). */
const BYTE_ORDER = ['text', 'ascii', 'blob'];

function operators(type: GenType): readonly string[] {
  return type.kind === 'scalar' && type.name === 'duration' ? EQUALITY : OPERATORS;
}

function compared(rng: Prng, head: Piece[], type: GenType, allowed: readonly string[]): Piece[] {
  const value = (): GenValue => (rng.chance(0.06) ? NULL_VALUE : randomValue(rng, type));
  if (rng.chance(0.12)) {
    const values = Array.from({ length: rng.between(1, 3) }, () => randomValue(rng, type));
    return [...head, ...inPieces(rng, '', values)];
  }
  return [...head, ` ${rng.pick(allowed)} `, term(value())];
}

function intTerm(n: number): Piece {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(n);
  return term({ bytes, literal: String(n) });
}

/** A condition on an element or a field of a column; null where it has none. */
function partCondition(rng: Prng, { type, text }: GenColumn): Piece[] | null {
  switch (type.kind) {
    case 'list':
      return compared(rng, [`${text}[`, intTerm(rng.int(3)), ']'], type.of, operators(type.of));
    case 'map': {
      const { key } = type;
      const isByBytes = key.kind === 'scalar' && BYTE_ORDER.includes(key.name);
      const head: Piece[] = [`${text}[`, term(randomValue(rng, key)), ']'];
      return compared(rng, head, type.of, isByBytes ? operators(type.of) : EQUALITY);
    }
    case 'udt': {
      // Fields of a frozen user type can be compared as well.
      const field = rng.pick(type.fields);
      return compared(rng, [`${text}.${field.name}`], field.type, operators(field.type));
    }
    default:
      return null;
  }
}

function contains(rng: Prng, { type, text }: GenColumn): Piece[] | null {
  if (type.kind === 'map' && rng.chance(0.4))
    return [`${text} CONTAINS KEY `, term(randomValue(rng, type.key))];
  if (type.kind === 'list' || type.kind === 'set' || type.kind === 'map')
    return [`${text} CONTAINS `, term(randomValue(rng, type.of))];
  return null;
}

/** One condition on a column. */
function condition(rng: Prng, t: GenTable, column: GenColumn): Piece[] {
  const { text, type } = column;
  if (rng.chance(0.35)) {
    const part = partCondition(rng, column);
    if (part !== null) return part;
  }
  if (rng.chance(0.15)) {
    const pieces = contains(rng, column);
    if (pieces !== null) return pieces;
  }
  if (rng.chance(0.12)) {
    const values = Array.from({ length: rng.between(1, 3) }, () => valueOf(rng, t, column));
    return inPieces(rng, text, values);
  }
  // Most of them hold now and then: null of a column that is not set.
  if (rng.chance(0.15)) return [`${text} ${rng.pick(['=', '!='])} `, term(NULL_VALUE)];
  const allowed = isMulti(type) && type.kind === 'udt' ? EQUALITY : operators(type);
  return [`${text} ${rng.pick(allowed)} `, term(valueOf(rng, t, column))];
}

/** The IF of an UPDATE or DELETE: of a row, or of the static columns of a partition. */
export function conditions(rng: Prng, t: GenTable, onlyStatic: boolean): Piece[] {
  const columns = onlyStatic ? t.statics : [...t.statics, ...t.regular];
  if (columns.length === 0 || rng.chance(0.3)) return [' IF EXISTS'];
  const chosen = Array.from({ length: rng.pick([1, 1, 1, 2, 3]) }, () => rng.pick(columns));
  return [
    ' IF ',
    ...join(
      chosen.map((column) => condition(rng, t, column)),
      ' AND ',
    ),
  ];
}
