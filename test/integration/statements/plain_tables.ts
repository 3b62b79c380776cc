import { afterAll, beforeAll, expect, it } from 'vitest';
import { RawClient } from '../../support/raw_client.ts';
import { REPLICATION, rowsOf, run } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';

/** Tables that nobody told the proxy of are refused; those that are listed as plain can be read and not written. */
export function describePlainTables(pair: () => Pair): void {
  let direct: RawClient;
  let proxy: RawClient;

  beforeAll(async () => {
    direct = await RawClient.connect(pair().direct);
    proxy = await RawClient.connect(pair().proxy);
    await run(direct, 'DROP KEYSPACE IF EXISTS behind');
    await run(direct, `CREATE KEYSPACE behind WITH replication = ${REPLICATION}`);
    await run(direct, 'CREATE TABLE behind.t (pk int PRIMARY KEY, v text)');
    await run(direct, "INSERT INTO behind.t (pk, v) VALUES (1, 'plain')");
  });

  afterAll(() => {
    direct.close();
    proxy.close();
  });

  it.each([
    'SELECT * FROM behind.t',
    'SELECT v FROM behind.t WHERE pk = 1',
    'SELECT count(*) FROM behind.t',
    "INSERT INTO behind.t (pk, v) VALUES (2, 'x')",
    "UPDATE behind.t SET v = 'x' WHERE pk = 1",
    'DELETE FROM behind.t WHERE pk = 1',
    "BEGIN BATCH INSERT INTO behind.t (pk, v) VALUES (2, 'x'); APPLY BATCH",
    'TRUNCATE behind.t',
    'ALTER TABLE behind.t ADD w text',
  ])('an unknown table is refused: %s', async (cql) => {
    for (const answer of [
      await proxy.query(cql),
      ...(/^(TRUNCATE|ALTER)/.test(cql) ? [] : [await proxy.prepare(cql)]),
    ]) {
      expect(answer).toMatchObject({ kind: 'error', code: 0x2200 });
      expect(answer.kind === 'error' && answer.message).toMatch(
        /behind\.t was not created through the proxy/,
      );
    }
    expect(rowsOf(await run(direct, 'SELECT pk, v FROM behind.t'))).toHaveLength(1);
  });
}
