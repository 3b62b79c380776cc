/** A user type of a table's own, which is altered while rows of it are written and read. */
import { KS, type GenTable, type Step } from './model.ts';
import type { Prng } from './prng.ts';
import { randomCellType, scalar, typeText, type GenType } from './types.ts';

/** A user type that belongs to one table; `fields` change as ALTER TYPE succeeds. */
export interface OwnType {
  readonly type: Extract<GenType, { readonly kind: 'udt' }>;
  readonly fields: { name: string; type: GenType }[];
  nextField: number;
}

/** A new type for table `table`. */
export function ownType(rng: Prng, table: string): OwnType {
  const fields = Array.from({ length: rng.between(1, 3) }, (_, n) => ({
    name: `g${n}`,
    type: n === 0 ? scalar(rng.pick(['int', 'text'])) : randomCellType(rng, [], 1),
  }));
  return { type: { kind: 'udt', name: `${table}_type`, fields }, fields, nextField: 10 };
}

/** CREATE TYPE of it. */
export function createType({ type }: OwnType): Step {
  const fields = type.fields.map((field) => `${field.name} ${typeText(field.type, KS)}`);
  return {
    kind: 'create type',
    form: 'query',
    cql: `CREATE TYPE ${KS}.${type.name} (${fields.join(', ')})`,
    compare: 'rows',
  };
}

/** ALTER TYPE: a field more, another name, or what is refused. Null when the table has no type. */
export function randomTypeChange(rng: Prng, t: GenTable): Step | null {
  const own = t.ownType;
  if (own === undefined) return null;
  const at = `${KS}.${own.type.name}`;
  const change = (cql: string, onOk?: () => void): Step => ({
    kind: 'alter type',
    form: 'query',
    cql,
    compare: 'rows',
    ...(onOk === undefined ? {} : { onOk }),
  });
  const name = `g${own.nextField++}`;
  const dice = rng.int(10);
  if (dice < 5 && own.fields.length < 8) {
    const field = { name, type: randomCellType(rng, [], 1) };
    const cql = `ALTER TYPE ${at} ADD ${rng.chance(0.2) ? 'IF NOT EXISTS ' : ''}${name} ${typeText(field.type, KS)}`;
    return change(cql, () => {
      own.fields.push(field);
    });
  }
  if (dice < 8) {
    const index = rng.int(own.fields.length);
    const field = own.fields[index];
    if (field === undefined) return null;
    return change(`ALTER TYPE ${at} RENAME ${field.name} TO ${name}`, () => {
      own.fields[index] = { ...field, name };
    });
  }
  return change(
    rng.pick([
      `ALTER TYPE ${at} ADD ${own.fields[0]?.name ?? 'g0'} int`,
      `ALTER TYPE ${at} ADD IF NOT EXISTS ${own.fields[0]?.name ?? 'g0'} int`,
      `ALTER TYPE ${at} RENAME nothing_here TO nothing_there`,
      `ALTER TYPE ${at} RENAME IF EXISTS nothing_here TO nothing_there`,
      `ALTER TYPE ${KS}.nothing_here ADD a int`,
      `ALTER TYPE IF EXISTS ${KS}.nothing_here ADD a int`,
      `DROP TYPE ${at}`,
    ]),
  );
}
