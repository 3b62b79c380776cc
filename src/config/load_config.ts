import { homedir } from 'node:os';
import { isAbsolute, join, relative, resolve } from 'node:path';
import { z } from 'zod';
import { ConfigError } from '../errors/index.ts';
import { parseAddress } from './address.ts';
import type { Address } from './address.ts';
import {
  authenticationConfig,
  authenticationFields,
  authenticationProblems,
} from './authentication_settings.ts';
import { backupTarget, isBackupTarget } from './backup_target.ts';
import { readConfigFile } from './config_file.ts';
import { duration, integer, setting } from './fields.ts';
import { SECRETS_READ_FROM_FILES } from './file_keys.ts';
import { kmsConfig, kmsFields, kmsProblems } from './kms_settings.ts';
import { notifyConfig, notifyContradictions, notifySettings } from './notify_settings.ts';
import { kmsListenContradictions, kmsListenSetting } from './kms_listen.ts';
import { locateProblem } from './locate_problem.ts';
import { readSecretFiles } from './secret_files.ts';
import { settingPlaces } from './setting_places.ts';
import { cassandraTls, clientTls, tlsFields, tlsProblems } from './tls_settings.ts';
import type { Config, RootKeySetting } from './types.ts';

const MIB = 1024 * 1024;
const DAY_MS = 86_400_000;

function address(defaultAddress: Address): z.ZodType<Address> {
  return addressText('127.0.0.1:9142').default(defaultAddress);
}

function optionalAddress(example: string): z.ZodType<Address | undefined> {
  return addressText(example).optional();
}

function addressText(example: string) {
  return z
    .string()
    .trim()
    .transform((text, context): Address => {
      const parsed = parseAddress(text, { allowAnyPort: true });
      if (parsed !== undefined) return parsed;
      context.addIssue({ code: 'custom', message: `must be host:port, e.g. ${example}` });
      return z.NEVER;
    });
}

const contactPoints = z
  .string()
  .transform((text, context) => {
    const result: Address[] = [];
    for (const part of text.split(',').map((item) => item.trim())) {
      const parsed = parseAddress(part, { defaultPort: 9042 });
      if (parsed === undefined) {
        context.addIssue({
          code: 'custom',
          message: 'must be a list host:port, host:port, …',
        });
        return z.NEVER;
      }
      result.push(parsed);
    }
    return result;
  })
  .default([]);

const text = z.string().optional();

function flag(defaultValue: boolean): z.ZodType<boolean> {
  return z
    .enum(['true', 'false'], 'must be true or false')
    .transform((value) => value === 'true')
    .default(defaultValue);
}

/** Every setting, by the name of its variable. Unknown CQLOCK_ variables are refused: a typo must not pass for a setting. */
export const environmentSchema = z.object({
  CQLOCK_LISTEN: setting(address({ host: '127.0.0.1', port: 9142 })),
  CQLOCK_HTTP_LISTEN: setting(address({ host: '127.0.0.1', port: 9180 })),
  CQLOCK_CONTACT_POINTS: setting(contactPoints),
  CQLOCK_LOCAL_DATACENTER: setting(text),
  CQLOCK_USERNAME: setting(text),
  CQLOCK_PASSWORD: setting(text),
  CQLOCK_EMBEDDED_CASSANDRA_PORT: setting(integer(1, 65_535, 9242)),
  CQLOCK_EMBEDDED_CASSANDRA_HEAP_MB: setting(integer(256, 65_536, 1024)),
  CQLOCK_EMBEDDED_CASSANDRA: setting(
    z.enum(['auto', 'docker', 'jars'], 'must be auto, docker or jars').default('auto'),
  ),
  CQLOCK_DATA_DIR: setting(z.string().default('data')),
  CQLOCK_STATE_DIR: setting(text),
  CQLOCK_CACHE_DIR: setting(z.string().default('.cache')),
  CQLOCK_ROOT_KEY_FILE: setting(text),
  CQLOCK_ROOT_KEY: setting(
    z
      .string()
      .trim()
      .regex(/^[A-Za-z0-9+/]{43}=$/, 'must be base64 of exactly 32 bytes')
      .optional(),
  ),
  CQLOCK_ROOT_PASSPHRASE: setting(text),
  CQLOCK_KMS_LISTEN: setting(optionalAddress('127.0.0.1:9143')),
  CQLOCK_KMS_TLS_CERT_FILE: setting(text),
  CQLOCK_KMS_TLS_KEY_FILE: setting(text),
  CQLOCK_LOG_LEVEL: setting(
    z
      .enum(
        ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'],
        'must be trace, debug, info, warn, error, fatal or silent',
      )
      .default('info'),
  ),
  CQLOCK_MAX_FRAME_BYTES: setting(integer(64 * 1024, 256 * MIB, 16 * MIB)),
  CQLOCK_MAX_CONNECTIONS: setting(integer(1, 65_536, 4096)),
  CQLOCK_MAX_IN_FLIGHT_REQUESTS: setting(integer(1, 32_768, 2048)),
  CQLOCK_LOGIN_TIMEOUT: setting(duration(1_000, 30_000)),
  CQLOCK_LEASE_IDLE: setting(duration(1, 5 * 60_000)),
  CQLOCK_LEASE_MAX_AGE: setting(duration(1, 60 * 60_000)),
  CQLOCK_AUDIT_DIR: setting(text),
  CQLOCK_AUDIT_REQUIRED: setting(flag(true)),
  CQLOCK_CATALOG_REFRESH: setting(duration(100, 30_000)),
  CQLOCK_CATALOG_MAX_AGE: setting(duration(1_000, 120_000)),
  CQLOCK_CELL_KEY_MAX_AGE: setting(duration(1_000, 365 * 86_400_000)),
  CQLOCK_CELL_KEY_MAX_CELLS: setting(integer(1, 2 ** 46, 2 ** 40)),
  CQLOCK_REENCRYPT: setting(
    z.enum(['on_demand', 'always'], 'must be on_demand or always').default('on_demand'),
  ),
  CQLOCK_REENCRYPT_ROWS_PER_SECOND: setting(integer(1, 1_000_000, 2_000)),
  CQLOCK_USER_FUNCTIONS: setting(
    z.enum(['refuse', 'in_cassandra'], 'must be refuse or in_cassandra').default('refuse'),
  ),
  CQLOCK_DRAIN_TIMEOUT: setting(duration(0, 5_000)),
  ...tlsFields,
  ...authenticationFields,
  ...kmsFields,
  CQLOCK_BACKUP_TARGET: setting(text),
  CQLOCK_BACKUP_RETENTION: setting(duration(60_000, 35 * 86_400_000)),
  CQLOCK_KEY_CHECK_PERIOD: setting(duration(1_000, 60_000)),
  CQLOCK_KEY_LOSS_DROP_AFTER: setting(duration(DAY_MS, 7 * DAY_MS)),
  ...notifySettings,
});

type Environment = Readonly<Record<string, string | undefined>>;

/** The variable that names the configuration file. */
export const CONFIG_FILE_VARIABLE = 'CQLOCK_CONFIG';

/** The names of all settings, those of secret files among them. */
export const SETTING_NAMES: readonly string[] = [
  ...Object.keys(environmentSchema.shape),
  ...SECRETS_READ_FROM_FILES.map((name) => `${name}_FILE`),
];

/**
 * Makes the configuration from environment variables and the file that CQLOCK_CONFIG names, if it does; a variable wins
 * over the file.
 *
 * @param environment all variables; those not named CQLOCK_… matter only as XDG_CONFIG_HOME and to find a bucket.
 * @param workingDir what relative paths start from; in the file, its own directory.
 * @throws ConfigError CONFIG_INVALID with one line for each wrong setting; CONFIG_FILE when the file cannot be read.
 */
export function loadConfig(environment: Environment, workingDir: string): Config {
  const path = environment[CONFIG_FILE_VARIABLE];
  const file = path === undefined || path === '' ? undefined : readConfigFile(path, workingDir);
  const own = Object.entries(environment).filter(
    ([name, value]) =>
      name.startsWith('CQLOCK_') &&
      name !== CONFIG_FILE_VARIABLE &&
      !name.startsWith('CQLOCK_TEST_') &&
      value !== undefined &&
      value !== '',
  ) as [string, string][];
  const ofEnvironment = new Map(own);
  // A secret and its file are one setting: the variable of either wins over the file's key.
  const given = new Map(
    [...(file?.values ?? [])].filter(([name]) => !ofEnvironment.has(name.replace(/_FILE$/, ''))),
  );
  for (const [name, value] of ofEnvironment) given.set(name, value);
  const problems = own
    .filter(([name]) => !SETTING_NAMES.includes(name))
    .map(([name]) => `${name}: there is no such setting`);
  problems.push(...readSecretFiles(given, workingDir));
  const result = environmentSchema.safeParse(Object.fromEntries(given));
  if (!result.success) {
    // Messages are written above and name no value; zod's own ones could.
    problems.push(
      ...result.error.issues.map((i) => `${i.path.map(String).join('.')}: ${i.message}`),
    );
  } else {
    problems.push(...contradictions(result.data, workingDir, environment));
  }
  const isSetInEnvironment = (name: string): boolean =>
    ofEnvironment.has(name) || ofEnvironment.has(`${name}_FILE`);
  const located = [
    ...(file?.problems ?? []),
    ...problems.map((problem) => locateProblem(problem, file, isSetInEnvironment)),
  ];
  if (!result.success || located.length > 0) {
    throw new ConfigError('CONFIG_INVALID', `wrong settings:\n  ${located.join('\n  ')}`);
  }
  const values = result.data;
  const dataDir = resolve(workingDir, values.CQLOCK_DATA_DIR);
  return {
    file: file?.path,
    places: settingPlaces(given, ofEnvironment, file, workingDir),
    listen: values.CQLOCK_LISTEN,
    tls: clientTls(values, workingDir),
    tlsReloadMs: values.CQLOCK_TLS_RELOAD_PERIOD,
    authentication: authenticationConfig(values, workingDir),
    httpListen: values.CQLOCK_HTTP_LISTEN,
    upstream: {
      contactPoints: values.CQLOCK_CONTACT_POINTS,
      localDatacenter: values.CQLOCK_LOCAL_DATACENTER,
      username: values.CQLOCK_USERNAME,
      password: values.CQLOCK_PASSWORD,
      tls: cassandraTls(values, workingDir),
      embeddedPort: values.CQLOCK_EMBEDDED_CASSANDRA_PORT,
      embeddedHeapMb: values.CQLOCK_EMBEDDED_CASSANDRA_HEAP_MB,
      embeddedProvider: values.CQLOCK_EMBEDDED_CASSANDRA,
    },
    dataDir,
    stateDir: stateDirectory(values, dataDir, workingDir),
    rootKey: rootKeySetting(values, workingDir, environment['XDG_CONFIG_HOME']),
    kmsListen: kmsListenSetting(values, workingDir),
    cacheDir: resolve(workingDir, values.CQLOCK_CACHE_DIR),
    logLevel: values.CQLOCK_LOG_LEVEL,
    limits: {
      maxFrameBytes: values.CQLOCK_MAX_FRAME_BYTES,
      maxConnections: values.CQLOCK_MAX_CONNECTIONS,
      maxInFlightRequests: values.CQLOCK_MAX_IN_FLIGHT_REQUESTS,
      loginTimeoutMs: values.CQLOCK_LOGIN_TIMEOUT,
    },
    leases: { idleMs: values.CQLOCK_LEASE_IDLE, maxAgeMs: values.CQLOCK_LEASE_MAX_AGE },
    audit: {
      dir:
        values.CQLOCK_AUDIT_DIR === undefined
          ? join(stateDirectory(values, dataDir, workingDir), 'audit')
          : resolve(workingDir, values.CQLOCK_AUDIT_DIR),
      required: values.CQLOCK_AUDIT_REQUIRED,
    },
    catalogRefreshMs: values.CQLOCK_CATALOG_REFRESH,
    catalogMaxAgeMs: values.CQLOCK_CATALOG_MAX_AGE,
    userFunctions: values.CQLOCK_USER_FUNCTIONS,
    rotation: {
      maxAgeMs: values.CQLOCK_CELL_KEY_MAX_AGE,
      maxCells: values.CQLOCK_CELL_KEY_MAX_CELLS,
      rowsPerSecond: values.CQLOCK_REENCRYPT_ROWS_PER_SECOND,
      reencryption: values.CQLOCK_REENCRYPT,
    },
    drainTimeoutMs: values.CQLOCK_DRAIN_TIMEOUT,
    kms: kmsConfig(values, workingDir),
    backup: {
      target: backupTarget(values.CQLOCK_BACKUP_TARGET, dataDir, workingDir, environment),
      retentionMs: values.CQLOCK_BACKUP_RETENTION,
    },
    keyLoss: {
      checkPeriodMs: values.CQLOCK_KEY_CHECK_PERIOD,
      dropAfterMs: values.CQLOCK_KEY_LOSS_DROP_AFTER,
    },
    notify: notifyConfig(values),
  };
}

type Values = z.infer<typeof environmentSchema>;

function stateDirectory(values: Values, dataDir: string, workingDir: string): string {
  return values.CQLOCK_STATE_DIR === undefined
    ? join(dataDir, 'state')
    : resolve(workingDir, values.CQLOCK_STATE_DIR);
}

function rootKeySetting(
  values: Values,
  workingDir: string,
  xdgConfigHome: string | undefined,
): RootKeySetting {
  if (values.CQLOCK_ROOT_KEY !== undefined)
    return { kind: 'base64', value: values.CQLOCK_ROOT_KEY };
  if (values.CQLOCK_ROOT_PASSPHRASE !== undefined) {
    return { kind: 'passphrase', value: values.CQLOCK_ROOT_PASSPHRASE };
  }
  if (values.CQLOCK_ROOT_KEY_FILE !== undefined) {
    return {
      kind: 'file',
      path: resolve(workingDir, values.CQLOCK_ROOT_KEY_FILE),
      isDefault: false,
    };
  }
  const isAbsoluteHome = xdgConfigHome !== undefined && isAbsolute(xdgConfigHome);
  const base = isAbsoluteHome ? xdgConfigHome : join(homedir(), '.config');
  return { kind: 'file', path: join(base, 'cqlock', 'root.key'), isDefault: true };
}

/** What is wrong between settings that are right one by one. */
function contradictions(values: Values, workingDir: string, environment: Environment): string[] {
  const problems: string[] = [];
  const keys = ['CQLOCK_ROOT_KEY', 'CQLOCK_ROOT_PASSPHRASE', 'CQLOCK_ROOT_KEY_FILE'] as const;
  const given = keys.filter((name) => values[name] !== undefined);
  if (given.length > 1) problems.push(`${given.join(', ')}: only one of them may be set`);
  if ((values.CQLOCK_USERNAME === undefined) !== (values.CQLOCK_PASSWORD === undefined)) {
    problems.push('CQLOCK_USERNAME, CQLOCK_PASSWORD: both or none must be set');
  }
  if (values.CQLOCK_LEASE_MAX_AGE < values.CQLOCK_LEASE_IDLE) {
    problems.push('CQLOCK_LEASE_MAX_AGE: must not be shorter than CQLOCK_LEASE_IDLE');
  }
  if (values.CQLOCK_CATALOG_MAX_AGE < 2 * values.CQLOCK_CATALOG_REFRESH) {
    problems.push('CQLOCK_CATALOG_MAX_AGE: must be at least twice CQLOCK_CATALOG_REFRESH');
  }
  if (!isBackupTarget(values.CQLOCK_BACKUP_TARGET)) {
    problems.push('CQLOCK_BACKUP_TARGET: must be a directory or s3://bucket or s3://bucket/prefix');
  }
  problems.push(...notifyContradictions(values));
  problems.push(...kmsListenContradictions(values));
  problems.push(...tlsProblems(values));
  problems.push(...authenticationProblems(values));
  const dataDir = resolve(workingDir, values.CQLOCK_DATA_DIR);
  const cassandraDir = join(dataDir, 'cassandra');
  const rootKey = rootKeySetting(values, workingDir, environment['XDG_CONFIG_HOME']);
  if (rootKey.kind === 'file' && isInside(rootKey.path, dataDir)) {
    problems.push(
      'CQLOCK_ROOT_KEY_FILE: must lie outside CQLOCK_DATA_DIR, or whoever has the data has the key',
    );
  }
  if (isInside(stateDirectory(values, dataDir, workingDir), cassandraDir)) {
    problems.push("CQLOCK_STATE_DIR: must lie outside Cassandra's own directory");
  }
  problems.push(...kmsProblems(values));
  return problems;
}

function isInside(path: string, directory: string): boolean {
  const way = relative(directory, path);
  return way === '' || (!way.startsWith('..') && !isAbsolute(way));
}
