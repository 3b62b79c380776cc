/**
 * A Cassandra for those who have none: its own jars from Maven Central with the local Java, or a container. One node on
 * 127.0.0.1 whose data, generated configuration and logs live in one directory, started and stopped with the proxy.
 *
 * Imports errors and util; may start processes and open sockets. Nothing of the proxy is known here.
 */
export { startDockerCassandra } from './docker_cassandra.ts';
export type { DockerCassandraOptions } from './docker_cassandra.ts';
export { startEmbeddedCassandra } from './start_embedded_cassandra.ts';
export { defaultCacheDirectory, ensureCassandraJars } from './cassandra_jars.ts';
export { takeFileLock } from './file_lock.ts';
export { findFreePort, isPortFree } from './ports.ts';
export { findJava } from './java_runtime.ts';
export { javaModuleOptions } from './jvm_options.ts';
export type { JavaRuntime } from './java_runtime.ts';
export { answersOptions } from './native_port_probe.ts';
export type { CassandraExit, EmbeddedCassandra, EmbeddedCassandraOptions } from './types.ts';
