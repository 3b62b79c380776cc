/**
 * `cqlock check`: everything that can be found out before a start. check_machine.ts looks at files, check_cluster.ts at
 * Cassandra, judge_cassandra.ts says what is to be raised there; all_findings.ts
 * puts them together.
 */
export { allFindings } from './all_findings.ts';
export type { Finding } from './finding.ts';
