import type { Finding } from './finding.ts';

/** What Cassandra says of itself. */
export interface CassandraFacts {
  readonly releaseVersion: string;
  /** Names and values of `system_views.settings`; undefined when the role may not read it. */
  readonly settings: ReadonlyMap<string, string> | undefined;
}

/**
 * How much longer a request is for Cassandra than what the client sent, at most: small values grow by their header, nonce and
 * tag.
 */
const GROWTH = 8;
const KIB = 1024;
const MIB = 1024 * KIB;
/** The default of Cassandra, which clients are used to. */
const CLIENT_BATCH_WARN = 5 * KIB;
const CLIENT_BATCH_FAIL = 50 * KIB;
const SETTINGS_GRANT = 'GRANT SELECT ON system_views.settings TO the role of the proxy';

/** What is to be known about a Cassandra, by what it says of itself. */
export function judgeCassandra(
  facts: CassandraFacts,
  options: { readonly maxFrameBytes: number },
): Finding[] {
  const findings: Finding[] = [versionFinding(facts.releaseVersion)];
  const { settings } = facts;
  if (settings === undefined) {
    findings.push({
      level: 'warning',
      topic: 'thresholds',
      message: `the thresholds of Cassandra cannot be read: ${SETTINGS_GRANT}`,
    });
    return findings;
  }
  const atLeast = (name: string, needed: number, why: string): void => {
    const text = settings.get(name);
    const bytes = bytesOf(text);
    if (bytes === undefined) return;
    const enough = bytes >= needed;
    findings.push({
      level: enough ? 'ok' : 'warning',
      topic: 'thresholds',
      message: enough
        ? `${name} is ${text ?? ''}`
        : `${name} is ${text ?? ''}: raise it in cassandra.yaml to at least ${sizeText(needed)}, ${why}`,
    });
  };
  const batches = `as ciphertext is up to ${String(GROWTH)} times as long as small values`;
  atLeast('batch_size_warn_threshold', CLIENT_BATCH_WARN * GROWTH, batches);
  atLeast('batch_size_fail_threshold', CLIENT_BATCH_FAIL * GROWTH, batches);
  atLeast(
    'native_transport_max_frame_size',
    options.maxFrameBytes * GROWTH,
    `${String(GROWTH)} times CQLOCK_MAX_FRAME_BYTES (limits.max_frame_bytes), or lower that`,
  );
  atLeast(
    'commitlog_segment_size',
    64 * MIB,
    'as a mutation may be half of it, and ciphertext is longer',
  );
  perAddress(settings, findings);
  if ((settings.get('authenticator') ?? '').includes('AllowAllAuthenticator')) {
    findings.push({
      level: 'warning',
      topic: 'authentication',
      message:
        'Cassandra lets everybody in (AllowAllAuthenticator): set authenticator to PasswordAuthenticator in cassandra.yaml',
    });
  }
  return findings;
}

/** All clients of a proxy come from its address. */
function perAddress(settings: ReadonlyMap<string, string>, findings: Finding[]): void {
  const name = 'native_transport_max_request_data_in_flight';
  const all = bytesOf(settings.get(name));
  const one = bytesOf(settings.get(`${name}_per_ip`));
  if (all === undefined || one === undefined || one >= all) return;
  findings.push({
    level: 'warning',
    topic: 'thresholds',
    message: `${name}_per_ip is ${settings.get(`${name}_per_ip`) ?? ''}: raise it in cassandra.yaml to ${name} (${settings.get(name) ?? ''}), as all clients of a proxy come from its address`,
  });
}

function versionFinding(version: string): Finding {
  const [major = 0] = version.split('.').map(Number);
  const topic = 'cassandra';
  if (major === 5) return { level: 'ok', topic, message: `Cassandra ${version}` };
  if (major === 4) {
    return {
      level: 'warning',
      topic,
      message: `Cassandra ${version}: cqlock is tested with 5.0; upgrade, or try your statements first`,
    };
  }
  return {
    level: 'error',
    topic,
    message: `Cassandra ${version} is not supported: use Cassandra 5.0`,
  };
}

/** `50KiB` and the like; undefined for what is no size. */
function bytesOf(text: string | undefined): number | undefined {
  const [, amount, unit = 'B'] = /^(\d+)(B|KiB|MiB|GiB)?$/.exec(text ?? '') ?? [];
  if (amount === undefined) return undefined;
  return Number(amount) * KIB ** ['B', 'KiB', 'MiB', 'GiB'].indexOf(unit);
}

function sizeText(bytes: number): string {
  return bytes % MIB === 0 ? `${String(bytes / MIB)}MiB` : `${String(Math.ceil(bytes / KIB))}KiB`;
}
