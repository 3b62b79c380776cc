/** Decision 25: plans are kept for long, snapshots are large. Whoever keeps a plan must not keep the snapshot that it was made of. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { parseStatement } from '../../../src/cql/index.ts';
import { MarkerRegistry, planAnySelect, planWrite } from '../../../src/encryption/index.ts';
import type { Snapshot } from '../../../src/schema/index.ts';
import { table } from './evaluate/support.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
setFlagsFromString('--no-expose-gc');

const UDT = { kind: 'udt', keyspace: 'ks', name: 'u', fields: [], frozen: true };

function planned(cql: string): { readonly plan: unknown; readonly snapshot: WeakRef<Snapshot> } {
  const snapshot = {
    keyspace: () => ({ types: new Map([['u', UDT]]) }),
    raw: () => undefined,
  } as unknown as Snapshot;
  const { statement, bindMarkers } = parseStatement(cql);
  const markers = new MarkerRegistry(bindMarkers);
  const kept = new WeakRef(snapshot);
  switch (statement.kind) {
    case 'select':
      return { plan: planAnySelect(statement, table(), snapshot, markers, true), snapshot: kept };
    case 'insert':
    case 'update':
    case 'delete':
      return { plan: planWrite(statement, table(), snapshot, markers), snapshot: kept };
    default:
      throw new TypeError(statement.kind);
  }
}

describe('plans', () => {
  it.each([
    'SELECT * FROM ks.t WHERE pk = 1',
    'SELECT abs(v) FROM ks.t WHERE pk = ?',
    'SELECT sum(v), max(w) FROM ks.t WHERE pk = 1 AND v > 2 ALLOW FILTERING',
    'SELECT m[?], u.f, cast(v AS text), v + 1, (list<int>)[v, 1] FROM ks.t WHERE pk = ?',
    'SELECT JSON v, x FROM ks.t WHERE pk IN (1, 2)',
    'SELECT pk, count(*) FROM ks.t WHERE m CONTAINS 4 GROUP BY pk ALLOW FILTERING',
    "INSERT INTO ks.t (pk, c, d, v, m) VALUES (1, 2, 'x', abs(?), {'a': 1})",
    "INSERT INTO ks.t JSON '{}'",
    "UPDATE ks.t SET v = ?, u = {f: 1} WHERE pk = 1 AND c = 2 AND d = 'x' IF v = 3",
    "DELETE v FROM ks.t WHERE pk = 1 AND c = 1 AND d IN ('x', 'y') IF v IN (1, 2)",
  ])('of %s', async (cql) => {
    const { plan, snapshot } = planned(cql);
    // A WeakRef holds what it is of until the turn ends.
    await new Promise((resolve) => setImmediate(resolve));
    collect();
    expect(snapshot.deref()).toBeUndefined();
    expect(plan).toBeDefined();
  });
});
