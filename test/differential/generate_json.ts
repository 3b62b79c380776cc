/** Random INSERT JSON. */
import { quote, randomValue } from './values.ts';
import { tableText, type GenColumn, type GenTable, type Piece, type Statement } from './model.ts';
import type { Prng } from './prng.ts';
import type { GenType, GenValue } from './types.ts';

const BARE = [
  'bigint',
  'boolean',
  'decimal',
  'double',
  'float',
  'int',
  'smallint',
  'tinyint',
  'varint',
];

function plainText(literal: string): string {
  return literal.startsWith("'") ? literal.slice(1, -1).replaceAll("''", "'") : literal;
}

/** A scalar as JSON: a string, or what JSON itself has for it. */
function scalarJson(rng: Prng, name: string, value: GenValue): string {
  const text = plainText(value.literal ?? '');
  const isBare = BARE.includes(name) && !/NaN|Infinity/.test(text) && rng.chance(0.6);
  return isBare ? text : JSON.stringify(text);
}

/** A random value of a type as JSON; null now and then where it may be. */
function randomJson(rng: Prng, type: GenType, depth = 0): string {
  const items = (of: GenType, n: number): string =>
    `[${Array.from({ length: n }, () => randomJson(rng, of, depth + 1)).join(rng.pick([',', ', ']))}]`;
  switch (type.kind) {
    case 'scalar':
      return scalarJson(rng, type.name, randomValue(rng, type));
    case 'list':
    case 'set':
      return items(type.of, rng.int(4));
    case 'vector':
      return items(type.of, type.size);
    case 'tuple':
      return `[${type.of.map((of) => (rng.chance(0.15) ? 'null' : randomJson(rng, of, depth + 1))).join(', ')}]`;
    case 'map': {
      // Two keys that are equal are by chance: one is enough to meet others.
      const key = plainText(randomValue(rng, type.key).literal ?? '');
      if (rng.chance(0.2)) return '{}';
      return `{${JSON.stringify(key)}: ${randomJson(rng, type.of, depth + 1)}}`;
    }
    case 'udt': {
      const fields = type.fields.filter(() => rng.chance(0.8));
      const text = fields.map(
        (field) =>
          `"${field.name}": ${rng.chance(0.15) ? 'null' : randomJson(rng, field.type, depth + 1)}`,
      );
      return `{${rng.shuffle(text).join(', ')}}`;
    }
  }
}

function jsonName(column: GenColumn): string {
  return JSON.stringify(column.text);
}

/** INSERT JSON of a row whose key has a literal; null where none has. */
export function randomInsertJson(rng: Prng, t: GenTable): Statement | null {
  const key = [...t.pk, ...t.ck].map((column, i) => {
    const pool = i < t.pk.length ? t.pkPool[i] : t.ckPool[i - t.pk.length];
    return [column, rng.pick(pool ?? [])] as const;
  });
  if (key.some(([, value]) => value.literal === null)) return null;
  const parts = key.map(
    ([column, value]) =>
      `${jsonName(column)}: ${column.type.kind === 'scalar' ? scalarJson(rng, column.type.name, value) : 'null'}`,
  );
  for (const column of [...t.statics, ...t.regular]) {
    if (rng.chance(0.3)) continue;
    if (rng.chance(0.1)) parts.push(`${jsonName(column)}: null`);
    else parts.push(`${jsonName(column)}: ${randomJson(rng, column.type)}`);
  }
  const json = `{${rng.shuffle(parts).join(', ')}}`;
  const text: Piece = {
    value: { bytes: Buffer.from(json, 'utf8'), literal: quote(json) },
  };
  const tail = rng.pick(['', '', ' DEFAULT NULL', ' DEFAULT UNSET', ' DEFAULT UNSET']);
  const isConditional = t.clock === 'server' && rng.chance(0.1);
  return {
    kind: 'insert json',
    pieces: [
      `INSERT INTO ${tableText(rng, t)} JSON `,
      text,
      `${tail}${isConditional ? ' IF NOT EXISTS' : ''}`,
    ],
    compare: 'rows',
  };
}
