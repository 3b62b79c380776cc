import type { Config } from '../../config/index.ts';
import { InvalidRequestError, ProxyError } from '../../errors/index.ts';
import type { Logger } from '../../observability/index.ts';
import { CassandraRecordStore } from '../../upstream/index.ts';
import type { ControlConnection } from '../../upstream/index.ts';
import { clusterOf } from '../commands/catalog_session.ts';
import { newControlConnection } from '../create_proxy.ts';
import type { Finding } from './finding.ts';
import { judgeCassandra } from './judge_cassandra.ts';

/** Connects to Cassandra with the proxy's own role and looks at what it says of itself. Changes nothing. */
export async function checkCluster(config: Config, logger: Logger): Promise<Finding[]> {
  const findings: Finding[] = [];
  const contactPoints = clusterOf(config);
  const control = newControlConnection(config, contactPoints, logger);
  try {
    const reached = `reached${config.upstream.tls === undefined ? ' in plain text' : ' by TLS'}`;
    try {
      await control.connect();
    } catch (error) {
      if (!(error instanceof ProxyError)) throw error;
      return [...findings, notReached(error)];
    }
    findings.push({ level: 'ok', topic: 'connection', message: reached });
    const { rows } = await control.execute('SELECT release_version FROM system.local');
    findings.push(
      ...judgeCassandra(
        {
          releaseVersion: String(rows[0]?.['release_version']),
          settings: await settingsOf(control),
        },
        { maxFrameBytes: config.limits.maxFrameBytes },
      ),
    );
    findings.push(await preparation(control));
    if (config.upstream.username === 'cassandra') {
      findings.push({
        level: 'warning',
        topic: 'role',
        setting: 'CQLOCK_USERNAME',
        message:
          "the proxy logs in as cassandra, a superuser that every attacker tries: make a role of its own with 'cqlock role create'",
      });
    }
  } finally {
    await control.close();
  }
  return findings;
}

/** Why there is no connection, with the setting to look at. */
function notReached(error: ProxyError): Finding {
  const message = `${error.message} [${error.code}]`;
  // What follows names all settings that it could be.
  const [why = ''] = error.message.split('; check ', 1);
  const finding = { level: 'error', topic: 'connection' } as const;
  if (/certificate|issuer|altname|self.signed|SSL|TLS/i.test(why)) {
    return {
      ...finding,
      setting: 'CQLOCK_CASSANDRA_TLS_CA_FILE',
      message: `${message}: cassandra.tls.ca_file must be the CA of the nodes' certificates, and they must be for the addresses of the nodes or cassandra.tls.server_name`,
    };
  }
  if (/credential|authenticat|password/i.test(why)) {
    return {
      ...finding,
      setting: 'CQLOCK_USERNAME',
      message: `${message}: correct user and password of the proxy's own role, or make it with 'cqlock role create'`,
    };
  }
  return {
    ...finding,
    setting: 'CQLOCK_CONTACT_POINTS',
    message: `${message}: correct the addresses of the nodes and the port of the native protocol, or start Cassandra`,
  };
}

async function settingsOf(
  control: ControlConnection,
): Promise<ReadonlyMap<string, string> | undefined> {
  try {
    const { rows } = await control.execute('SELECT name, value FROM system_views.settings');
    return new Map(rows.map((row) => [String(row['name']), String(row['value'])]));
  } catch (error) {
    // Not permitted, or a Cassandra without the table.
    if (error instanceof InvalidRequestError) return undefined;
    throw error;
  }
}

/** Keys count, not the keyspace: `cqlock role create` makes that too. */
async function preparation(control: ControlConnection): Promise<Finding> {
  const topic = 'cluster';
  const records = new CassandraRecordStore(control);
  try {
    const isPrepared = (await records.exists()) && (await records.clusterIds()).length > 0;
    return isPrepared
      ? { level: 'ok', topic, message: 'the cluster was prepared by cqlock init' }
      : { level: 'warning', topic, message: 'the cluster is not prepared: run cqlock init once' };
  } catch (error) {
    if (!(error instanceof ProxyError)) throw error;
    const message = `keyspace cqlock cannot be read: ${error.message} [${error.code}]: give the proxy's role its permissions with 'cqlock role create', and see that a quorum of the nodes is up`;
    return { level: 'error', topic, setting: 'CQLOCK_USERNAME', message };
  }
}
