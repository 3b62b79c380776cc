import { readRoles } from '../../auth/index.ts';
import { withPlace } from '../../config/index.ts';
import type { Config } from '../../config/index.ts';
import type { Logger } from '../../observability/index.ts';
import { systemClock } from '../../util/index.ts';
import { checkCluster } from './check_cluster.ts';
import { attempt, checkMachine } from './check_machine.ts';
import type { Finding } from './finding.ts';

/** Everything that `cqlock check` finds; what is not ok begins with the line of its setting, where it was given. */
export async function allFindings(
  config: Config,
  logger: Logger,
  options: { readonly isOffline: boolean },
): Promise<Finding[]> {
  const findings: Finding[] = [
    ...(await checkMachine(config, systemClock.nowMs())),
    authentication(config),
  ];
  const { rolesFile } = config.authentication;
  if (rolesFile !== undefined) {
    await attempt(findings, 'roles', `the list ${rolesFile} is right`, () =>
      Promise.resolve().then(() => readRoles(rolesFile)),
    );
  }
  if (!options.isOffline) findings.push(...(await checkCluster(config, logger)));
  return findings.map((finding) =>
    finding.level === 'ok'
      ? finding
      : { ...finding, message: withPlace(finding.message, config.places, finding.setting) },
  );
}

function authentication({ authentication: { mode } }: Config): Finding {
  const topic = 'authentication';
  return mode === 'delegated'
    ? {
        level: 'warning',
        topic,
        message:
          'delegated: Cassandra alone authenticates clients, so who administers its roles can read through the proxy; set authentication.mode (CQLOCK_AUTHENTICATION) to password or certificate',
      }
    : { level: 'ok', topic, message: `the proxy authenticates clients itself (${mode})` };
}
