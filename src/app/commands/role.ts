import { existsSync } from 'node:fs';
import { Option } from 'commander';
import type { Command } from 'commander';
import {
  CERTIFICATE_IDENTITY,
  hashPassword,
  putRole,
  readRoles,
  removeRole,
} from '../../auth/index.ts';
import type { Config } from '../../config/index.ts';
import { ConfigError } from '../../errors/index.ts';
import type { CommandRunner } from './catalog_session.ts';
import { confirm } from './confirm.ts';
import { printer } from './print.ts';
import { createOwnRole } from './role_create.ts';
import { readSecret } from './secret_input.ts';

const MIN_PASSWORD = 8;

interface AddOptions {
  readonly password?: boolean;
  readonly passwordFile?: string;
  readonly certificate?: readonly string[];
  readonly cassandraRole?: string;
  readonly cassandraPasswordFile?: string;
}

interface CreateOptions {
  readonly adminUser: string;
  readonly adminPasswordFile?: string;
  readonly keyspaces?: readonly string[];
}

/** Adds `cqlock role …`: the roles that may come in, and the proxy's own in Cassandra. */
export function addRoleCommands(
  program: Command,
  run: CommandRunner,
  say: (line: string) => void,
): void {
  const role = program
    .command('role')
    .description('roles that may come in through the proxy, and its own in Cassandra');
  role
    .command('add <name>')
    .description('add a role to the list of the proxy, or change it')
    .option('--password', 'ask for its password, or read it from standard input')
    .option('--password-file <file>', 'read its password from a file')
    .option('--certificate <identity...>', 'names in certificates: CN=…, DNS:…, URI:…, sha256:…')
    .option('--cassandra-role <role>', 'its role in Cassandra; the same name if not given')
    .option('--cassandra-password-file <file>', 'file with the password of that role')
    .action((name: string, options: AddOptions) =>
      run(async ({ config }) => {
        const path = rolesFile(config);
        await add(path, name, options);
        say(`role ${name} is in ${path}; running proxies take it within ${seconds(config)}`);
      }),
    );
  role
    .command('list')
    .description('list the roles of the proxy; no passwords')
    .option('--json', 'print JSON')
    .action((options: { json?: boolean }) =>
      run(({ config }) => {
        const roles = readRoles(rolesFile(config)).map((entry) => ({
          name: entry.name,
          password: entry.passwordHash !== undefined,
          certificates: entry.certificates,
          cassandraRole: entry.cassandraRole,
          cassandraPassword: entry.cassandraPassword !== undefined,
        }));
        printer(say, options.json === true).table(
          roles,
          ['role', 'password', 'certificates', 'in Cassandra'],
          roles.map(({ name, password, certificates, cassandraRole }) => [
            name,
            password ? 'yes' : 'no',
            certificates.join(', '),
            cassandraRole,
          ]),
        );
        return Promise.resolve();
      }),
    );
  role
    .command('remove <name>')
    .description('remove a role from the list; its connections are cut')
    .option('--yes', 'do not ask')
    .action((name: string, options: { yes?: boolean }) =>
      run(async ({ config }) => {
        const path = rolesFile(config);
        await confirm(`Role ${name} can come in no more, and its connections are cut.`, options);
        removeRole(path, name);
        say(`role ${name} is removed from ${path}`);
      }),
    );
  role
    .command('create')
    .description(
      "make the proxy's own role in Cassandra (the one of the settings) with least rights",
    )
    .addOption(new Option('--admin-user <name>', 'a superuser of Cassandra').makeOptionMandatory())
    .option('--admin-password-file <file>', 'file with its password; asked for if not given')
    .option(
      '--keyspaces <names...>',
      'keyspaces whose tables it re-encrypts, backs up and restores',
    )
    .action((options: CreateOptions) =>
      run(async ({ config, logger }) => {
        const password = await readSecret(
          `password of ${options.adminUser} in Cassandra`,
          options.adminPasswordFile,
        );
        await createOwnRole({
          config,
          logger,
          admin: { username: options.adminUser, password },
          keyspaces: options.keyspaces ?? [],
          say,
        });
      }),
    );
}

async function add(path: string, name: string, options: AddOptions): Promise<void> {
  const wrong = options.certificate?.find((identity) => !CERTIFICATE_IDENTITY.test(identity));
  if (wrong !== undefined) {
    throw new ConfigError(
      'CONFIG_ARGUMENTS',
      `--certificate ${wrong}: must be CN=name, DNS:name, URI:uri, email:address, IP Address:address or sha256:fingerprint`,
    );
  }
  let passwordHash: string | undefined;
  if (options.password === true || options.passwordFile !== undefined) {
    const password = await readSecret(`password of ${name}`, options.passwordFile);
    if (password.length < MIN_PASSWORD) {
      throw new ConfigError(
        'CONFIG_ARGUMENTS',
        `the password must have at least ${String(MIN_PASSWORD)} characters`,
      );
    }
    passwordHash = await hashPassword(password);
  }
  const isNew = !existsSync(path) || !readRoles(path).some((entry) => entry.name === name);
  if (isNew && passwordHash === undefined && options.certificate === undefined) {
    throw new ConfigError(
      'CONFIG_ARGUMENTS',
      'a new role needs --password, --password-file or --certificate',
    );
  }
  putRole(path, name, {
    passwordHash,
    certificates: options.certificate,
    cassandraRole: options.cassandraRole,
    cassandraPasswordFile: options.cassandraPasswordFile,
  });
}

function rolesFile(config: Config): string {
  const path = config.authentication.rolesFile ?? process.env['CQLOCK_ROLES_FILE'];
  if (path !== undefined) return path;
  throw new ConfigError(
    'CONFIG_ARGUMENTS',
    'no list of roles is set: set authentication.mode and authentication.roles_file (CQLOCK_AUTHENTICATION, CQLOCK_ROLES_FILE)',
  );
}

function seconds(config: Config): string {
  return `${String(Math.ceil(config.tlsReloadMs / 1_000))} s`;
}
