/**
 * The differences that docs/compatibility.md lists, as predicates. Each names its section there; a difference that no entry
 * takes is a failure. Keep them narrow: what an entry takes is no longer tested.
 */
import type { Step } from './model.ts';
import type { Difference } from './compare.ts';

/** One listed difference. */
export interface KnownDifference {
  readonly name: string;
  /** Heading in docs/compatibility.md. */
  readonly section: string;
  readonly applies: (step: Step, difference: Difference) => boolean;
}

/** The list. Order of scans, values of token(), equal timestamps, scale of clustering decimals and trace text are built into the comparison itself. */
export const KNOWN_DIFFERENCES: readonly KnownDifference[] = [];
