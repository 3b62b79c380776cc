import { describe, expect, it } from 'vitest';
import { parseStatement } from '../../../src/cql/index.ts';
import type { SelectStatement } from '../../../src/cql/index.ts';
import { bindEvaluated, MarkerRegistry, planAnySelect } from '../../../src/encryption/index.ts';
import type { EvaluatedPlan, TermContext } from '../../../src/encryption/index.ts';
import { CiphertextError } from '../../../src/errors/index.ts';
import { tableWith } from './indexed_table.ts';
import type { TestIndex } from './indexed_table.ts';

const V: TestIndex = { column: 'v', hidden: {} };
const N: TestIndex = { column: 'n', hidden: { type: 'ascii' }, className: 'sai' };

async function plan(cql: string, indexes: readonly TestIndex[]) {
  const { table, snapshot } = await tableWith(indexes);
  const parsed = parseStatement(cql);
  const markers = new MarkerRegistry(parsed.bindMarkers);
  const planned = planAnySelect(parsed.statement as SelectStatement, table, snapshot, markers);
  if (planned.kind !== 'evaluated') throw new TypeError(planned.kind);
  const context: TermContext = {
    binds: [],
    constants: parsed.constants,
    functions: {
      nowMs: () => 0,
      randomBytes: (size) => new Uint8Array(size),
      nextTimeuuid: () => new Uint8Array(16),
    },
  };
  return { planned, context };
}

function where(text: string): string {
  return text.slice(text.indexOf(' WHERE ') + 1);
}

async function texts(cql: string, indexes: readonly TestIndex[]) {
  const { planned } = await plan(cql, indexes);
  const { validationText, read } = planned;
  return {
    judged: where(validationText),
    read: read.storedText.includes(' WHERE ') ? where(read.storedText) : '',
  };
}

describe('a read by a part of a collection with an index', () => {
  const SE: TestIndex = {
    column: 'se',
    hidden: { name: 'h_se', type: 'set<blob>' },
    target: 'values',
  };
  const KEYS: TestIndex = {
    column: 'ma',
    hidden: { name: 'h_k', type: 'map<blob, blob>' },
    target: 'keys',
  };
  const VALUES: TestIndex = {
    column: 'ma',
    hidden: { name: 'h_v', type: 'map<blob, ascii>' },
    target: 'values',
  };
  const ENTRIES: TestIndex = {
    column: 'ma',
    hidden: { name: 'h_e', type: 'map<blob, ascii>' },
    target: 'entries',
    className: 'sai',
  };

  it.each([
    ['se CONTAINS 1', [SE], 'h_se CONTAINS ?', 'h_se CONTAINS ?'],
    ["ma CONTAINS 'x'", [KEYS], 'ma CONTAINS ?', ''],
    ["ma CONTAINS 'x'", [KEYS, VALUES], 'h_v CONTAINS ?', 'h_v CONTAINS ?'],
    ['ma CONTAINS KEY 1', [VALUES, KEYS], 'h_k CONTAINS ?', 'h_k CONTAINS ?'],
    ["ma[1] = 'x'", [VALUES, ENTRIES], 'h_e CONTAINS ?', 'h_e CONTAINS ?'],
    // Several restrictions of one collection: an index of Cassandra's own kind does not serve them.
    [
      'ma CONTAINS KEY 1 AND ma CONTAINS KEY 2',
      [KEYS],
      'h_k CONTAINS ? AND h_k CONTAINS ?',
      'h_k CONTAINS ?',
    ],
    ["ma CONTAINS 'x' AND ma CONTAINS 'y'", [VALUES], 'ma CONTAINS ?', 'h_v CONTAINS ?'],
    ["ma CONTAINS 'x' AND n = 1", [VALUES], 'n = ? AND ma CONTAINS ?', 'h_v CONTAINS ?'],
    ['se CONTAINS 1', [{ ...SE, isActive: false }], 'h_se CONTAINS ?', ''],
  ] as const)('%s', async (restriction, indexes, judged, read) => {
    const both = await texts(`SELECT pk FROM ks.t WHERE ${restriction}`, indexes);
    expect(both).toEqual({
      judged: `WHERE ${judged}`,
      read: read === '' ? '' : `WHERE ${read} ALLOW FILTERING`,
    });
  });
});

describe('a read by a column with an index', () => {
  it('is one by its blind value, judged by Cassandra on the hidden column', async () => {
    expect(await texts("SELECT * FROM ks.t WHERE v = 'x'", [V])).toEqual({
      judged: 'WHERE cqlock_i_v = ?',
      read: 'WHERE cqlock_i_v = ? ALLOW FILTERING',
    });
    expect(await texts("SELECT * FROM ks.t WHERE pk = 1 AND ck > 2 AND v = 'x'", [V])).toEqual({
      judged: 'WHERE pk = ? AND ck > ? AND cqlock_i_v = ?',
      read: 'WHERE pk = ? AND ck > ? AND cqlock_i_v = ? ALLOW FILTERING',
    });
    expect(await texts("SELECT * FROM ks.t WHERE token(pk) > 5 AND v = 'x'", [V])).toEqual({
      judged: 'WHERE token(pk) > ? AND cqlock_i_v = ?',
      read: 'WHERE token(pk) > ? AND cqlock_i_v = ? ALLOW FILTERING',
    });
  });

  it('is a scan while the index is not complete, and for anything but equality', async () => {
    const building = { ...V, isActive: false };
    expect(await texts("SELECT * FROM ks.t WHERE v = 'x'", [building])).toEqual({
      judged: 'WHERE cqlock_i_v = ?',
      read: '',
    });
    expect(await texts('SELECT * FROM ks.t WHERE n > 5', [N])).toEqual({
      judged: 'WHERE cqlock_i_n = ?',
      read: '',
    });
  });

  it('uses the first of several, and none of a column without one', async () => {
    const both = await texts("SELECT * FROM ks.t WHERE n = 1 AND v = 'x'", [V, N]);
    expect(both.read).toBe('WHERE cqlock_i_n = ? ALLOW FILTERING');
    const none = await texts('SELECT * FROM ks.t WHERE n = 1 ALLOW FILTERING', [V]);
    expect(none).toEqual({ judged: 'WHERE n = ? ALLOW FILTERING', read: '' });
  });

  it('fails for a row without the value that was sought, whatever else it lacks', async () => {
    const cql = "SELECT v, n FROM ks.t WHERE v = 'x' AND n = 5 ALLOW FILTERING";
    const { planned, context } = await plan(cql, [V]);
    const { accepts } = bindEvaluated(planned, context);
    const row = (v: string | null, n: number) => {
      const bytes = Buffer.alloc(4);
      bytes.writeInt32BE(n);
      const cells = new Map([
        ['v', v === null ? null : Buffer.from(v)],
        ['n', bytes],
      ]);
      return columnsOf(planned).map((name) => cells.get(name) ?? null);
    };
    expect(accepts(row('x', 5))).toBe(true);
    expect(accepts(row('x', 6))).toBe(false);
    expect(() => accepts(row('y', 6))).toThrow(CiphertextError);
    expect(() => accepts(row(null, 5))).toThrow(CiphertextError);
  });
});

describe('IN on the partition key beside an index on a clustering column', () => {
  const refusal = async (restrictions: string, className: string) => {
    const { planned } = await plan(
      `SELECT * FROM ks.t WHERE pk IN (1, 2) AND ${restrictions} ALLOW FILTERING`,
      [{ column: 'ck', hidden: null, className }],
    );
    return planned.refusal?.message;
  };
  const words =
    'Select on indexed columns and with IN clause for the PRIMARY KEY are not supported';

  it('is refused where Cassandra would filter slices by its storage-attached index', async () => {
    expect(await refusal("ck > 1 AND v = 'x'", 'sai')).toBe(words);
    expect(await refusal("(ck) > (1) AND v = 'x'", 'sai')).toBe(words);
    expect(await refusal("ck IN (1, 2) AND v = 'x'", 'sai')).toBeUndefined();
    expect(await refusal("v = 'x'", 'sai')).toBeUndefined();
  });

  it('a tuple IN of one value is judged as an equality', async () => {
    const one = await texts("SELECT * FROM ks.t WHERE pk = 1 AND (ck) IN ((1)) AND v = 'x'", [V]);
    expect(one.judged).toBe('WHERE pk = ? AND (ck) = (?) AND cqlock_i_v = ?');
    const two = await texts("SELECT * FROM ks.t WHERE pk = 1 AND (ck) IN ((1), (2)) AND v = 'x'", [
      V,
    ]);
    expect(two.judged).toBe('WHERE pk = ? AND (ck) IN ? AND cqlock_i_v = ?');
  });
});

function columnsOf(planned: EvaluatedPlan): string[] {
  return planned.read.columns.map(({ text }) => text);
}
