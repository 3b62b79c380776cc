import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { addRotateCommands } from '../../../src/app/commands/rotate.ts';
import { statusLines } from '../../../src/app/commands/rotation_table.ts';
import type { TableRotationStatus } from '../../../src/rotation/index.ts';

async function refusal(...args: string[]): Promise<unknown> {
  const program = new Command().exitOverride();
  let refused: unknown;
  addRotateCommands(
    program,
    async (command) => {
      await command({} as Parameters<typeof command>[0]).catch((error: unknown) => {
        refused = error;
      });
    },
    () => undefined,
  );
  await program.parseAsync(['rotate', ...args], { from: 'user' });
  return refused;
}

describe('cqlock rotate', () => {
  it('refuses a new key DEK and names the way that there is', async () => {
    const error = await refusal('--rewrite', 'ks.t');
    expect(error).toMatchObject({ code: 'SCHEMA_KEY_REWRITE' });
    expect((error as Error).message).toMatch(/^ks\.t: .*create a new table/);
  });

  it.each([[[]], [['ks.t', '--all']]])('cells %j needs one table or --all', async (args) => {
    expect(await refusal('cells', ...args)).toMatchObject({ code: 'CONFIG_ARGUMENTS' });
  });
});

describe('the status of rotation for people', () => {
  const base: TableRotationStatus = {
    keyspace: 'ks',
    table: 'quiet',
    epochs: [{ epoch: 1, state: 'active', createdAtMs: Date.UTC(2025, 2, 4) }],
    minEpoch: 1,
    cells: 12,
    reencryption: null,
    lastReencryption: null,
  };

  it('has a line a table, with what goes on', () => {
    const busy: TableRotationStatus = {
      ...base,
      table: 'busy',
      epochs: [
        { epoch: 2, state: 'decrypt_only', createdAtMs: 0 },
        { epoch: 3, state: 'active', createdAtMs: Date.UTC(2025, 6, 1) },
        { epoch: 4, state: 'pending', createdAtMs: 0 },
      ],
      reencryption: {
        phase: 'blocked',
        targetEpoch: 3,
        requestedAtMs: 0,
        ranges: 256,
        done: 256,
        rows: 10,
        cells: 7,
        damaged: 2,
      },
    };
    expect(statusLines([base, busy])).toEqual([
      'TABLE     ACTIVE         SINCE       CELLS  OLDER EPOCHS  RE-ENCRYPTION',
      'ks.quiet  1              2025-03-04  12     -             -',
      'ks.busy   3 (4 pending)  2025-07-01  12     2             blocked, 256 of 256 ranges, 7 cells, 2 damaged cells',
    ]);
  });

  it('says that there is nothing', () => {
    expect(statusLines([])).toEqual(['there are no encrypted tables']);
  });
});
