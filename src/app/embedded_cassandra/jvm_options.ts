const EXPORTED_PACKAGES = [
  'java.base/jdk.internal.misc',
  'java.base/jdk.internal.ref',
  'java.base/sun.nio.ch',
  'java.management.rmi/com.sun.jmx.remote.internal.rmi',
  'java.rmi/sun.rmi.registry',
  'java.rmi/sun.rmi.server',
  'java.sql/java.sql',
];

const OPENED_PACKAGES = [
  'java.base/java.lang.module',
  'java.base/jdk.internal.loader',
  'java.base/jdk.internal.ref',
  'java.base/jdk.internal.reflect',
  'java.base/jdk.internal.math',
  'java.base/jdk.internal.module',
  'java.base/jdk.internal.util.jar',
  'java.base/sun.nio.ch',
  'java.base/java.io',
  'java.base/java.lang',
  'java.base/java.util',
  'java.base/java.nio',
  'jdk.management/com.sun.management.internal',
];

/** The module options that Cassandra's code needs on Java 11 and 17, for the daemon and for its tools. */
export function javaModuleOptions(): string[] {
  return [
    '-Djdk.attach.allowAttachSelf=true',
    ...EXPORTED_PACKAGES.flatMap((name) => ['--add-exports', `${name}=ALL-UNNAMED`]),
    ...OPENED_PACKAGES.flatMap((name) => ['--add-opens', `${name}=ALL-UNNAMED`]),
  ];
}

/** What the command line of the daemon is made of. */
export interface DaemonCommand {
  readonly jarDir: string;
  readonly dataDir: string;
  /** Where its libraries unpack their native parts; they stay there when it is killed. */
  readonly tempDir: string;
  readonly yamlFile: string;
  readonly logbackFile: string;
  readonly heapMb: number;
  readonly jmxPort: number;
  readonly extraJvm: readonly string[];
}

/** Marks a process as the Cassandra of this data directory, so that a left-over is told from a stranger. */
export function ownershipOption(dataDir: string): string {
  return `-Dcqlock.embedded.cassandra=${dataDir}`;
}

/** All arguments of `java` for the daemon. A single node waits for nobody, so the waits for other nodes are cut. */
export function daemonArguments(command: DaemonCommand): string[] {
  return [
    ownershipOption(command.dataDir),
    ...javaModuleOptions(),
    `-Xms${String(command.heapMb)}M`,
    `-Xmx${String(command.heapMb)}M`,
    '-XX:+UseG1GC',
    '-XX:MaxGCPauseMillis=200',
    '-XX:+ExitOnOutOfMemoryError',
    '-XX:+PerfDisableSharedMem',
    '-Xss512k',
    '-Djava.net.preferIPv4Stack=true',
    '-Dcassandra-foreground=yes',
    `-Dcassandra.config=file://${command.yamlFile}`,
    `-Dlogback.configurationFile=${command.logbackFile}`,
    `-Djava.io.tmpdir=${command.tempDir}`,
    `-Dcassandra.storagedir=${command.dataDir}`,
    `-Dcassandra.logdir=${command.dataDir}/logs`,
    `-Dcassandra.jmx.local.port=${String(command.jmxPort)}`,
    '-Dcassandra.skip_wait_for_gossip_to_settle=0',
    '-Dcassandra.ring_delay_ms=1000',
    '-Dcassandra.superuser_setup_delay_ms=0',
    ...command.extraJvm,
    '-cp',
    `${command.jarDir}/*`,
    'org.apache.cassandra.service.CassandraDaemon',
  ];
}
