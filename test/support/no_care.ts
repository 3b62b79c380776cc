import type { SchemaChangesOptions } from '../../src/schema/index.ts';

/** Schema changes of a process that tells nobody, knows of no backups, and drops unused columns at once. */
export const NO_CARE: Pick<
  SchemaChangesOptions,
  'notices' | 'backups' | 'onKeysReleased' | 'unusedColumnsMs'
> = {
  notices: { keyRefused: () => undefined },
  backups: { stillNeed: () => Promise.resolve(false) },
  onKeysReleased: () => Promise.resolve(),
  unusedColumnsMs: 0,
};
