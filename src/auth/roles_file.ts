import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { LineCounter, parseDocument } from 'yaml';
import { z } from 'zod';
import { ConfigError } from '../errors/index.ts';
import { isPasswordHash } from './password_hash.ts';

/** A role in the proxy's own list. */
export interface RoleEntry {
  readonly name: string;
  /** As made by hashPassword; undefined: it does not come in by password. */
  readonly passwordHash: string | undefined;
  /** Names in certificates that are this role: `CN=…`, `DNS:…`, `URI:…`, `email:…`, `IP Address:…` or `sha256:…`. */
  readonly certificates: readonly string[];
  /** Its role in Cassandra. */
  readonly cassandraRole: string;
  /** That role's password; undefined: the client gives it. */
  readonly cassandraPassword: string | undefined;
}

/** The forms of an identity in a certificate. */
export const CERTIFICATE_IDENTITY =
  /^(?:CN=.+|DNS:.+|URI:.+|email:.+|IP Address:.+|sha256:[0-9a-f]{64})$/;

const role = z
  .strictObject(
    {
      password: z
        .string('must be a text')
        .refine(isPasswordHash, 'must be a hash made by cqlock role add, never the password itself')
        .optional(),
      certificates: z
        .array(
          z
            .string('must be a text')
            .regex(
              CERTIFICATE_IDENTITY,
              'must be CN=name, DNS:name, URI:uri, email:address, IP Address:address or sha256:fingerprint',
            ),
          'must be a list',
        )
        .optional(),
      cassandra_role: z.string('must be a text').min(1, 'must not be empty').optional(),
      cassandra_password_file: z.string('must be a path').min(1, 'must not be empty').optional(),
    },
    {
      error: (issue) =>
        issue.code === 'unrecognized_keys'
          ? `has no ${issue.keys.join(', ')}; there are password, certificates, cassandra_role, cassandra_password_file`
          : 'must be a block',
    },
  )
  .refine(
    ({ password, certificates }) => password !== undefined || (certificates ?? []).length > 0,
    'has neither password nor certificates, so nobody can come in as it: add one with cqlock role add, or remove the role',
  );
const file = z.strictObject(
  { roles: z.record(z.string(), role, 'must be a block of roles') },
  {
    error: () => 'the file must have one block: roles',
  },
);

/**
 * Reads the list of roles.
 * @throws ConfigError CONFIG_ROLES with line and what to do; no message repeats a hash.
 */
export function readRoles(path: string): RoleEntry[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new ConfigError(
      'CONFIG_ROLES',
      `the list of roles ${path} cannot be read (${(cause as NodeJS.ErrnoException).code ?? 'unknown error'}): correct authentication.roles_file (CQLOCK_ROLES_FILE), or make it with cqlock role add`,
      { cause },
    );
  }
  return parseRoles(text, path);
}

function parseRoles(text: string, path: string): RoleEntry[] {
  const counter = new LineCounter();
  const document = parseDocument(text, { lineCounter: counter, prettyErrors: false });
  const at = (line: number, words: string): ConfigError =>
    new ConfigError('CONFIG_ROLES', `${path}:${String(line)}: ${words}`);
  const [syntax] = document.errors;
  if (syntax !== undefined) {
    throw at(counter.linePos(syntax.pos[0]).line, `this is not YAML: correct it (${syntax.code})`);
  }
  const parsed = file.safeParse(document.toJS());
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const keys = (issue?.path ?? []).map(String);
    throw at(lineOf(document, counter, keys), `${keys.join('.')}: ${issue?.message ?? 'is wrong'}`);
  }
  const seen = new Map<string, string>();
  return Object.entries(parsed.data.roles).map(([name, entry]) => {
    const line = lineOf(document, counter, ['roles', name]);
    for (const identity of entry.certificates ?? []) {
      const other = seen.get(identity);
      if (other !== undefined) {
        throw at(line, `${identity} is that of ${other} too: one certificate is one role`);
      }
      seen.set(identity, name);
    }
    return {
      name,
      passwordHash: entry.password,
      certificates: entry.certificates ?? [],
      cassandraRole: entry.cassandra_role ?? name,
      cassandraPassword: passwordOf(entry.cassandra_password_file, path, (words) =>
        at(line, words),
      ),
    };
  });
}

function passwordOf(
  file_: string | undefined,
  path: string,
  fail: (words: string) => ConfigError,
): string | undefined {
  if (file_ === undefined) return undefined;
  try {
    const password = readFileSync(resolve(dirname(path), file_), 'utf8').replace(/\r?\n$/, '');
    if (password !== '') return password;
  } catch {
    // The same words as for one that is empty.
  }
  throw fail(
    `cassandra_password_file ${file_} cannot be read or is empty; write the password of the role in Cassandra to it`,
  );
}

/** The line of what a path of keys names, or of the nearest that is there. */
function lineOf(
  document: ReturnType<typeof parseDocument>,
  counter: LineCounter,
  keys: readonly string[],
): number {
  for (let length = keys.length; length > 0; length--) {
    const node = document.getIn(keys.slice(0, length), true) as
      { readonly range?: readonly number[] } | undefined;
    const offset = node?.range?.[0];
    if (offset !== undefined) return counter.linePos(offset).line;
  }
  return 1;
}
