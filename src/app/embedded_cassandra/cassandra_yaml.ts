import { stringify } from 'yaml';

/** What the generated cassandra.yaml depends on. */
export interface CassandraYamlInput {
  readonly clusterName: string;
  /** Directory of data, commit log, hints and caches, as Cassandra sees it. */
  readonly storageDir: string;
  readonly nativePort: number;
  readonly storagePort: number;
  /** Address the native protocol listens on: 127.0.0.1, or 0.0.0.0 inside a container. */
  readonly rpcAddress: string;
  readonly extra: Readonly<Record<string, unknown>>;
}

/**
 * The text of cassandra.yaml for a single node. Limits on sizes are eight times Cassandra's defaults because ciphertext is
 * longer than what the client sent, and the client's own limits are judged by the proxy. All clients come from one
 * address, so the limit of one address is that of all.
 */
export function cassandraYaml(input: CassandraYamlInput): string {
  const settings: Record<string, unknown> = {
    cluster_name: input.clusterName,
    num_tokens: 1,
    partitioner: 'org.apache.cassandra.dht.Murmur3Partitioner',
    commitlog_sync: 'periodic',
    commitlog_sync_period: '10000ms',
    commitlog_segment_size: '64MiB',
    commitlog_total_space: '1024MiB',
    data_file_directories: [`${input.storageDir}/data`],
    commitlog_directory: `${input.storageDir}/commitlog`,
    hints_directory: `${input.storageDir}/hints`,
    saved_caches_directory: `${input.storageDir}/saved_caches`,
    cdc_raw_directory: `${input.storageDir}/cdc_raw`,
    listen_address: '127.0.0.1',
    rpc_address: input.rpcAddress,
    ...(input.rpcAddress === '0.0.0.0' ? { broadcast_rpc_address: '127.0.0.1' } : {}),
    storage_port: input.storagePort,
    native_transport_port: input.nativePort,
    endpoint_snitch: 'SimpleSnitch',
    seed_provider: [
      {
        class_name: 'org.apache.cassandra.locator.SimpleSeedProvider',
        parameters: [{ seeds: `127.0.0.1:${String(input.storagePort)}` }],
      },
    ],
    disk_failure_policy: 'stop',
    commit_failure_policy: 'stop',
    concurrent_reads: 32,
    concurrent_writes: 32,
    concurrent_counter_writes: 32,
    batch_size_warn_threshold: '40KiB',
    batch_size_fail_threshold: '400KiB',
    native_transport_max_frame_size: '128MiB',
    native_transport_max_request_data_in_flight: '256MiB',
    native_transport_max_request_data_in_flight_per_ip: '256MiB',
  };
  for (const [name, value] of Object.entries(input.extra)) settings[name] = value;
  return `# Generated at each start; edits are lost.\n${stringify(settings)}`;
}

/** The text of logback.xml: one rolling file, and what comes before logging is set up on the console. */
export function logbackXml(logFile: string): string {
  const escaped = logFile.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  return `<!-- Generated at each start; edits are lost. -->
<configuration scan="false">
  <appender name="FILE" class="ch.qos.logback.core.rolling.RollingFileAppender">
    <file>${escaped}</file>
    <rollingPolicy class="ch.qos.logback.core.rolling.SizeAndTimeBasedRollingPolicy">
      <fileNamePattern>${escaped}.%d{yyyy-MM-dd}.%i</fileNamePattern>
      <maxFileSize>20MB</maxFileSize>
      <maxHistory>5</maxHistory>
      <totalSizeCap>200MB</totalSizeCap>
    </rollingPolicy>
    <encoder>
      <pattern>%-5level [%thread] %date{ISO8601} %F:%L - %msg%n</pattern>
    </encoder>
  </appender>
  <root level="INFO">
    <appender-ref ref="FILE" />
  </root>
</configuration>
`;
}
