import type { Config } from '../../config/index.ts';
import { ConfigError } from '../../errors/index.ts';
import type { Logger } from '../../observability/index.ts';
import { CassandraRecordStore } from '../../upstream/index.ts';
import type { ControlConnection } from '../../upstream/index.ts';
import { newControlConnection } from '../create_proxy.ts';
import { clusterOf } from './catalog_session.ts';

/** What `cqlock role create` works with. */
export interface CreateOwnRoleOptions {
  readonly config: Config;
  readonly logger: Logger;
  readonly admin: { readonly username: string; readonly password: string };
  readonly keyspaces: readonly string[];
  readonly say: (line: string) => void;
}

/**
 * Makes the proxy's own role in Cassandra, or gives it what is missing. It is no superuser and owns nothing but the keyspace
 * cqlock. Named keyspaces, never all: who may write in all keyspaces may write in system_auth.
 * @throws ConfigError CONFIG_ARGUMENTS without user name and password in the settings, or for a keyspace that is not there.
 */
export async function createOwnRole(options: CreateOwnRoleOptions): Promise<void> {
  const { config, logger, admin, keyspaces, say } = options;
  const { username, password } = config.upstream;
  if (username === undefined || password === undefined) {
    throw new ConfigError(
      'CONFIG_ARGUMENTS',
      'the settings name no role of the proxy: set cassandra.username and cassandra.password_file (CQLOCK_USERNAME, CQLOCK_PASSWORD)',
    );
  }
  const as: Config = { ...config, upstream: { ...config.upstream, ...admin } };
  const control = newControlConnection(as, clusterOf(config), logger);
  try {
    await control.connect();
    await refuseMissing(control, keyspaces);
    // By the administrator, so that the role itself needs no permission to make keyspaces.
    await new CassandraRecordStore(control).create();
    say('keyspace cqlock is there');
    for (const { words, cql } of statementsFor(username, password, keyspaces)) {
      await control.execute(cql, [], { prepare: false });
      say(words);
    }
  } finally {
    await control.close();
  }
}

/** @throws ConfigError CONFIG_ARGUMENTS when a keyspace is not there; before anything is changed. */
async function refuseMissing(
  control: ControlConnection,
  keyspaces: readonly string[],
): Promise<void> {
  if (keyspaces.length === 0) return;
  const { rows } = await control.execute('SELECT keyspace_name FROM system_schema.keyspaces');
  const present = new Set(rows.map((row) => String(row['keyspace_name'])));
  const missing = keyspaces.filter((name) => !present.has(name));
  if (missing.length === 0) return;
  throw new ConfigError(
    'CONFIG_ARGUMENTS',
    `--keyspaces: there is no keyspace ${missing.join(', ')} in Cassandra, and nothing was changed: leave it out now, and run this again when it is there`,
  );
}

interface Step {
  readonly words: string;
  readonly cql: string;
}

/** The statements, in their order; words without the password. */
export function statementsFor(
  username: string,
  password: string,
  keyspaces: readonly string[],
): Step[] {
  const role = quotedName(username);
  const login = `PASSWORD = ${quotedText(password)} AND LOGIN = true AND SUPERUSER = false`;
  const grant = (permission: string, resource: string): Step => {
    const cql = `GRANT ${permission} ON ${resource} TO ${role}`;
    return { words: cql, cql };
  };
  return [
    {
      words: `role ${username} is there, no superuser`,
      cql: `CREATE ROLE IF NOT EXISTS ${role} WITH ${login}`,
    },
    { words: 'its password is that of the settings', cql: `ALTER ROLE ${role} WITH ${login}` },
    ...ownKeyspace(grant),
    grant('SELECT', 'system_views.settings'),
    ...keyspaces.flatMap((keyspace) =>
      ['SELECT', 'MODIFY', 'CREATE', 'DROP'].map((permission) =>
        grant(permission, `KEYSPACE ${quotedName(keyspace)}`),
      ),
    ),
  ];
}

function ownKeyspace(grant: (permission: string, resource: string) => Step): Step[] {
  return ['CREATE', 'ALTER', 'SELECT', 'MODIFY'].map((permission) =>
    grant(permission, 'KEYSPACE cqlock'),
  );
}

function quotedName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

function quotedText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
