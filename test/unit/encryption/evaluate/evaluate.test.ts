import { describe, expect, it } from 'vitest';
import { bindEvaluated, evaluatedSpecs } from '../../../../src/encryption/index.ts';
import type { PartitionMark, Row } from '../../../../src/encryption/index.ts';
import { printType } from '../../../../src/values/index.ts';
import { evaluated, int, isNative, row, text } from './support.ts';
import type { Planned } from './support.ts';

function list(...items: readonly Buffer[]): Buffer {
  return Buffer.concat([int(items.length), ...items.flatMap((item) => [int(item.length), item])]);
}

/** Rows of (pk, c, v) through a statement: the answer, page by page. */
function pages(
  planned: Planned,
  rows: readonly (readonly [number, number, number])[],
  pageSize: number | undefined,
): string[][] {
  const { plan } = planned;
  const bound = bindEvaluated(plan, planned.context());
  const inner = rows.map(([pk, c, v]) => row(plan, { pk: int(pk), c: int(c), v: int(v) }));
  const answer: string[][] = [];
  let at = 0;
  let remaining = bound.limit;
  let partition: PartitionMark | undefined;
  for (;;) {
    const sink = bound.sink({ page: pageSize, limit: remaining, partition });
    let isFull = false;
    while (at < inner.length) {
      const current = inner[at] as Row;
      if (!bound.accepts(current)) {
        at++;
        continue;
      }
      const taken = sink.add(current, 0);
      if (taken === 'done') {
        at = inner.length;
        isFull = true;
        break;
      }
      if (taken !== 'before') at++;
      if (taken !== 'more') {
        isFull = true;
        break;
      }
    }
    if (!isFull) sink.end();
    answer.push(sink.rows.map(shown));
    remaining = sink.remaining;
    partition = sink.mark();
    if (!isFull || at >= inner.length) return answer;
  }
}

function shown(cells: Row): string {
  return cells
    .map((cell) =>
      cell === null
        ? 'null'
        : BigInt(`0x${cell.length === 0 ? '0' : Buffer.from(cell).toString('hex')}`).toString(),
    )
    .join(' ');
}

/** (pk, c, v) */
const ROWS = [
  [1, 1, 1],
  [1, 1, 2],
  [1, 2, 3],
  [1, 3, 4],
  [2, 1, 5],
  [2, 2, 6],
  [3, 9, 7],
] as const;

describe('which SELECTs the proxy evaluates', () => {
  it.each([
    ['SELECT * FROM t', true],
    ['SELECT count(*), pk FROM t WHERE pk = 1', true],
    [
      'SELECT v, writetime(v), token(pk) FROM t WHERE pk = 1 AND c > 1 ORDER BY c DESC LIMIT 3',
      true,
    ],
    ["SELECT v FROM t WHERE pk = 1 AND c = 1 AND d IN ('a', 'b')", true],
    ['SELECT v FROM t WHERE v = 1 ALLOW FILTERING', false],
    ['SELECT v FROM t WHERE c = 1 ALLOW FILTERING', false],
    ['SELECT v + 1 FROM t', false],
    ['SELECT u.f FROM t', false],
    ['SELECT JSON * FROM t', false],
    ['SELECT pk FROM t GROUP BY pk', false],
  ])('%s', (cql, native) => {
    expect(isNative(cql)).toBe(native);
  });
});

describe('what Cassandra sees', () => {
  it.each([
    [
      "SELECT w FROM t WHERE pk = 1 AND c = 2 AND v > 7 AND w = 'secret' LIMIT 5 ALLOW FILTERING",
      'SELECT "w", "v", "c", "d" FROM "ks"."t" WHERE "pk" = ? AND "c" = ? ALLOW FILTERING',
    ],
    [
      'SELECT max(v) FROM t WHERE c = 2 AND pk > 3 PER PARTITION LIMIT 1 ALLOW FILTERING',
      'SELECT "v", "pk", "c", "d" FROM "ks"."t"',
    ],
    [
      'SELECT now() FROM t WHERE token(pk) > 5',
      'SELECT "pk", "c", "d" FROM "ks"."t" WHERE token("pk") > ?',
    ],
    ['SELECT DISTINCT cast(s as text) FROM t', 'SELECT DISTINCT "s", "pk" FROM "ks"."t"'],
  ])('%s', (cql, stored) => {
    const unquoted = (sql: string): string => sql.replaceAll('"', '');
    expect(unquoted(evaluated(cql).plan.read.storedText)).toBe(unquoted(stored));
  });

  it('no constant of a filter or a selection is in any text', () => {
    const { plan } = evaluated(
      "SELECT v + 4711, m['marker'] FROM t WHERE w = 'marker' AND l CONTAINS 4711 ALLOW FILTERING",
    );
    for (const sql of [plan.validationText, plan.read.storedText]) {
      expect(sql).not.toMatch(/marker|4711/);
    }
  });
});

describe('names and types', () => {
  it.each([
    ['v + 1', 'v + 1', 'int'],
    ['-v', '-v', 'int'],
    ['cast(v as text)', 'cast(v as text)', 'text'],
    ['u.f', 'u.f', 'int'],
    ["m['k']", "m['k']", 'int'],
    ["m['a'..'b']", "m['a'..'b']", 'frozen<map<text, int>>'],
    ['sum(v)', 'system.sum(v)', 'int'],
    ['count(v)', 'system.count(v)', 'bigint'],
    ['count(*)', 'count', 'bigint'],
    ['(int)5', '(int)5', 'int'],
    ["(text)'x'", "(text)'x'", 'text'],
    ['max(v) AS m', 'm', 'int'],
  ])('%s', (selector, name, type) => {
    const { plan, parsed } = evaluated(`SELECT ${selector} FROM t WHERE v = 1 ALLOW FILTERING`);
    const [spec] = evaluatedSpecs(plan, parsed.constants);
    expect([spec?.name, spec === undefined ? '' : printType(spec.type)]).toEqual([name, type]);
  });

  it('a plan whose names hold constants serves one statement only', () => {
    expect(evaluated("SELECT m['k'] FROM t").plan.isReusable).toBe(false);
    expect(evaluated("SELECT v FROM t WHERE w = 'k' ALLOW FILTERING").plan.isReusable).toBe(true);
  });
});

describe('filters', () => {
  const passes = (where: string, values: Readonly<Record<string, Buffer>>): boolean => {
    const planned = evaluated(`SELECT pk FROM t WHERE ${where} ALLOW FILTERING`);
    return bindEvaluated(planned.plan, planned.context()).accepts(row(planned.plan, values));
  };

  it.each([
    ['v = 5', { v: int(5) }, true],
    ['v = 5', { v: int(6) }, false],
    ['v = 5', {}, false],
    ['v > -1', { v: int(0) }, true],
    ['v > -1', { v: int(-2) }, false],
    ['v >= 5 AND v < 7', { v: int(6) }, true],
    ['v >= 5 AND v < 7', { v: int(7) }, false],
    ['v IN (1, 2)', { v: int(2) }, true],
    ['v IN (1, 2)', { v: int(3) }, false],
    ['v IN ()', { v: int(3) }, false],
    ['x = 1.0', { x: Buffer.from('0000000264', 'hex') }, true],
    ["w < 'b'", { w: text('a') }, true],
    ['c = 3', { c: int(3) }, true],
    ['c = 3', {}, false],
    ["(c, d) > (1, 'p')", { c: int(1), d: text('q') }, true],
    ["(c, d) > (1, 'p')", { c: int(1), d: text('p') }, false],
    ['(c) > (1)', { c: int(2), d: text('p') }, true],
    ['l CONTAINS 2', { l: list(int(1), int(2)) }, true],
    ['l CONTAINS 3', { l: list(int(1), int(2)) }, false],
    ["m CONTAINS KEY 'a'", { m: Buffer.concat([int(1), int(1), text('a'), int(4), int(7)]) }, true],
    ['m CONTAINS 7', { m: Buffer.concat([int(1), int(1), text('a'), int(4), int(7)]) }, true],
    ['m CONTAINS 8', { m: Buffer.concat([int(1), int(1), text('a'), int(4), int(7)]) }, false],
  ])('%s of %o: %s', (where, values: Readonly<Record<string, Buffer>>, expected) => {
    expect(passes(where, values)).toBe(expected);
  });

  it.each([
    ['v = null', 'Unsupported null value for column v'],
    ['l CONTAINS null', 'Unsupported null value for column l'],
    ["(c, d) > (1, 'p') AND pk = 1", undefined],
    ["d = 'x' AND (c) IN ((1))", undefined],
  ])('%s', (where, message) => {
    const planned = evaluated(`SELECT max(v) FROM t WHERE ${where} ALLOW FILTERING`);
    const bind = (): unknown => bindEvaluated(planned.plan, planned.context());
    if (message === undefined) expect(bind).not.toThrow();
    else expect(bind).toThrow(message);
  });
});

describe('answers', () => {
  it('rows, by pages and limits', () => {
    const planned = evaluated('SELECT pk, v + 10 FROM t WHERE v > 1 LIMIT 4 ALLOW FILTERING');
    expect(pages(planned, ROWS, undefined)).toEqual([['1 12', '1 13', '1 14', '2 15']]);
    expect(pages(planned, ROWS, 3)).toEqual([['1 12', '1 13', '1 14'], ['2 15']]);
  });

  it('PER PARTITION LIMIT goes on over pages', () => {
    const planned = evaluated('SELECT v FROM t WHERE v > 0 PER PARTITION LIMIT 2 ALLOW FILTERING');
    const all = ['1', '2', '5', '6', '7'];
    for (const size of [1, 2, 3, 4]) expect(pages(planned, ROWS, size).flat()).toEqual(all);
  });

  it('aggregates of all rows, and of none', () => {
    const planned = evaluated('SELECT count(*), sum(v), max(v), c, avg(v) + 1 FROM t');
    expect(pages(planned, ROWS, 1)).toEqual([['7 28 7 1 5']]);
    expect(pages(planned, [], 1)).toEqual([['0 0 null null 1']]);
  });

  it('groups by partition and clustering, by any page size', () => {
    const byPartition = evaluated('SELECT pk, count(*), max(v) FROM t GROUP BY pk');
    const byClustering = evaluated('SELECT pk, c, sum(v) FROM t GROUP BY pk, c');
    for (const size of [undefined, 1, 2, 3]) {
      expect(pages(byPartition, ROWS, size).flat()).toEqual(['1 4 4', '2 2 6', '3 1 7']);
      expect(pages(byClustering, ROWS, size).flat()).toEqual([
        '1 1 3',
        '1 2 3',
        '1 3 4',
        '2 1 5',
        '2 2 6',
        '3 9 7',
      ]);
    }
    expect(pages(byPartition, [], undefined)).toEqual([[]]);
  });

  it('limits count groups', () => {
    const planned = evaluated('SELECT pk, c, sum(v) FROM t GROUP BY pk, c PER PARTITION LIMIT 1');
    for (const size of [undefined, 1, 2]) {
      expect(pages(planned, ROWS, size).flat()).toEqual(['1 1 3', '2 1 5', '3 9 7']);
    }
    const limited = evaluated('SELECT pk, c, sum(v) FROM t GROUP BY pk, c LIMIT 2');
    for (const size of [undefined, 1, 2]) {
      expect(pages(limited, ROWS, size).flat()).toEqual(['1 1 3', '1 2 3']);
    }
  });

  it('JSON', () => {
    const planned = evaluated('SELECT JSON pk, w AS "W", v + 1 FROM t');
    const { plan } = planned;
    const sink = bindEvaluated(plan, planned.context()).sink({
      page: undefined,
      limit: undefined,
      partition: undefined,
    });
    sink.add(row(plan, { pk: int(1), w: text('a"b'), v: int(2) }), 0);
    expect(Buffer.from(sink.rows[0]?.[0] ?? []).toString()).toBe(
      '{"pk": 1, "\\"W\\"": "a\\"b", "v + 1": 3}',
    );
    expect(evaluatedSpecs(plan, []).map(({ name }) => name)).toEqual(['[json]']);
  });
});

describe('refusals in Cassandra’s words', () => {
  it.each([
    ['SELECT l[0] FROM t', 'Element selection is only allowed on sets and maps, but l is a list'],
    ['SELECT v.f FROM t', 'Invalid field selection: v of type int is not a user type'],
    ['SELECT u.nope FROM t', 'has no field nope'],
    ['SELECT nope(v) FROM t', "Unknown function 'nope'"],
    [
      'SELECT max(sum(v)) FROM t',
      'aggregate functions cannot be used as arguments of aggregate functions',
    ],
    ['SELECT ? FROM t', 'Cannot infer type for term ? in selection clause'],
    [
      'SELECT v FROM t WHERE v CONTAINS 1 ALLOW FILTERING',
      'Cannot use CONTAINS on non-collection column v',
    ],
    [
      'SELECT v FROM t WHERE l[0] = 1 ALLOW FILTERING',
      'Indexes on list entries (l[index] = value) are not currently supported.',
    ],
    [
      'SELECT v FROM t GROUP BY pk, max(c)',
      'Aggregate functions are not supported within the GROUP BY clause',
    ],
  ])('%s', (cql, message) => {
    expect(() => evaluated(cql)).toThrow(message);
  });

  it.each([
    [
      "SELECT (map<text, frozen<map<text, int>>>){'a': {'b': 1}}['secret'][true] FROM t",
      [],
      /key\(.*<constant>.*\)/,
    ],
    [
      "SELECT (map<text, frozen<map<text, int>>>){'a': {'b': 1}}['secret'][?] FROM t",
      [null],
      /element selection on .*<constant>/,
    ],
    [
      "SELECT (map<text, frozen<map<text, int>>>){'a': {'b': 1}}['secret'][?..] FROM t",
      [null],
      /slice selection on .*<constant>/,
    ],
  ])('%s is refused without its constants', (cql, values, message) => {
    const run = (): unknown => {
      const { plan, context } = evaluated(cql);
      return bindEvaluated(plan, context(values));
    };
    expect(run).toThrow(message);
    expect(run).not.toThrow(/secret/);
  });
});
