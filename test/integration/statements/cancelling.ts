import { beforeAll, expect, it } from 'vitest';
import { RawClient } from '../../support/raw_client.ts';
import { int } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { SideBySide } from '../support/side_by_side.ts';

const PARTITIONS = 40;
const ROWS = 500;

/** Long evaluations: closing the connection ends them. */
export function describeCancelling(pair: () => Pair): void {
  beforeAll(async () => {
    const sides = await SideBySide.open(pair(), 'cancelling');
    await sides.done('CREATE TABLE KS.t (pk int, ck int, v int, PRIMARY KEY (pk, ck))');
    const insert = await sides.proxy.prepare(
      sides.text('INSERT INTO KS.t (pk, ck, v) VALUES (?, ?, ?)', 'proxy'),
    );
    if (insert.kind !== 'prepared') throw new Error('not prepared');
    for (let pk = 0; pk < PARTITIONS; pk++) {
      await Promise.all(
        Array.from({ length: ROWS }, (_, ck) =>
          sides.proxy.execute(insert.id, { values: [int(pk), int(ck), int(ck)] }),
        ),
      );
    }
    sides.close();
  });

  async function decrypted(): Promise<number> {
    const http = pair().started?.http ?? '';
    const metrics = await (await fetch(`${http}/metrics`)).text();
    return Number(/^cqlock_cells_decrypted_total\S* (\d+)/m.exec(metrics)?.[1] ?? '0');
  }

  it('a closed connection ends its evaluation', async ({ skip }) => {
    if (pair().started === undefined) skip();
    const client = await RawClient.connect(pair().proxy);
    const before = await decrypted();
    const cql = 'SELECT sum(v), avg(v), max(v), min(v) FROM cancelling_enc.t';
    const answer = client.query(cql).catch(() => undefined);
    while ((await decrypted()) === before) await new Promise((resolve) => setTimeout(resolve, 1));
    client.close();
    await answer;
    await new Promise((resolve) => setTimeout(resolve, 500));
    const stopped = await decrypted();
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(await decrypted()).toBe(stopped);
    expect(stopped - before).toBeLessThan(PARTITIONS * ROWS);
  });
}
