/** What tests of backups do again and again, on a client of a proxy or a service. */
import type { BackupOptions } from '../../src/backup/index.ts';
import type { ProxyClient } from './proxy_client.ts';

/** A table's rows, as a client gets them. A time to live may have moved on by seconds, so it is compared apart. */
export async function contents(
  client: ProxyClient,
  name: string,
  columns: string,
): Promise<string[]> {
  const rows = await client.rows(`SELECT ${columns} FROM ${name}`);
  return rows.map((row) => JSON.stringify(row)).sort();
}

/** Waits until a restored table serves reads. */
export async function untilReadable(client: ProxyClient, name: string): Promise<void> {
  const giveUpAt = Date.now() + 15_000;
  for (;;) {
    const refusal = await client.refusal(`SELECT * FROM ${name} LIMIT 1`);
    if (refusal === undefined) return;
    if (Date.now() > giveUpAt) throw new Error(refusal);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Code and text of the error of work that has to fail. */
export async function errorOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    return `${(error as { code?: string }).code ?? ''}: ${(error as Error).message}`;
  }
  throw new Error('it was expected to be refused');
}

/** A service whose process dies at a step: the step never ends, so claims are not given back either. */
export async function dying(
  at: string,
  times: number,
  run: (options: BackupOptions) => Promise<unknown>,
): Promise<void> {
  let left = times;
  await new Promise<void>((resolve, reject) => {
    run({
      claimMs: 1500,
      chunkBytes: 4096,
      step: (name) => {
        if (name !== at) return undefined;
        left -= 1;
        if (left > 0) return undefined;
        resolve();
        return new Promise(() => undefined);
      },
    }).then(() => reject(new Error(`it ended before step ${at}`)), reject);
  });
  await new Promise((resolve) => setTimeout(resolve, 1600));
}
