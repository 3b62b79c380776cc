/**
 * The composition root: command line, signals, the Cassandra that is started for those who have none, and the wiring of
 * all parts. The only place that reads the environment, the arguments and the working directory.
 *
 * Imports every folder; nothing imports it. Start at main.ts (process) and start.ts (what `cqlock start` does).
 */
export { start } from './start.ts';
export type { StartContext } from './start.ts';
export type { ProxyContext, ProxyFactory, RunningProxy } from './proxy_factory.ts';
