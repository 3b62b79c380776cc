/** Sends fresh markers through every statement form, in every kind of column. */
import type { Endpoint } from '../support/endpoint.ts';
import { RawClient } from '../support/raw_client.ts';
import type { RawResult } from '../support/raw_codec.ts';
import { at, CLUSTERING, PARTITION, REGULAR, STATIC, type Column } from './marker_columns.ts';
import { MarkerMaker, type Marker, type MarkerKind } from './markers.ts';

interface Cell {
  readonly name: string;
  readonly bytes: Buffer;
  readonly literal: string;
}

/** What was written. */
export interface Written {
  readonly markers: readonly Marker[];
  /** Rows that a full read gave, all pages. */
  readonly rows: number;
  /** Values of markers seen in that read: shows that the writes arrived. */
  readonly readBack: number;
  /** Statements sent. */
  readonly statements: number;
}

/** Creates `keyspace` at the endpoint and sends every form. @throws TypeError when a statement that must work does not. */
export async function writeMarkers(endpoint: Endpoint, keyspace: string): Promise<Written> {
  const client = await RawClient.connect(endpoint);
  try {
    const writer = new Writer(client, `${keyspace}.marked`);
    await writer.schema(keyspace);
    await writer.view();
    await writer.inserts();
    await writer.insertsOfJson();
    await writer.functions();
    await writer.updates();
    await writer.elements();
    await writer.deletes();
    await writer.batches();
    await writer.counters(keyspace);
    await writer.selects();
    await writer.refused();
    const seen = await writer.readBack();
    return { markers: writer.maker.markers, ...seen, statements: writer.statements };
  } finally {
    client.close();
  }
}

class Writer {
  readonly maker = new MarkerMaker();
  statements = 0;
  private readonly client: RawClient;
  private readonly table: string;

  constructor(client: RawClient, table: string) {
    this.client = client;
    this.table = table;
  }

  async schema(keyspace: string): Promise<void> {
    const all = (columns: readonly Column[], after = ''): string[] =>
      columns.map((c) => `${c.name} ${c.type.replace('pair', `${keyspace}.pair`)}${after}`);
    const columns = [
      ...all(PARTITION),
      ...all(CLUSTERING),
      ...all(STATIC, ' static'),
      ...all(REGULAR),
    ];
    await this.must(`DROP KEYSPACE IF EXISTS ${keyspace}`);
    await this.must(
      `CREATE KEYSPACE ${keyspace} WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}`,
    );
    await this.must(`CREATE TYPE ${keyspace}.pair (a text, b uuid)`);
    await this.must(
      `CREATE TABLE ${this.table} (${columns.join(', ')}, PRIMARY KEY ((${names(PARTITION)}), ${names(CLUSTERING)})) WITH compression = {'enabled': false}`,
    );
    for (const target of ['v_text', 's_text', 'v_blob', 'full(f_list)', 'p_text', 'c_uuid']) {
      await this.must(`CREATE INDEX ON ${this.table} (${target})`);
    }
    for (const target of ['v_text', 'v_big', 'v_decimal']) {
      await this.must(`CREATE CUSTOM INDEX ON ${this.table} (${target}) USING 'sai'`);
    }
  }

  /** A view with a marker column in its key. */
  async view(): Promise<void> {
    const keys = [...PARTITION, ...CLUSTERING].map((c) => c.name);
    const where = [...keys, 'v_text'].map((name) => `${name} IS NOT NULL`).join(' AND ');
    await this.must(
      `CREATE MATERIALIZED VIEW ${this.table}_view AS SELECT ${[...keys, 'v_text', 'v_blob', 'f_list'].join(', ')} FROM ${this.table} WHERE ${where} PRIMARY KEY ((${names(PARTITION)}), v_text, ${names(CLUSTERING)}) WITH compression = {'enabled': false}`,
    );
  }

  async inserts(): Promise<void> {
    const all = [...PARTITION, ...CLUSTERING, ...STATIC, ...REGULAR];
    const insert = (cells: readonly Cell[], values: string): string =>
      `INSERT INTO ${this.table} (${cells.map((c) => c.name).join(', ')}) VALUES (${values})`;
    const marks = (cells: readonly Cell[]): string => cells.map(() => '?').join(', ');
    const literals = (cells: readonly Cell[]): string => cells.map((c) => c.literal).join(', ');
    const values = (cells: readonly Cell[]): Buffer[] => cells.map((c) => c.bytes);
    for (const tracing of [false, true]) {
      const t = tracing ? ', traced' : '';
      let cells = this.cells(`INSERT literal${t}`, all);
      await this.must(insert(cells, literals(cells)), { tracing });
      cells = this.cells(`INSERT bound${t}`, all);
      await this.must(insert(cells, marks(cells)), { tracing, values: values(cells) });
      cells = this.cells(`INSERT named${t}`, all);
      await this.must(insert(cells, cells.map((c) => `:${c.name}`).join(', ')), {
        tracing,
        values: values(cells),
        names: cells.map((c) => c.name),
      });
      cells = this.cells(`INSERT prepared${t}`, all);
      await this.execute(insert(cells, marks(cells)), values(cells), tracing);
      cells = this.cells(`INSERT, literals in PREPARE${t}`, all);
      await this.execute(insert(cells, literals(cells)), [], tracing);
    }
    let cells = this.cells('PREPARE with literals, not executed', all);
    await this.prepare(insert(cells, literals(cells)));
    cells = this.cells('INSERT IF NOT EXISTS literal', all);
    await this.must(`${insert(cells, literals(cells))} IF NOT EXISTS`);
    cells = this.cells('INSERT IF NOT EXISTS prepared', all);
    await this.execute(`${insert(cells, marks(cells))} IF NOT EXISTS`, values(cells));
    cells = this.cells('INSERT USING TTL', all);
    await this.must(`${insert(cells, literals(cells))} USING TTL 100000 AND TIMESTAMP 1000`);
    cells = this.cells('INSERT of statics only', [...PARTITION, ...STATIC]);
    await this.must(insert(cells, literals(cells)));
  }

  async insertsOfJson(): Promise<void> {
    // Types whose JSON is a string or may be one.
    const all = [...PARTITION, ...CLUSTERING, ...STATIC, ...REGULAR].filter(
      (c) => c.build === undefined,
    );
    const json = (cells: readonly Cell[]): string =>
      JSON.stringify(
        Object.fromEntries(cells.map((c) => [c.name, c.literal.replace(/^'|'$/g, '')])),
      );
    for (const tracing of [false, true]) {
      const t = tracing ? ', traced' : '';
      let cells = this.cells(`INSERT JSON literal${t}`, all);
      await this.must(`INSERT INTO ${this.table} JSON '${json(cells)}'`, { tracing });
      cells = this.cells(`INSERT JSON bound${t}`, all);
      await this.must(`INSERT INTO ${this.table} JSON ?`, {
        tracing,
        values: [Buffer.from(json(cells))],
      });
      cells = this.cells(`INSERT JSON prepared${t}`, all);
      await this.execute(
        `INSERT INTO ${this.table} JSON ? DEFAULT UNSET`,
        [Buffer.from(json(cells))],
        tracing,
      );
      cells = this.cells(`INSERT JSON, literal in PREPARE${t}`, all);
      await this.execute(`INSERT INTO ${this.table} JSON '${json(cells)}'`, [], tracing);
    }
    let cells = this.cells('INSERT JSON IF NOT EXISTS', all);
    await this.must(`INSERT INTO ${this.table} JSON '${json(cells)}' IF NOT EXISTS`);
    cells = this.cells('INSERT JSON in a batch', all);
    await this.must(
      `BEGIN BATCH INSERT INTO ${this.table} JSON '${json(cells)}' USING TTL 100000; APPLY BATCH`,
    );
  }

  /** Markers as arguments of functions, in values and in keys. */
  async functions(): Promise<void> {
    for (const tracing of [false, true]) {
      const t = tracing ? ', traced' : '';
      const key = this.cells(`functions${t}, key`, [...PARTITION, ...CLUSTERING]);
      const make = (name: string): Marker =>
        this.maker.make(`functions${t}, ${name}`, 'text', true);
      const [a, b, c, d] = [make('joined'), make('bytes'), make('from JSON'), make('masked')];
      await this.must(
        `INSERT INTO ${this.table} (${key.map((cell) => cell.name).join(', ')}, v_text, v_blob, s_text, s_blob) VALUES (${key.map((cell) => cell.literal).join(', ')}, ${a.literal} + 'x', text_as_blob(${b.literal}), from_json('"${c.literal.slice(1, -1)}"'), text_as_blob(mask_replace('y', ${d.literal})))`,
        { tracing },
      );
    }
  }

  async updates(): Promise<void> {
    const set = [...STATIC, ...REGULAR];
    const key = [...PARTITION, ...CLUSTERING];
    const pairs = (cells: readonly Cell[], glue: string): string =>
      cells.map((c) => `${c.name} = ${c.literal}`).join(glue);
    const open = (cells: readonly Cell[], glue: string): string =>
      cells.map((c) => `${c.name} = ?`).join(glue);
    let a = this.cells('UPDATE literal, SET', set);
    let b = this.cells('UPDATE literal, WHERE', key);
    await this.must(`UPDATE ${this.table} SET ${pairs(a, ', ')} WHERE ${pairs(b, ' AND ')}`);
    a = this.cells('UPDATE prepared, SET', set);
    b = this.cells('UPDATE prepared, WHERE', key);
    await this.execute(
      `UPDATE ${this.table} SET ${open(a, ', ')} WHERE ${open(b, ' AND ')}`,
      [...a, ...b].map((c) => c.bytes),
    );
    a = this.cells('UPDATE traced, SET', set);
    b = this.cells('UPDATE traced, WHERE', key);
    await this.must(`UPDATE ${this.table} SET ${pairs(a, ', ')} WHERE ${pairs(b, ' AND ')}`, {
      tracing: true,
    });
    a = this.cells('UPDATE with IN, SET', REGULAR);
    b = this.cells('UPDATE with IN, WHERE', [...PARTITION, ...CLUSTERING.slice(0, 2)]);
    const more = [1, 2, 3].map((n) =>
      this.maker.make(`UPDATE with IN, value ${n}`, 'varint', true),
    );
    await this.must(
      `UPDATE ${this.table} SET ${pairs(a, ', ')} WHERE ${pairs(b, ' AND ')} AND c_varint IN (${more.map((m) => m.literal).join(', ')})`,
    );
    a = this.cells('UPDATE IF EXISTS, SET', REGULAR, false);
    b = this.cells('UPDATE IF EXISTS, WHERE', key, false);
    await this.must(
      `UPDATE ${this.table} SET ${pairs(a, ', ')} WHERE ${pairs(b, ' AND ')} IF EXISTS`,
    );
  }

  /** Operations on elements, entries and fields. */
  async elements(): Promise<void> {
    const key = [...PARTITION, ...CLUSTERING];
    const make = (form: string, kind: MarkerKind, stored = true): Marker =>
      this.maker.make(form, kind, stored);
    for (const [form, kinds, text] of [
      ['append', ['text'], 'SET n_list = n_list + [*]'],
      ['prepend', ['text'], 'SET n_list = [*] + n_list'],
      ['remove', ['text'], 'SET n_list = n_list - [*]'],
      ['add to a set', ['blob'], 'SET n_set = n_set + {*}'],
      ['remove from a set', ['blob'], 'SET n_set = n_set - {*}'],
      ['add to a map', ['text', 'blob'], 'SET n_map = n_map + {*: *}'],
      ['remove from a map', ['text'], 'SET n_map = n_map - {*}'],
      ['set an entry', ['text', 'blob'], 'SET n_map[*] = *'],
      ['set a static entry', ['text', 'blob'], 'SET sn_map[*] = *'],
      ['set fields', ['text', 'uuid'], 'SET n_udt.a = *, n_udt.b = *'],
    ] as const) {
      // Static columns alone go by the partition key.
      // What is removed from a list that is not there is written nowhere.
      const stored = form !== 'remove';
      const whole = form.includes('static') ? PARTITION : key;
      const cells = this.cells(`UPDATE, ${form}, WHERE`, whole, stored);
      const where = cells.map((c) => `${c.name} = ${c.literal}`).join(' AND ');
      let values = kinds.map((kind) => make(`UPDATE, ${form}`, kind, stored));
      const filled = text.replaceAll('*', () => values.shift()?.literal ?? '');
      await this.must(`UPDATE ${this.table} ${filled} WHERE ${where}`);
      if (!form.startsWith('set')) continue;
      values = kinds.map((kind) => make(`UPDATE prepared, ${form}`, kind));
      await this.execute(
        `UPDATE ${this.table} ${text.replaceAll('*', '?')} WHERE ${where}`,
        values.map((m) => m.bytes),
      );
    }
    const cells = this.cells('DELETE of elements, WHERE', key);
    const where = cells.map((c) => `${c.name} = ${c.literal}`).join(' AND ');
    const [entry, element] = [
      make('DELETE of an entry', 'text'),
      make('DELETE of an element', 'blob'),
    ];
    await this.must(
      `DELETE n_map[${entry.literal}], n_set[${element.literal}] FROM ${this.table} WHERE ${where}`,
    );
    const [wanted, none] = [
      make('IF with an entry', 'text', false),
      make('IF with a value', 'blob', false),
    ];
    await this.must(
      `UPDATE ${this.table} SET v_big = 1 WHERE ${where} IF n_map[${wanted.literal}] = ${none.literal}`,
    );
  }

  async deletes(): Promise<void> {
    const pairs = (cells: readonly Cell[]): string =>
      cells.map((c) => `${c.name} = ${c.literal}`).join(' AND ');
    const open = (cells: readonly Cell[]): string =>
      cells.map((c) => `${c.name} = ?`).join(' AND ');
    const key = [...PARTITION, ...CLUSTERING];
    let b = this.cells('DELETE row literal', key);
    await this.must(`DELETE FROM ${this.table} WHERE ${pairs(b)}`);
    b = this.cells('DELETE cells prepared', key);
    await this.execute(
      `DELETE v_text, v_big FROM ${this.table} WHERE ${open(b)}`,
      b.map((c) => c.bytes),
    );
    b = this.cells('DELETE partition literal', PARTITION);
    await this.must(`DELETE FROM ${this.table} WHERE ${pairs(b)}`);
    b = this.cells('DELETE partition prepared, traced', PARTITION);
    await this.execute(
      `DELETE FROM ${this.table} WHERE ${open(b)}`,
      b.map((c) => c.bytes),
      true,
    );
    b = this.cells('DELETE range literal', PARTITION);
    const bounds = [1, 2].map((n) =>
      this.maker.make(`DELETE range literal, bound ${n}`, 'text', true),
    );
    bounds.sort((x, y) => x.bytes.compare(y.bytes));
    await this.must(
      `DELETE FROM ${this.table} WHERE ${pairs(b)} AND c_text > ${bounds[0]?.literal} AND c_text <= ${bounds[1]?.literal}`,
    );
    b = this.cells('DELETE with IN', PARTITION);
    const many = [1, 2].map((n) => this.maker.make(`DELETE with IN, value ${n}`, 'text', true));
    await this.must(
      `DELETE FROM ${this.table} WHERE ${pairs(b)} AND c_text IN (${many.map((m) => m.literal).join(', ')})`,
    );
  }

  async batches(): Promise<void> {
    const all = [...PARTITION, ...CLUSTERING, ...STATIC, ...REGULAR];
    const text = (cells: readonly Cell[], values: (c: Cell) => string): string =>
      `INSERT INTO ${this.table} (${cells.map((c) => c.name).join(', ')}) VALUES (${cells.map(values).join(', ')})`;
    for (const tracing of [false, true]) {
      const t = tracing ? ', traced' : '';
      const a = this.cells(`BATCH text${t}, first`, all);
      const b = this.cells(`BATCH text${t}, second`, all);
      await this.must(
        `BEGIN BATCH ${text(a, (c) => c.literal)}; ${text(b, (c) => c.literal)}; APPLY BATCH`,
        { tracing },
      );
      const children = [
        this.cells(`BATCH message${t}, literal child`, all),
        this.cells(`BATCH message${t}, bound child`, all),
        this.cells(`BATCH message${t}, prepared child`, all),
      ] as const;
      const id = await this.prepare(text(children[2], () => '?'));
      this.statements++;
      const answer = await this.client.batch(
        tracing ? 0 : 1,
        [
          { statement: text(children[0], (c) => c.literal), values: [] },
          { statement: text(children[1], () => '?'), values: children[1].map((c) => c.bytes) },
          { statement: id, values: children[2].map((c) => c.bytes) },
        ],
        { tracing },
      );
      fine('BATCH', answer);
    }
  }

  async counters(keyspace: string): Promise<void> {
    const table = `${keyspace}.counted`;
    await this.must(
      `CREATE TABLE ${table} (pk text, ck text, s counter static, c counter, PRIMARY KEY (pk, ck)) WITH compression = {'enabled': false}`,
    );
    const cells = (label: string): Record<'pk' | 'ck' | 's' | 'c', Marker> => ({
      pk: this.maker.make(`${label}, pk`, 'text', true),
      ck: this.maker.make(`${label}, ck`, 'text', true),
      s: this.maker.make(`${label}, static counter`, 'bigint', true),
      c: this.maker.make(`${label}, counter`, 'bigint', true),
    });
    const literal = ({ pk, ck, s, c }: ReturnType<typeof cells>): string =>
      `UPDATE ${table} SET s = s + ${s.literal}, c = c + ${c.literal} WHERE pk = ${pk.literal} AND ck = ${ck.literal}`;
    const bound = `UPDATE ${table} SET s = s + ?, c = c + ? WHERE pk = ? AND ck = ?`;
    const values = ({ pk, ck, s, c }: ReturnType<typeof cells>): Buffer[] => [
      s.bytes,
      c.bytes,
      pk.bytes,
      ck.bytes,
    ];
    for (const tracing of [false, true]) {
      const t = tracing ? ', traced' : '';
      await this.must(literal(cells(`counter literal${t}`)), { tracing });
      await this.execute(bound, values(cells(`counter prepared${t}`)), tracing);
      await this.must(
        `BEGIN COUNTER BATCH ${literal(cells(`counter batch${t}, first`))}; ${literal(cells(`counter batch${t}, second`))}; APPLY BATCH`,
        { tracing },
      );
    }
  }

  async selects(): Promise<void> {
    const key = [...PARTITION, ...CLUSTERING];
    // Traced: Cassandra keeps the text and the bound values of what it traces.
    let b = this.cells('SELECT literal, traced', key);
    await this.must(
      `SELECT * FROM ${this.table} WHERE ${b.map((c) => `${c.name} = ${c.literal}`).join(' AND ')}`,
      { tracing: true },
    );
    b = this.cells('SELECT bound, traced', key, false);
    await this.must(
      `SELECT * FROM ${this.table} WHERE ${b.map((c) => `${c.name} = ?`).join(' AND ')}`,
      { tracing: true, values: b.map((c) => c.bytes) },
    );
    b = this.cells('SELECT, literals in PREPARE', key);
    await this.execute(
      `SELECT * FROM ${this.table} WHERE ${b.map((c) => `${c.name} = ${c.literal}`).join(' AND ')}`,
      [],
    );
    b = this.cells('SELECT literal, not traced', key, false);
    await this.must(
      `SELECT * FROM ${this.table} WHERE ${b.map((c) => `${c.name} = ${c.literal}`).join(' AND ')}`,
    );
    const part = this.cells('SELECT with IN and slice, traced', PARTITION);
    const m = [1, 2, 3].map((n) =>
      this.maker.make(`SELECT with IN and slice, value ${n}`, 'text', true),
    );
    const where = part
      .slice(0, 2)
      .map((c) => `${c.name} = ${c.literal}`)
      .join(' AND ');
    await this.must(
      `SELECT * FROM ${this.table} WHERE ${where} AND p_big IN (${part[2]?.literal}, 1) AND c_text > ${m[0]?.literal} AND c_text < ${m[1]?.literal}`,
      { tracing: true },
    );
    const u = this.maker.make('SELECT with multi-column slice', 'uuid', true);
    await this.must(
      `SELECT * FROM ${this.table} WHERE ${part.map((c) => `${c.name} = ${c.literal}`).join(' AND ')} AND (c_text, c_uuid) > (${m[2]?.literal}, ${u.literal})`,
      { tracing: true },
    );
    const tok = this.cells('SELECT by token', PARTITION);
    await this.must(
      `SELECT * FROM ${this.table} WHERE token(${names(PARTITION)}) > token(${tok.map((c) => c.literal).join(', ')}) LIMIT 1`,
      { tracing: true },
    );
  }

  /** Statements that Cassandra refuses; what it does with their text is its own affair. */
  async refused(): Promise<void> {
    const m = this.maker.make('refused: unknown column', 'text', false);
    await this.client.query(`INSERT INTO ${this.table} (nothing_here) VALUES (${m.literal})`, {
      tracing: true,
    });
    const n = this.maker.make('refused: wrong type', 'text', false);
    await this.client.query(`SELECT * FROM ${this.table} WHERE p_big = ${n.literal}`, {
      tracing: true,
    });
    const o = this.maker.make('refused: syntax', 'text', false);
    await this.client.query(`SELEC ${o.literal}`, { tracing: true });
    const p = this.maker.make('refused: PREPARE', 'text', false);
    await this.client.prepare(`SELECT * FROM ${this.table} WHERE nothing_here = ${p.literal}`);
  }

  async readBack(): Promise<{ rows: number; readBack: number }> {
    const seen = new Set<string>();
    const wanted = new Set(this.maker.markers.map((m) => m.bytes.toString('hex')));
    let rows = 0;
    let state: Buffer | null = null;
    do {
      const page: RawResult = await this.client.query(`SELECT * FROM ${this.table}`, {
        pageSize: 50,
        ...(state === null ? {} : { pagingState: state }),
      });
      if (page.kind !== 'rows') return fine('SELECT *', page);
      rows += page.rows.length;
      for (const row of page.rows)
        for (const cell of row)
          if (cell !== null && wanted.has(cell.toString('hex'))) seen.add(cell.toString('hex'));
      state = page.pagingState;
    } while (state !== null);
    return { rows, readBack: seen.size };
  }

  private cells(label: string, columns: readonly Column[], stored = true): Cell[] {
    return columns.map((c) => {
      const markers = c.kinds.map((kind, i) =>
        this.maker.make(`${label}, ${c.name}${i > 0 ? ` #${i}` : ''}`, kind, stored),
      );
      const { bytes, literal } = c.build === undefined ? at(markers, 0) : c.build(markers);
      return { name: c.name, bytes, literal };
    });
  }

  private async must(cql: string, options: Parameters<RawClient['query']>[1] = {}): Promise<void> {
    this.statements++;
    fine(cql, await this.client.query(cql, options));
  }

  private async prepare(cql: string, tracing = false): Promise<Buffer> {
    this.statements++;
    const answer = await this.client.prepare(cql, { tracing });
    return answer.kind === 'prepared' ? answer.id : fine(cql, answer);
  }

  private async execute(cql: string, values: readonly Buffer[], tracing = false): Promise<void> {
    const id = await this.prepare(cql, tracing);
    this.statements++;
    fine(cql, await this.client.execute(id, { values, tracing }));
  }
}

function names(columns: readonly Column[]): string {
  return columns.map((c) => c.name).join(', ');
}

function fine(what: string, answer: RawResult): never {
  if (answer.kind === 'error')
    throw new TypeError(
      `${what.slice(0, 60)}…: error 0x${answer.code.toString(16)} ${answer.message}`,
    );
  return undefined as never;
}
