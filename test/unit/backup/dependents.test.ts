import { expect, it } from 'vitest';
import { dependentsOf } from '../../../src/backup/dependents.ts';

it.each([
  ['CREATE INDEX t_v_idx ON ks.t (v);', 'CREATE INDEX t_v_idx ON other."T 2" (v);'],
  [
    'CREATE CUSTOM INDEX "I" ON ks."t" (entries("M")) USING \'sai\' WITH OPTIONS = {\'a\': \'ON ks.t\'};',
    'CREATE CUSTOM INDEX "I" ON other."T 2" (entries("M")) USING \'sai\' WITH OPTIONS = {\'a\': \'ON ks.t\'};',
  ],
  [
    'CREATE MATERIALIZED VIEW ks."View" AS\n    SELECT v FROM ks.t\n    WHERE pk IS NOT NULL AND v IS NOT NULL\n    PRIMARY KEY (pk, v);',
    'CREATE MATERIALIZED VIEW other."View" AS\n    SELECT v FROM other."T 2"\n    WHERE pk IS NOT NULL AND v IS NOT NULL\n    PRIMARY KEY (pk, v);',
  ],
])('%s is made for another table', (statement, expected) => {
  expect(dependentsOf([statement], { keyspace: 'other', name: 'T 2' })).toEqual([expected]);
});

it('gives a statement that is not understood as a comment, and the others as they are', () => {
  const statements = [
    "CREATE NOVEL INDEX i ON ks.t (v) WITH comment = 'a */ b'",
    'CREATE INDEX j ON ks.t (w);',
  ];
  expect(dependentsOf(statements, { keyspace: 'ks', name: 'New' })).toEqual([
    `/* not understood, write it for ks."New" by hand: CREATE NOVEL INDEX i ON ks.t (v) WITH comment = 'a * / b' */`,
    'CREATE INDEX j ON ks."New" (w);',
  ]);
});
