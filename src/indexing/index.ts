/**
 * Builds rows that were there before into new secondary indexes, in the background. Decision 19 has the reasons.
 *
 * A write-only index is kept by every write already; what is missing are the cells of before. They are read by token ranges,
 * decrypted, and their blind values written with their own write times, so a newer write of a client wins. When all ranges
 * are done the index becomes active, by one change of the table's record. The job is durable in the table's rotation record;
 * after a crash another proxy goes on.
 *
 * May import: rotation (holds, records), upstream (rows), keys, schema, encryption, crypto, errors, util. Start reading at
 * index_builder.ts.
 */
export { IndexBuilder } from './index_builder.ts';
export type { IndexBuildProgress, IndexBuilderOptions, IndexBuilderPorts } from './ports.ts';
