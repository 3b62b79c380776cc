/**
 * What a client may see of masked columns. clear: it has UNMASK on the table. unmasked: masks have no effect, as masking is off in
 * Cassandra. Where nothing is said, values are masked.
 */
export type MaskSight = 'clear' | 'unmasked';
