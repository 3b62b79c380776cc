import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { isMap, parseDocument } from 'yaml';
import { ConfigError } from '../errors/index.ts';
import { readRoles } from './roles_file.ts';

const PRIVATE = 0o600;
const NEW_FILE = `# The roles that may come in through the proxy: cqlock role add, docs/authentication.md.
roles: {}
`;

/** What is to be set of a role; what is undefined stays as it is. */
export interface RoleChange {
  readonly passwordHash?: string | undefined;
  readonly certificates?: readonly string[] | undefined;
  readonly cassandraRole?: string | undefined;
  readonly cassandraPasswordFile?: string | undefined;
}

/** Adds a role to the list, or changes it; comments stay. @throws ConfigError CONFIG_ROLES when the list is not right then. */
export function putRole(path: string, name: string, change: RoleChange): void {
  edit(path, (document) => {
    const roles: unknown = document.get('roles');
    // A block that is empty was written on one line.
    if (isMap(roles)) roles.flow = false;
    if (!document.hasIn(['roles', name])) {
      document.setIn(['roles', name], document.createNode({}));
    }
    const set = (key: string, value: unknown): void => {
      if (value !== undefined) document.setIn(['roles', name, key], value);
    };
    set('password', change.passwordHash);
    set('certificates', change.certificates && [...change.certificates]);
    set('cassandra_role', change.cassandraRole);
    set('cassandra_password_file', change.cassandraPasswordFile);
  });
}

/** Removes a role from the list. @throws ConfigError CONFIG_ROLES when it is not there. */
export function removeRole(path: string, name: string): void {
  edit(path, (document) => {
    if (!document.deleteIn(['roles', name])) {
      throw new ConfigError('CONFIG_ROLES', `there is no role ${name} in ${path}`);
    }
  });
}

/** The file appears whole or not at all, and never with a content that a proxy would refuse. */
function edit(path: string, change: (document: ReturnType<typeof parseDocument>) => void): void {
  const isThere = existsSync(path);
  if (isThere) readRoles(path);
  const document = parseDocument(isThere ? readFileSync(path, 'utf8') : NEW_FILE);
  change(document);
  const temporary = `${path}.new`;
  try {
    writeFileSync(temporary, document.toString(), { mode: PRIVATE });
    readRoles(temporary);
    renameSync(temporary, path);
  } finally {
    rmSync(temporary, { force: true });
  }
}
