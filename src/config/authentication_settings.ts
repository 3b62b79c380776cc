import { resolve } from 'node:path';
import { z } from 'zod';
import { duration, integer, setting } from './fields.ts';

/** Who says which clients may come in. */
export interface AuthenticationConfig {
  /**
   * delegated: Cassandra alone. password: the proxy's own list of roles, before Cassandra. certificate: the client's
   * certificate names its role in that list.
   */
  readonly mode: 'delegated' | 'password' | 'certificate';
  /** The list of roles, absolute; only undefined when delegated. */
  readonly rolesFile: string | undefined;
  /** Failed logins of one role from one address after which it has to wait. */
  readonly maxFailures: number;
  /** How long failed logins count, and the longest wait, milliseconds. */
  readonly failurePeriodMs: number;
}

/** The settings of authentication, by the names of their variables. */
export const authenticationFields = {
  CQLOCK_AUTHENTICATION: setting(
    z
      .enum(
        ['delegated', 'password', 'certificate'],
        'must be delegated (Cassandra alone), password or certificate (the list at CQLOCK_ROLES_FILE)',
      )
      .default('delegated'),
  ),
  CQLOCK_ROLES_FILE: setting(z.string().trim().optional()),
  CQLOCK_MAX_LOGIN_FAILURES: setting(integer(1, 10_000, 10)),
  CQLOCK_LOGIN_FAILURE_PERIOD: setting(duration(1_000, 60_000)),
};

type Values = {
  readonly [Name in keyof typeof authenticationFields]: z.infer<
    (typeof authenticationFields)[Name]
  >;
};

/** What is wrong between the settings of authentication. */
export function authenticationProblems(
  values: Values & {
    readonly CQLOCK_TLS_CLIENT_CERTIFICATES: string;
    readonly CQLOCK_TLS?: string | undefined;
  },
): string[] {
  const problems: string[] = [];
  const mode = values.CQLOCK_AUTHENTICATION;
  if (mode !== 'delegated' && values.CQLOCK_ROLES_FILE === undefined) {
    problems.push(
      `CQLOCK_ROLES_FILE: CQLOCK_AUTHENTICATION is ${mode}, so it must name the list of roles; make it with cqlock role add`,
    );
  }
  if (mode === 'delegated' && values.CQLOCK_ROLES_FILE !== undefined) {
    problems.push(
      'CQLOCK_ROLES_FILE: is for nothing while CQLOCK_AUTHENTICATION is delegated; set that to password or certificate',
    );
  }
  if (mode === 'certificate' && values.CQLOCK_TLS_CLIENT_CERTIFICATES !== 'required') {
    problems.push(
      'CQLOCK_TLS_CLIENT_CERTIFICATES: must be required, as CQLOCK_AUTHENTICATION is certificate',
    );
  }
  return problems;
}

/** The checked settings. */
export function authenticationConfig(values: Values, workingDir: string): AuthenticationConfig {
  const path = values.CQLOCK_ROLES_FILE;
  return {
    mode: values.CQLOCK_AUTHENTICATION,
    rolesFile: path === undefined ? undefined : resolve(workingDir, path),
    maxFailures: values.CQLOCK_MAX_LOGIN_FAILURES,
    failurePeriodMs: values.CQLOCK_LOGIN_FAILURE_PERIOD,
  };
}
