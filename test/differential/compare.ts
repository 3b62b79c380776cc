/** Compares what the two sides answered to one step. */
import type { RawColumn, RawResult, RawType } from '../support/raw_codec.ts';
import type { GenTable, Step } from './model.ts';
import { sameBoolean, sameDecimal, sameNaN, sameVarint } from './values.ts';

/** What one side answered: the pages in order, or one result. */
export interface Outcome {
  /** The first page or the only answer. */
  readonly first: RawResult;
  /** Rows of all pages. */
  readonly rows: readonly (readonly (Buffer | null)[])[];
  readonly columns: readonly RawColumn[] | null;
  /** Rows in each page. */
  readonly pages: readonly number[];
  /** Stopped before the end. */
  readonly cut: boolean;
  /** From PREPARE. */
  readonly prepared: (RawResult & { readonly kind: 'prepared' }) | null;
}

/** A difference found. `soft` ones are counted, not failures: texts of errors and warnings. */
export interface Difference {
  readonly what:
    | 'kind'
    | 'code'
    | 'message'
    | 'warnings'
    | 'metadata'
    | 'bind'
    | 'rows'
    | 'paging'
    | 'order'
    | 'schema_change'
    | 'connection';
  readonly soft: boolean;
  readonly text: string;
  readonly direct: Outcome | null;
  readonly proxy: Outcome | null;
}

/** Names of the two sides' keyspaces, of one length. */
export interface Names {
  readonly direct: string;
  readonly proxy: string;
}

type Cell = Buffer | null;
type Row = readonly Cell[];

function typeKey(type: RawType, ks: string): string {
  const udt =
    type.udt === undefined
      ? ''
      : `${type.udt.keyspace.replaceAll(ks, 'KS')}.${type.udt.name}(${type.udt.fields.join()})`;
  return `${type.id}${(type.custom ?? '').replaceAll(ks, 'KS')}${udt}<${(type.of ?? []).map((t) => typeKey(t, ks)).join()}>`;
}

function columnsKey(columns: readonly RawColumn[], ks: string): string {
  return columns
    .map((c) => `${c.keyspace.replaceAll(ks, 'KS')}.${c.table}.${c.name}:${typeKey(c.type, ks)}`)
    .join('\n');
}

function mapped(cell: Cell, names: Names): Cell {
  if (cell?.includes(names.proxy) !== true) return cell;
  return Buffer.from(cell.toString('latin1').replaceAll(names.proxy, names.direct), 'latin1');
}

/** Types whose clustering values are read back in their canonical form, by their id in the protocol. */
const CANONICAL: Readonly<Record<number, ScalarEquality>> = {
  0x04: sameBoolean,
  0x06: sameDecimal,
  0x07: sameNaN,
  0x08: sameNaN,
  0x0e: sameVarint,
};

type ScalarEquality = (a: Buffer, b: Buffer) => boolean;
type Rule = 'exact' | 'writetime' | 'ttl' | 'token' | ScalarEquality;

function rulesOf(columns: readonly RawColumn[], table: GenTable | null): Rule[] {
  const clustering = (table?.ck ?? []).map((c) => c.text.replace(/"/g, ''));
  return columns.map(({ name, type }) => {
    // A column of several cells has a list of them.
    const isList = type.id === 0x20;
    if (/^(writetime\(|wt_)/.test(name)) return isList ? eachOf('writetime') : 'writetime';
    if (/^(ttl\(|ttl_)/.test(name)) return isList ? eachOf('ttl') : 'ttl';
    if (/^(system\.token|tok_)/.test(name)) return 'token';
    const own = name.replace(/_x$/, '');
    const isClustering = clustering.some(
      (c) => c === own || c === name || c.replace(/\W/g, '').toLowerCase() === own.toLowerCase(),
    );
    return (isClustering ? CANONICAL[type.id] : undefined) ?? 'exact';
  });
}

function eachOf(rule: 'writetime' | 'ttl'): ScalarEquality {
  return (a, b) => {
    const [left, right] = [listItems(a), listItems(b)];
    return (
      left.length === right.length &&
      left.every((item, i) => sameCell(item, right[i] ?? null, rule))
    );
  };
}

function listItems(list: Buffer): Cell[] {
  const items: Cell[] = [];
  for (let at = 4; at < list.length;) {
    const size = list.readInt32BE(at);
    at += 4;
    items.push(size < 0 ? null : list.subarray(at, at + size));
    at += Math.max(size, 0);
  }
  return items;
}

// Write times that a test gives are small; Cassandra's are microseconds since 1970.
const CLIENT_TIME_BELOW = 100_000_000_000_000n;

function sameCell(a: Cell, b: Cell, rule: Rule): boolean {
  if (a === null || b === null) return a === b || rule === 'token';
  if (typeof rule === 'function') return rule(a, b);
  switch (rule) {
    case 'token':
      return a.length === b.length;
    case 'writetime': {
      const [x, y] = [a.readBigInt64BE(0), b.readBigInt64BE(0)];
      return x === y || (x >= CLIENT_TIME_BELOW && y >= CLIENT_TIME_BELOW);
    }
    case 'ttl':
      return Math.abs(a.readInt32BE(0) - b.readInt32BE(0)) <= 60;
    case 'exact':
      return a.equals(b);
  }
}

function sameRow(a: Row, b: Row, rules: readonly Rule[]): boolean {
  return (
    a.length === b.length && a.every((cell, i) => sameCell(cell, b[i] ?? null, rules[i] ?? 'exact'))
  );
}

/** A row for people: hex, by column. */
export function rowText(row: Row, columns: readonly RawColumn[] | null): string {
  return row
    .map(
      (cell, i) =>
        `${columns?.[i]?.name ?? i}=${cell === null ? 'null' : `0x${cell.toString('hex')}`}`,
    )
    .join(' ');
}

function firstDifference(
  a: readonly Row[],
  b: readonly Row[],
  rules: readonly Rule[],
  columns: readonly RawColumn[],
): string | null {
  if (a.length !== b.length) {
    const extra =
      a.find((row) => !b.some((other) => sameRow(row, other, rules))) ??
      b.find((row) => !a.some((other) => sameRow(other, row, rules)));
    return `${a.length} rows directly, ${b.length} through the proxy; only on one side: ${extra === undefined ? '(repeats)' : rowText(extra, columns)}`;
  }
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [a[i] as Row, b[i] as Row];
    if (!sameRow(x, y, rules))
      return `row ${i}\n    direct ${rowText(x, columns)}\n    proxy  ${rowText(y, columns)}`;
  }
  return null;
}

/** Partitions as a multiset, each in its order: grouped by the partition key where it was selected. */
function byPartition(
  rows: readonly Row[],
  columns: readonly RawColumn[],
  rules: readonly Rule[],
  table: GenTable | null,
): Map<string, Row[]> | null {
  const pk = (table?.pk ?? []).map((c) =>
    columns.findIndex((o) => o.name === c.text.replace(/"/g, '')),
  );
  const cellKey = (cell: Cell, i: number): string =>
    cell === null ? '-' : rules[i] === 'exact' ? cell.toString('hex') : '?';
  const groups = new Map<string, Row[]>();
  const grouped = pk.length > 0 && !pk.includes(-1);
  for (const row of rows) {
    const key = grouped
      ? pk.map((i) => cellKey(row[i] ?? null, i)).join()
      : row.map(cellKey).join();
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [row]);
    else group.push(row);
  }
  return groups;
}

function hasPartitionKey(columns: readonly RawColumn[], table: GenTable | null): boolean {
  return (table?.pk ?? []).every((c) => columns.some((o) => o.name === c.text.replace(/"/g, '')));
}

/** Whether two lists hold the same rows, in any order. */
function sameRows(a: readonly Row[], b: readonly Row[], rules: readonly Rule[]): boolean {
  const left = [...b];
  return (
    a.length === b.length &&
    a.every((row) => {
      const index = left.findIndex((other) => sameRow(row, other, rules));
      if (index >= 0) left.splice(index, 1);
      return index >= 0;
    })
  );
}

function compareScan(
  a: Outcome,
  bRows: readonly Row[],
  columns: readonly RawColumn[],
  rules: readonly Rule[],
  table: GenTable | null,
): string | null {
  const x = byPartition(a.rows, columns, rules, table);
  const y = byPartition(bRows, columns, rules, table);
  if (x === null || y === null) return null;
  for (const [key, rows] of x) {
    const others = y.get(key) ?? [];
    // Without the partition key in the result nothing says which partition a row is of, so its place says nothing.
    if (!hasPartitionKey(columns, table) && sameRows(rows, others, rules)) continue;
    const text = firstDifference(rows, others, rules, columns);
    if (text !== null) return `partition ${key}: ${text}`;
  }
  for (const key of y.keys()) if (!x.has(key)) return `partition ${key} only through the proxy`;
  return null;
}

/** All differences between two outcomes of one step. */
export function compareOutcomes(
  step: Step,
  a: Outcome,
  b: Outcome,
  names: Names,
  table: GenTable | null,
): Difference[] {
  const out: Difference[] = [];
  const add = (what: Difference['what'], text: string, soft = false): void => {
    out.push({ what, soft, text, direct: a, proxy: b });
  };
  if (a.prepared !== null && b.prepared !== null) {
    const [x, y] = [
      columnsKey(a.prepared.bind, names.direct),
      columnsKey(b.prepared.bind, names.proxy),
    ];
    if (x !== y) add('bind', `bind metadata of PREPARE\n  direct\n${x}\n  proxy\n${y}`);
    if (a.prepared.pkIndexes.join() !== b.prepared.pkIndexes.join())
      add('bind', `pk indexes ${a.prepared.pkIndexes.join()} / ${b.prepared.pkIndexes.join()}`);
    const [c, d] = [
      columnsKey(a.prepared.columns ?? [], names.direct),
      columnsKey(b.prepared.columns ?? [], names.proxy),
    ];
    if (c !== d) add('metadata', `result metadata of PREPARE\n  direct\n${c}\n  proxy\n${d}`);
  }
  const [p, q] = [a.first, b.first];
  const warnings = (r: RawResult, ks: string): string =>
    r.warnings.map((w) => w.replaceAll(ks, 'KS')).join('|');
  if (warnings(p, names.direct) !== warnings(q, names.proxy))
    add(
      'warnings',
      `warnings\n  direct ${p.warnings.join('|')}\n  proxy  ${q.warnings.join('|')}`,
      true,
    );
  if (p.kind === 'error' || q.kind === 'error') {
    const text = (r: RawResult): string =>
      r.kind === 'error'
        ? `error 0x${r.code.toString(16).padStart(4, '0')} '${r.message}'`
        : r.kind;
    if (p.kind !== q.kind || (p.kind === 'error' && q.kind === 'error' && p.code !== q.code))
      add('code', `directly ${text(p)}, through the proxy ${text(q)}`);
    else if (p.kind === 'error' && q.kind === 'error') {
      if (p.message.replaceAll(names.direct, 'KS') !== q.message.replaceAll(names.proxy, 'KS'))
        add('message', `direct '${p.message}'\n  proxy  '${q.message}'`, true);
      if (
        p.code === 0x2400 &&
        p.details.toString('latin1').replaceAll(names.direct, 'KS') !==
          q.details.toString('latin1').replaceAll(names.proxy, 'KS')
      )
        add('code', 'details of ALREADY_EXISTS');
    }
    return out;
  }
  if (p.kind !== q.kind) {
    add('kind', `directly ${p.kind}, through the proxy ${q.kind}`);
    return out;
  }
  if (p.kind === 'schema_change' && q.kind === 'schema_change') {
    const text = (r: typeof p, ks: string): string =>
      `${r.change} ${r.target} ${r.keyspace.replaceAll(ks, 'KS')} ${r.name}`;
    if (text(p, names.direct) !== text(q, names.proxy))
      add('schema_change', `direct ${text(p, names.direct)}, proxy ${text(q, names.proxy)}`);
  }
  if (
    p.kind === 'set_keyspace' &&
    q.kind === 'set_keyspace' &&
    p.keyspace.replaceAll(names.direct, 'KS') !== q.keyspace.replaceAll(names.proxy, 'KS')
  )
    add('kind', 'keyspace of USE');
  if (p.kind !== 'rows') return out;
  const columns = a.columns ?? [];
  const [x, y] = [columnsKey(columns, names.direct), columnsKey(b.columns ?? [], names.proxy)];
  if (x !== y) {
    add('metadata', `result metadata\n  direct\n${x}\n  proxy\n${y}`);
    return out;
  }
  const rules = rulesOf(columns, table);
  const bRows = b.rows.map((row) => row.map((cell) => mapped(cell, names)));
  if (step.compare === 'rows') {
    const text = firstDifference(a.rows, bRows, rules, columns);
    if (text !== null)
      add(
        a.rows.length === bRows.length && compareScan(a, bRows, columns, rules, null) === null
          ? 'order'
          : 'rows',
        text,
      );
    if (a.pages.join() !== b.pages.join())
      add(
        'paging',
        `pages of ${a.pages.join()} rows directly, ${b.pages.join()} through the proxy`,
      );
  } else if (step.compare === 'scan' && !a.cut && !b.cut) {
    const text = compareScan(a, bRows, columns, rules, table);
    if (text !== null) add('rows', text);
  } else if (!a.cut && !b.cut && (step.compare === 'count' || step.compare === 'scan')) {
    if (a.rows.length !== b.rows.length)
      add('rows', `${a.rows.length} rows directly, ${b.rows.length} through the proxy`);
  }
  return out;
}
