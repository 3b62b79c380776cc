/**
 * The differences that docs/compatibility.md lists, as predicates. Each names its section there; a difference that no entry
 * takes is a failure. Keep them narrow: what an entry takes is no longer tested.
 */
import type { Difference, Outcome } from './compare.ts';
import { KS, type GenTable, type Step } from './model.ts';
import { typeText } from './types.ts';

/** One listed difference. */
export interface KnownDifference {
  readonly name: string;
  /** Heading in docs/compatibility.md. */
  readonly section: string;
  readonly applies: (
    step: Step,
    difference: Difference,
    table: GenTable,
    /** How long the slower side took. */
    elapsedMs: number,
  ) => boolean;
  /** Only one side wrote: the table is emptied on both, so that what follows is compared again. */
  readonly leavesOtherRows?: boolean;
}

/** The list. Order of scans, values of token(), equal timestamps, scale of clustering decimals and trace text are built into the comparison itself. */
export const KNOWN_DIFFERENCES: readonly KnownDifference[] = [
  {
    name: 'an empty last page after pk IN',
    section: 'Paging',
    // Cassandra may send one more page, an empty one, when the last rows filled a page exactly.
    applies: (_step, difference) =>
      difference.what === 'paging' &&
      pagesOf(difference.direct).join() === pagesOf(difference.proxy).join(),
  },
  {
    name: 'a page of a filter that is sent after two seconds',
    section: 'Paging',
    // On a machine with other work: the rows are the same.
    applies: (step, difference, _table, elapsedMs) =>
      difference.what === 'paging' &&
      elapsedMs >= 2000 &&
      step.pageSize !== undefined &&
      /ALLOW FILTERING|GROUP BY/.test(step.cql) &&
      difference.direct?.rows.length === difference.proxy?.rows.length,
  },
  {
    name: 'malformed bytes bound as a user type, tuple or vector',
    section: 'Malformed bound values',
    // Cassandra answers with a server error and the name of a Java exception.
    applies: (_step, difference) =>
      difference.what === 'code' &&
      difference.direct?.first.kind === 'error' &&
      difference.direct.first.code === 0x0000 &&
      /MarshalException|AssertionError|IndexOutOfBoundsException/.test(
        difference.direct.first.message,
      ) &&
      difference.proxy?.first.kind === 'error' &&
      difference.proxy.first.code === 0x2200,
  },
  {
    name: 'a hex constant that is no value of its tuple, vector or user type',
    section: 'Malformed bound values',
    // Cassandra stores it and fails when it is read.
    leavesOtherRows: true,
    applies: (_step, difference) =>
      difference.what === 'code' &&
      difference.direct?.first.kind !== 'error' &&
      difference.proxy?.first.kind === 'error' &&
      difference.proxy.first.code === 0x2200 &&
      /^(Not enough bytes|Unexpected extraneous|Expected \d)/.test(difference.proxy.first.message),
  },
  {
    name: 'an order of columns that Cassandra fails at',
    section: 'Error texts',
    // With an IN on several columns it throws an exception of Java where else it refuses the order.
    applies: (step, difference) =>
      difference.what === 'code' &&
      step.cql.includes('ORDER BY') &&
      difference.direct?.first.kind === 'error' &&
      difference.direct.first.code === 0x0000 &&
      difference.direct.first.message.includes('ArrayIndexOutOfBoundsException') &&
      difference.proxy?.first.kind === 'error' &&
      difference.proxy.first.code === 0x2200,
  },
  {
    name: 'conditions of which one fails and one does not hold',
    section: 'Order of conditions',
    // Cassandra answers with the one that it judges first, by hash.
    applies: (step, difference) => {
      const sides = [difference.direct?.first, difference.proxy?.first];
      const failed = sides.find((first) => first?.kind === 'error');
      return (
        difference.what === 'code' &&
        step.kind.includes(' if') &&
        sides.some((first) => first?.kind === 'rows') &&
        failed?.kind === 'error' &&
        failed.message.startsWith('Invalid comparison with ')
      );
    },
  },
  {
    name: 'a condition on a field that was added after the value was written',
    section: 'Conditions on new fields',
    // Cassandra fails, whatever the condition is; the proxy takes the field as null, and may so write.
    leavesOtherRows: true,
    applies: (step, difference) =>
      difference.what === 'code' &&
      step.kind.includes(' if') &&
      difference.direct?.first.kind === 'error' &&
      difference.direct.first.code === 0x0000 &&
      difference.direct.first.message.includes('ArrayIndexOutOfBoundsException') &&
      difference.proxy?.first.kind === 'rows',
  },
  {
    name: 'a condition on an entry of a map whose keys are not text',
    section: 'Conditions on entries of maps',
    // Cassandra compares the values by the type of the keys: of booleans it looks at the first byte alone.
    leavesOtherRows: true,
    applies: (step, difference, table) =>
      (difference.what === 'code' ||
        difference.what === 'metadata' ||
        difference.what === 'rows') &&
      step.kind.includes(' if') &&
      comparesOtherEntries([step.cql, ...(step.children ?? []).map(({ cql }) => cql)], table),
  },
  {
    name: 'a dropped collection, tuple or user type added again as another one',
    section: 'Dropped columns',
    applies: (_step, difference) =>
      difference.what === 'code' &&
      difference.proxy?.first.kind === 'error' &&
      difference.proxy.first.code === 0x2200 &&
      difference.proxy.first.message.includes('can be added again as'),
  },
  {
    name: 'a paging state of its own that Cassandra refuses',
    section: 'Paging',
    // Groups of a table without clustering columns, from the second page on.
    applies: (step, difference) =>
      difference.what === 'code' &&
      step.cql.includes('GROUP BY') &&
      difference.direct?.first.kind === 'error' &&
      difference.direct.first.code === 0x000a &&
      difference.direct.first.message === 'Invalid value for the paging state' &&
      difference.proxy?.first.kind === 'rows',
  },
  {
    name: 'pages of groups that Cassandra fails at',
    section: 'Paging',
    // The replica fails at GROUP BY with a page size (an open range tombstone), or does not answer for that.
    applies: (step, difference) =>
      difference.what === 'code' &&
      step.cql.includes('GROUP BY') &&
      step.pageSize !== undefined &&
      difference.direct?.first.kind === 'error' &&
      [0x1200, 0x1300].includes(difference.direct.first.code) &&
      difference.proxy?.first.kind === 'rows',
  },
  {
    name: 'a group of a partition that IN names twice',
    section: 'Paging',
    // Cassandra puts both into one page, whatever the page size is.
    applies: (step, difference) =>
      difference.what === 'paging' &&
      /\bIN \(.*GROUP BY/.test(step.cql) &&
      difference.direct?.rows.length === difference.proxy?.rows.length &&
      new Set(difference.direct?.rows.map(rowText)).size < (difference.direct?.rows.length ?? 0),
  },
  {
    name: 'groups of one row each that Cassandra does not page',
    section: 'Paging',
    // Without clustering columns and with a page size of one it puts all groups of an IN into one page.
    applies: (step, difference, table) =>
      difference.what === 'paging' &&
      step.pageSize === 1 &&
      table.ck.length === 0 &&
      / IN .* GROUP BY /.test(step.cql) &&
      difference.direct?.pages.length === 1 &&
      difference.direct.rows.length === difference.proxy?.rows.length,
  },
  {
    name: 'empty values that Cassandra finds by an index that has none',
    section: 'Secondary indexes',
    // The index still has the value of before, and the empty one is less than any.
    applies: (step, difference, table) =>
      (difference.what === 'rows' || difference.what === 'paging') &&
      [...table.attached].some(
        (column) =>
          table.emptied.has(column) &&
          [` ${column} < `, ` ${column} <= `].some((text) => step.cql.includes(text)),
      ) &&
      lacksRows(difference.proxy, difference.direct),
  },
  {
    name: 'a filter of clustering columns beside an index on a partition key column, which Cassandra fails at',
    section: 'Secondary indexes',
    // Its replica throws a NullPointerException where a partition has static values.
    applies: (step, difference, table) =>
      difference.what === 'code' &&
      difference.direct?.first.kind === 'error' &&
      difference.direct.first.code === 0x1300 &&
      table.statics.length > 0 &&
      [...table.indexedKeys].some((column) => step.cql.includes(`${column} `)) &&
      step.cql.includes(' ALLOW FILTERING') &&
      difference.proxy?.first.kind === 'rows',
  },
  {
    name: 'rows that Cassandra loses between pages of a filter on static columns',
    section: 'Paging',
    // With a larger page it finds them: a partition of static values alone, which does not match, fills a page of one.
    applies: (step, difference) =>
      (difference.what === 'rows' || difference.what === 'paging') &&
      /\bs\d.* ALLOW FILTERING/.test(step.cql.slice(step.cql.indexOf(' WHERE '))) &&
      step.pageSize !== undefined &&
      lacksRows(difference.direct, difference.proxy),
  },
  {
    name: 'rows that Cassandra finds by removed elements of a static collection',
    section: 'Filters on static collections',
    // In a read of named partitions it looks at tombstones, too.
    applies: (step, difference) =>
      (difference.what === 'rows' || difference.what === 'paging') &&
      /\bs\d+(?: Q")? CONTAINS .* ALLOW FILTERING/.test(step.cql) &&
      lacksRows(difference.proxy, difference.direct),
  },
  {
    name: 'rows of Cassandra in an empty slice beside an IN that names a value twice',
    section: 'Slices that hold nothing',
    applies: (step, difference) =>
      (difference.what === 'rows' || difference.what === 'paging') &&
      /"?c\d+(?: Q")? IN .*\("?c\d+(?: Q")?\) [<>].*\("?c\d+(?: Q")?, .*[<>]/.test(step.cql) &&
      (difference.direct?.rows.length ?? 0) > 0 &&
      difference.proxy?.rows.length === 0,
  },
  {
    name: 'an index that Cassandra has not built yet',
    section: 'Secondary indexes',
    applies: (_step, difference) =>
      difference.what === 'code' &&
      difference.direct?.first.kind === 'error' &&
      difference.direct.first.code === 0x1300 &&
      difference.direct.first.message.includes('INDEX_NOT_AVAILABLE') &&
      difference.proxy?.first.kind === 'rows',
  },
  {
    name: 'CONTAINS on a clustering column that descends',
    section: 'Collections as clustering columns',
    // Cassandra takes its type for no collection.
    applies: (step, difference) =>
      difference.what === 'code' &&
      step.cql.includes(' CONTAINS ') &&
      difference.direct?.first.kind === 'error' &&
      /^Cannot use CONTAINS (KEY )?on non-(collection|map) column/.test(
        difference.direct.first.message,
      ) &&
      difference.proxy?.first.kind === 'rows',
  },
  {
    name: 'type of a dropped column of a user type',
    section: 'Dropped columns',
    // Cassandra shows the user type as the tuple of its fields.
    applies: (step, difference) =>
      difference.what === 'rows' && step.cql.includes('system_schema.dropped_columns'),
  },
];

/** Whether a condition is on an entry of a map with keys of another type than text, ascii or blob. */
function comparesOtherEntries(texts: readonly string[], table: GenTable): boolean {
  return [...table.regular, ...table.statics].some(
    ({ text, type }) =>
      /^(frozen<)?map<(?!text|ascii|blob|varchar)/.test(typeText(type, KS)) &&
      texts.some((cql) => cql.slice(cql.indexOf(' IF ')).includes(`${text}[`)),
  );
}

/** Whether one answer has some of the rows of the other, and no others. */
function lacksRows(some: Outcome | null, all: Outcome | null): boolean {
  const known = new Set((all?.rows ?? []).map(rowText));
  const rows = (some?.rows ?? []).map(rowText);
  return rows.length < (all?.rows.length ?? 0) && rows.every((row) => known.has(row));
}

/** Rows of each page, without empty pages at the end. */
function pagesOf(outcome: Outcome | null): number[] {
  const pages = [...(outcome?.pages ?? [])];
  while (pages.length > 1 && pages.at(-1) === 0) pages.pop();
  return pages;
}

function rowText(row: readonly (Buffer | null)[]): string {
  return row.map((cell) => cell?.toString('hex') ?? '-').join();
}
