import { parseStatement } from '../../../../src/cql/index.ts';
import type { ParsedStatement } from '../../../../src/cql/index.ts';
import { MarkerRegistry, planAnySelect } from '../../../../src/encryption/index.ts';
import type { EvaluatedPlan, Row, TermContext } from '../../../../src/encryption/index.ts';
import type { ColumnEntry, Snapshot, TableEntry } from '../../../../src/schema/index.ts';
import { native, parseTypeText } from '../../../../src/values/index.ts';
import type { BoundValue } from '../../../../src/wire/index.ts';
import { encryptedTable } from '../../../support/table_entry.ts';

const UDT = {
  kind: 'udt',
  keyspace: 'ks',
  name: 'u',
  fields: [
    { name: 'f', type: native('int') },
    { name: 'g', type: native('text') },
  ],
  frozen: true,
} as const;

function column(
  name: string,
  kind: ColumnEntry['kind'],
  position: number,
  type: string,
): ColumnEntry {
  return {
    name,
    id: Buffer.alloc(16, name),
    kind,
    position,
    type: parseTypeText(type, () => UDT, 'ks'),
    clusteringOrder: kind === 'clustering' ? 'asc' : undefined,
    scheme: kind === 'partition' ? 'partition' : kind === 'clustering' ? 'ordered' : 'cell',
    padded: false,
    storedType: 'blob',
  };
}

/** ks.t (pk int, c int, d text, s text static, v int, w text, l, m, u, x decimal, PRIMARY KEY (pk, c, d)). */
export function table(): TableEntry {
  const partitionKey = [column('pk', 'partition', 0, 'int')];
  const clustering = [column('c', 'clustering', 0, 'int'), column('d', 'clustering', 1, 'text')];
  const statics = [column('s', 'static', 0, 'text')];
  const regulars = [
    column('l', 'regular', 0, 'frozen<list<int>>'),
    column('m', 'regular', 0, 'frozen<map<text, int>>'),
    column('u', 'regular', 0, 'frozen<u>'),
    column('v', 'regular', 0, 'int'),
    column('w', 'regular', 0, 'text'),
    column('x', 'regular', 0, 'decimal'),
  ];
  const allColumns = [...partitionKey, ...clustering, ...statics, ...regulars];
  return {
    ...encryptedTable(Buffer.alloc(16, 1), { id: '', epochs: [] } as never),
    partitionKey,
    clustering,
    statics,
    regulars,
    allColumns,
    columns: new Map(allColumns.map((entry) => [entry.name, entry])),
  };
}

const SNAPSHOT = { keyspace: () => ({ types: { get: () => UDT } }) } as unknown as Snapshot;

/** A planned statement and what its execution needs. */
export interface Planned {
  readonly plan: EvaluatedPlan;
  readonly parsed: ParsedStatement;
  context(binds?: readonly BoundValue[]): TermContext;
}

/** Plans a statement that the proxy evaluates. */
export function evaluated(cql: string): Planned {
  const parsed = parseStatement(cql);
  if (parsed.statement.kind !== 'select') throw new Error('no SELECT');
  const markers = new MarkerRegistry(parsed.bindMarkers);
  const plan = planAnySelect(parsed.statement, table(), SNAPSHOT, markers);
  if (plan.kind !== 'evaluated') throw new Error('Cassandra can run it');
  return {
    plan,
    parsed,
    context: (binds = []) => ({
      binds,
      constants: parsed.constants,
      functions: {
        nowMs: () => 0,
        randomBytes: (count) => Buffer.alloc(count),
        nextTimeuuid: () => Buffer.alloc(16),
      },
    }),
  };
}

/** Whether a statement is one for Cassandra to run on stored rows. */
export function isNative(cql: string): boolean {
  const parsed = parseStatement(cql);
  if (parsed.statement.kind !== 'select') throw new Error('no SELECT');
  const markers = new MarkerRegistry(parsed.bindMarkers);
  return planAnySelect(parsed.statement, table(), SNAPSHOT, markers).kind === 'select';
}

export function int(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

export function text(value: string): Buffer {
  return Buffer.from(value, 'utf8');
}

/** A row of the plan's inner read, from values by the name of the column; others are null. */
export function row(plan: EvaluatedPlan, values: Readonly<Record<string, Buffer>>): Row {
  return plan.read.columns.map(({ text: name }) => values[name] ?? null);
}
