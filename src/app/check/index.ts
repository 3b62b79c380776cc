/**
 * `cqlock check`: everything that can be found out before a start. check_machine.ts looks at files, check_cluster.ts at
 * Cassandra, judge_cassandra.ts says what is to be raised there.
 */
export { checkCluster } from './check_cluster.ts';
export { attempt, checkMachine } from './check_machine.ts';
export type { Finding } from './finding.ts';
