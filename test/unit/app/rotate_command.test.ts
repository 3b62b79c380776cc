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
  it('takes a table to rewrite, keyspace and all', async () => {
    expect(await refusal('--rewrite', 't')).toMatchObject({ code: 'CONFIG_ARGUMENTS' });
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
    keyEpoch: 1,
    rewrite: null,
    lastRewrite: null,
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

  it('shows a rewrite in the place of re-encryption', () => {
    const rewrite = {
      phase: 'moving',
      beganAtMs: 0,
      epoch: 2,
      pass: 1,
      ranges: 256,
      done: 12,
      rows: 34,
      cells: 56,
      damaged: 1,
    } as const;
    expect(statusLines([{ ...base, rewrite }])[1]).toMatch(
      / rewrite: moving, pass 1, 12 of 256 ranges, 34 rows, 1 rows do not open$/,
    );
  });

  it('says that there is nothing', () => {
    expect(statusLines([])).toEqual(['there are no encrypted tables']);
  });
});
