/** Random DDL, reads of the schema, and statements that are wrong on purpose. */
import {
  KS,
  cellTerm,
  tableText,
  term,
  join,
  type GenColumn,
  type GenTable,
  type Piece,
  type Statement,
  type Step,
} from './model.ts';
import { pkRestriction } from './generate_select.ts';
import type { Prng } from './prng.ts';
import {
  NULL_VALUE,
  randomCellType,
  randomColumnType,
  scalar,
  typeText,
  type GenType,
  type GenValue,
} from './types.ts';
import { randomValue } from './values.ts';

function ddl(kind: string, cql: string, onOk?: () => void): Step {
  return { kind, form: 'query', cql, compare: 'rows', ...(onOk === undefined ? {} : { onOk }) };
}

/** ALTER, TRUNCATE, CREATE of what exists, DROP of what does not. */
export function randomDdl(rng: Prng, t: GenTable): Step {
  const at = `${KS}.${t.name}`;
  switch (rng.int(9)) {
    case 0:
    case 1: {
      // Cassandra refuses some user types that were dropped, the proxy takes them back (docs/compatibility.md).
      const backs = t.dropped.filter(({ type }) => type.kind !== 'udt');
      const back = backs.length > 0 && rng.chance(0.5) ? rng.pick(backs) : null;
      const column: GenColumn = back ?? {
        text: `v${t.nextColumn++}`,
        type: t.counters === true ? scalar('counter') : randomColumnType(rng, t.udts),
      };
      return ddl(
        'alter add',
        `ALTER TABLE ${at} ADD ${column.text} ${typeText(column.type, KS)}`,
        () => {
          t.regular = [...t.regular, back === null ? column : { ...column, isAgain: true }];
          t.dropped = t.dropped.filter((c) => c !== back);
        },
      );
    }
    case 2:
    case 3: {
      const column = t.regular.length > 1 ? rng.pick(t.regular) : null;
      if (column === null) return ddl('alter drop unknown', `ALTER TABLE ${at} DROP nothing_here`);
      return ddl('alter drop', `ALTER TABLE ${at} DROP ${column.text}`, () => {
        t.regular = t.regular.filter((c) => c !== column);
        t.dropped = [...t.dropped, column];
      });
    }
    case 4: {
      const [list, i] =
        t.ck.length > 0 && rng.chance(0.6)
          ? ([t.ck, rng.int(t.ck.length)] as const)
          : ([t.pk, rng.int(t.pk.length)] as const);
      const old = list[i] as GenColumn;
      const text =
        `${old.text.replace(/\W/g, '').replace(/r\d*$/, '')}r${t.nextColumn++}`.toLowerCase();
      return ddl('alter rename', `ALTER TABLE ${at} RENAME ${old.text} TO ${text}`, () => {
        list[i] = { ...old, text };
      });
    }
    case 5:
      return ddl(
        'alter with',
        `ALTER TABLE ${at} WITH ${rng.pick([`comment = 'changed ${rng.int(9)}'`, 'gc_grace_seconds = 86400', 'default_time_to_live = 0', 'default_time_to_live = 8000000', `compression = {'enabled': false}`])}`,
      );
    case 6:
      return ddl('truncate', `TRUNCATE ${rng.chance(0.5) ? 'TABLE ' : ''}${at}`);
    case 7: {
      const odd = t.dropped[0];
      if (odd !== undefined)
        return ddl(
          'alter add other type',
          `ALTER TABLE ${at} ADD ${odd.text} ${rng.pick(['int', 'text', 'varint', 'blob', 'frozen<list<int>>'])} `,
          () => {
            // Accepted where Cassandra finds the types compatible: leave the column alone from now on.
            t.dropped = t.dropped.filter((c) => c !== odd);
          },
        );
      return ddl(
        'create existing',
        `CREATE TABLE ${rng.chance(0.5) ? 'IF NOT EXISTS ' : ''}${at} (a int PRIMARY KEY)`,
      );
    }
    default:
      return ddl(
        'drop unknown',
        rng.pick([
          `DROP TABLE ${KS}.nothing_here`,
          `DROP TABLE IF EXISTS ${KS}.nothing_here`,
          `DROP TYPE ${KS}.nothing_here`,
          `DROP TYPE IF EXISTS ${KS}.nothing_here`,
          `DROP KEYSPACE IF EXISTS nothing_here_at_all`,
          'DROP KEYSPACE nothing_here_at_all',
        ]),
      );
  }
}

/** What the schema tables say of the table. */
export function schemaRead(rng: Prng, t: GenTable): Step {
  const where = `WHERE keyspace_name = '${KS}' AND table_name = '${t.name}'`;
  const cql = rng.pick([
    `SELECT * FROM system_schema.columns ${where}`,
    `SELECT table_name, comment, default_time_to_live, gc_grace_seconds, flags FROM system_schema.tables ${where}`,
    `SELECT keyspace_name, table_name, column_name, kind, type FROM system_schema.dropped_columns ${where}`,
    // Types of the other tables may change meanwhile.
    `SELECT * FROM system_schema.types WHERE keyspace_name = '${KS}' AND type_name = '${t.ownType?.type.name ?? 'udt0'}'`,
    `SELECT * FROM system_schema.keyspaces WHERE keyspace_name = '${KS}'`,
    `DESCRIBE TABLE ${KS}.${t.name}`,
    `DESCRIBE TYPES`,
  ]);
  return {
    kind: 'schema read',
    form: cql.startsWith('SELECT') && rng.chance(0.5) ? 'prepared' : 'query',
    cql,
    compare: cql === 'DESCRIBE TYPES' ? 'metadata' : 'rows',
  };
}

function pkEquals(rng: Prng, t: GenTable): Piece[] {
  return pkRestriction(rng, t, false).pieces;
}

function rowEquals(t: GenTable, values: readonly GenValue[]): Piece[] {
  return join(
    [...t.pk, ...t.ck].map((c, i) => [`${c.text} = `, term(values[i] as GenValue)]),
    ' AND ',
  );
}

function wrongLiteral(rng: Prng, type: GenType): string {
  const text = rng.pick([
    `'not a value'`,
    '12.5',
    'true',
    '0xzz',
    `[1, 'a']`,
    '{1: 2}',
    // Of an odd number of digits: an even one is the bytes of a list for Cassandra, as hex is.
    '9999999999999999999',
    '0x01',
    `'2020-13-45'`,
    '(1, 2)',
    '1mo',
  ]);
  return type.kind === 'scalar' && type.name === 'boolean' && text === 'true' ? '1' : text;
}

/** A statement that should be refused, or be on the edge of it. */
export function randomInvalid(rng: Prng, t: GenTable): Statement {
  const at = tableText(rng, t);
  const key = [...t.pkPool, ...t.ckPool].map((p) => rng.pick(p));
  const names = [...t.pk, ...t.ck].map((c) => c.text);
  const cell = t.regular[0];
  const make = (pieces: Piece[]): Statement => ({ kind: 'invalid', pieces, compare: 'error_only' });
  const choices: (() => Piece[] | null)[] = [
    () => [`SELECT nothing_here FROM ${at}`],
    () => [`SELECT * FROM ${KS}.nothing_here`],
    () => ['SELECT * FROM nothing_here_at_all.t'],
    () => [
      `INSERT INTO ${at} (nothing_here, ${names.join(', ')}) VALUES (1, `,
      ...join(
        key.map((v) => [term(v)]),
        ', ',
      ),
      ')',
    ],
    () => [
      `INSERT INTO ${at} (${names.slice(1).join(', ') || 'nothing_here'}) VALUES (`,
      ...join(
        (key.length > 1 ? key.slice(1) : key).map((v) => [term(v)]),
        ', ',
      ),
      ')',
    ],
    () => [
      `INSERT INTO ${at} (${names.join(', ')}) VALUES (`,
      ...join(
        key.slice(1).map((v) => [term(v)]),
        ', ',
      ),
      ')',
    ],
    () => [
      `INSERT INTO ${at} (${[...names, names[0] ?? ''].join(', ')}) VALUES (`,
      ...join(
        [...key, key[0] as GenValue].map((v) => [term(v)]),
        ', ',
      ),
      ')',
    ],
    () => {
      const i = rng.int(key.length);
      const values = key.map((v, n): Piece =>
        n === i
          ? {
              value: rng.chance(0.5) ? NULL_VALUE : 'unset',
              ...(rng.chance(0.5) ? { force: 'bound' as const } : {}),
            }
          : term(v),
      );
      return [
        `INSERT INTO ${at} (${names.join(', ')}) VALUES (`,
        ...join(
          values.map((v) => [v]),
          ', ',
        ),
        ')',
      ];
    },
    () => {
      const column = rng.pick([...t.pk, ...t.ck, ...t.regular]);
      const others = names.filter((n) => n !== column.text);
      const values = key.filter((_, i) => names[i] !== column.text);
      return [
        `INSERT INTO ${at} (${[...others, column.text].join(', ')}) VALUES (`,
        ...join([...values.map((v) => [term(v)]), [wrongLiteral(rng, column.type)]], ', '),
        ')',
      ];
    },
    () => {
      const column = rng.pick([...t.pk, ...t.ck, ...t.regular]);
      const others = names.filter((n) => n !== column.text);
      const values = key.filter((_, i) => names[i] !== column.text);
      const junk: Piece = {
        value: { bytes: rng.bytes(rng.pick([1, 2, 3, 5, 7, 9, 15, 17])), literal: null },
        force: 'bound',
      };
      return [
        `INSERT INTO ${at} (${[...others, column.text].join(', ')}) VALUES (`,
        ...join([...values.map((v) => [term(v)]), [junk]], ', '),
        ')',
      ];
    },
    () =>
      cell === undefined
        ? null
        : [
            `UPDATE ${at} SET ${cell.text} = `,
            cellTerm(rng, cell.type, false),
            ' WHERE ',
            ...(t.pk.length > 1
              ? [`${t.pk[0]?.text ?? ''} = `, term(key[0] as GenValue)]
              : [`${cell.text} = `, cellTerm(rng, cell.type, false)]),
          ],
    () =>
      cell === undefined || t.ck.length === 0
        ? null
        : [
            `UPDATE ${at} SET ${cell.text} = `,
            cellTerm(rng, cell.type, false),
            ' WHERE ',
            ...pkEquals(rng, t),
          ],
    () => [
      `UPDATE ${at} SET ${names[0] ?? ''} = `,
      term(key[0] as GenValue),
      ' WHERE ',
      ...rowEquals(t, key),
    ],
    () =>
      t.ck.length === 0 || cell === undefined
        ? null
        : [
            `DELETE ${cell.text} FROM ${at} WHERE `,
            ...pkEquals(rng, t),
            ` AND ${t.ck[0]?.text ?? ''} > `,
            term(rng.pick(t.ckPool[0] ?? [])),
          ],
    () => [`DELETE ${names[0] ?? ''} FROM ${at} WHERE `, ...rowEquals(t, key)],
    () => [
      `SELECT * FROM ${at} WHERE ${names[0] ?? ''} ${rng.pick(['>', '<=', '!='])} `,
      term(key[0] as GenValue),
    ],
    () =>
      cell === undefined
        ? null
        : [`SELECT * FROM ${at} WHERE ${cell.text} = `, term(randomValue(rng, cell.type))],
    () =>
      t.ck.length === 0
        ? null
        : [
            `SELECT * FROM ${at} WHERE ${t.ck[0]?.text ?? ''} = `,
            term(rng.pick(t.ckPool[0] ?? [])),
          ],
    () =>
      t.ck.length < 2
        ? null
        : [
            `SELECT * FROM ${at} WHERE `,
            ...pkEquals(rng, t),
            ` AND ${t.ck[1]?.text ?? ''} = `,
            term(rng.pick(t.ckPool[1] ?? [])),
          ],
    () =>
      t.ck.length < 2
        ? null
        : [
            `SELECT * FROM ${at} WHERE `,
            ...pkEquals(rng, t),
            ` AND ${t.ck[0]?.text ?? ''} > `,
            term(rng.pick(t.ckPool[0] ?? [])),
            ` AND ${t.ck[1]?.text ?? ''} = `,
            term(rng.pick(t.ckPool[1] ?? [])),
          ],
    () => [
      `SELECT * FROM ${at} WHERE `,
      ...pkEquals(rng, t),
      ` LIMIT ${rng.pick(['0', '-1', 'null', `'a'`, '99999999999'])}`,
    ],
    () => [`SELECT * FROM ${at} WHERE `, ...pkEquals(rng, t), ` AND `, ...pkEquals(rng, t)],
    () => [
      `SELECT * FROM ${at} WHERE `,
      ...pkEquals(rng, t),
      ` ORDER BY ${rng.pick([cell?.text ?? 'x', names[0] ?? '', t.ck[1]?.text ?? 'nothing_here'])} ASC`,
    ],
    () => (t.ck.length === 0 ? null : [`SELECT * FROM ${at} ORDER BY ${t.ck[0]?.text ?? ''} ASC`]),
    () => (cell === undefined ? null : [`SELECT DISTINCT ${cell.text} FROM ${at}`]),
    () => [`SELECT writetime(${names[0] ?? ''}) FROM ${at}`],
    () =>
      cell === undefined
        ? null
        : [
            `INSERT INTO ${at} (${[...names, cell.text].join(', ')}) VALUES (`,
            ...join([...key.map((v) => [term(v)]), [cellTerm(rng, cell.type, false)]], ', '),
            `) USING TTL ${rng.pick(['-1', '630720001', 'null', `'a'`])}`,
          ],
    () => [
      `INSERT INTO ${at} (${names.join(', ')}) VALUES (`,
      ...join(
        key.map((v) => [term(v)]),
        ', ',
      ),
      ') IF NOT EXISTS USING TIMESTAMP 5',
    ],
    () => [`UPDATE ${at} SET WHERE `, ...rowEquals(t, key)],
    () => [
      rng.pick([
        'SELEC * FROM x',
        `SELECT * FROM ${at} WHERE`,
        `INSERT INTO ${at} VALUES (1)`,
        '',
        ';',
        `SELECT * FROM ${at};;`,
        `DROP TABLE`,
        `SELECT 'a FROM ${at}`,
        `USE`,
        `SELECT * FROM ${at} -- comment`,
        `/* a */ SELECT * FROM ${at} WHERE 1 = 1`,
      ]),
    ],
    () => [`TRUNCATE ${KS}.nothing_here`],
    () => [`ALTER TABLE ${KS}.${t.name} ADD ${names[0] ?? ''} int`],
    () => [`ALTER TABLE ${KS}.${t.name} DROP ${names[0] ?? ''}`],
    () => [`ALTER TABLE ${KS}.${t.name} RENAME ${cell?.text ?? 'x'} TO y`],
    () => [
      `CREATE TABLE ${KS}.bad_${rng.int(99)} (${rng.pick(['a int', 'a int, PRIMARY KEY (b)', 'a nothing_here PRIMARY KEY', 'a list<int> PRIMARY KEY', 'a duration PRIMARY KEY', 'a int PRIMARY KEY, b int static', 'a int PRIMARY KEY, a int', 'a int, b int, PRIMARY KEY (a, a)', 'a counter PRIMARY KEY', 'a int, b int, PRIMARY KEY ((a), b)) WITH CLUSTERING ORDER BY (a DESC'])})`,
    ],
    () => [
      `CREATE KEYSPACE ${KS} WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}`,
    ],
    () => [`BEGIN BATCH SELECT * FROM ${at}; APPLY BATCH`],
    () => [
      `BEGIN BATCH USING TIMESTAMP 5 INSERT INTO ${at} (${names.join(', ')}) VALUES (`,
      ...join(
        key.map((v) => [term(v)]),
        ', ',
      ),
      ') USING TIMESTAMP 6; APPLY BATCH',
    ],
    () => ['USE nothing_here_at_all'],
  ];
  for (;;) {
    const pieces = rng.pick(choices)();
    if (pieces !== null) return make(pieces);
  }
}

/** Too few or too many values, or an id nobody prepared. */
export function wrongValues(rng: Prng, t: GenTable): Step {
  const values = Array.from({ length: rng.pick([0, t.pk.length + 1, t.pk.length + 2]) }, () =>
    rng.bytes(4),
  );
  const cql = `SELECT * FROM ${KS}.${t.name} WHERE ${t.pk.map((c) => `${c.text} = ?`).join(' AND ')}`;
  return {
    kind: 'invalid values',
    form: rng.chance(0.5) ? 'query' : 'prepared',
    cql,
    values,
    compare: 'error_only',
  };
}

/** CREATE TYPE statements of a keyspace, and the types they make. */
export function randomUdts(rng: Prng): { types: GenType[]; cql: string[] } {
  const types: GenType[] = [];
  const cql: string[] = [];
  for (let i = 0; i < 3; i++) {
    const fields = Array.from({ length: rng.between(1, 4) }, (_, n) => ({
      name: `f${n}`,
      type: n === 0 ? scalar(rng.pick(['int', 'text', 'decimal'])) : randomCellType(rng, types, 1),
    }));
    const name = `udt${i}`;
    cql.push(
      `CREATE TYPE ${KS}.${name} (${fields.map((f) => `${f.name} ${typeText(f.type, KS)}`).join(', ')})`,
    );
    types.push({ kind: 'udt', name, fields });
  }
  return { types, cql };
}
