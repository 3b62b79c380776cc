import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import type { Config } from '../../config/index.ts';
import { ConfigError } from '../../errors/index.ts';
import type { Logger } from '../../observability/index.ts';
import { confirm } from './confirm.ts';
import { addAccessCommands } from './keys_access.ts';
import { addGrantCommands } from './keys_grants.ts';
import { openKeys } from './keys_session.ts';
import type { KeysSession } from './keys_session.ts';
import { addServeCommand } from './keys_serve.ts';
import { listAliases, listKeys, showKey } from './keys_show.ts';
import { addBackupCommands } from './keys_backup.ts';
import { printer } from './print.ts';
import type { Printer } from './print.ts';

/** What a command works with. */
export interface CommandContext {
  readonly config: Config;
  readonly logger: Logger;
  /** Aborted when the user wants to stop. */
  readonly signal: AbortSignal;
}

/** Runs a command with the loaded settings and ends the process with its code. */
export type CommandRunner = (command: (context: CommandContext) => Promise<void>) => Promise<void>;

/** What the commands of keys share. */
export interface KeysCommands {
  readonly run: CommandRunner;
  readonly say: (line: string) => void;
  /** Runs an action with the opened key store. */
  readonly withKeys: (
    options: { readonly json?: boolean },
    action: (session: KeysSession, print: Printer) => Promise<void>,
  ) => Promise<void>;
}

/** Adds `cqlock keys …`: all about the customer managed keys in the key store of this machine. */
export function addKeysCommands(
  program: Command,
  run: CommandRunner,
  say: (line: string) => void,
): void {
  const keys = program
    .command('keys')
    .description('customer managed keys of the embedded KMS: make, show, change, back up, serve');
  const shared: KeysCommands = {
    run,
    say,
    withKeys: (options, action) =>
      run(async ({ config }) => {
        await action(await openKeys(config, false), printer(say, options.json === true));
      }),
  };
  addShowCommands(keys, shared);
  addStateCommands(keys, shared);
  addAliasCommands(keys, shared);
  addPolicyCommands(keys, shared);
  addGrantCommands(keys, shared);
  addAccessCommands(keys, shared);
  addBackupCommands(keys, shared);
  addServeCommand(keys, shared);
}

interface Output {
  readonly json?: boolean;
}

function addShowCommands(keys: Command, { withKeys }: KeysCommands): void {
  keys
    .command('list')
    .description('all customer managed keys')
    .option('--json', 'as JSON')
    .action((options: Output) => withKeys(options, listKeys));
  keys
    .command('show <key>')
    .description('one key: state, aliases, rotation, tags, number of grants')
    .option('--json', 'as JSON')
    .action((key: string, options: Output) =>
      withKeys(options, (session, print) => showKey(session, print, key)),
    );
  keys
    .command('create')
    .description('make a key')
    .option('--description <text>', 'what it is for', '')
    .option('--alias <name>', 'a name for it, with or without alias/ before it')
    .option('--policy <file>', 'its key policy, JSON')
    .option('--tag <name=value...>', 'tags')
    .option('--json', 'as JSON')
    .action((options: CreateOptions) =>
      withKeys(options, (session, print) => createKey(session, print, options)),
    );
}

interface CreateOptions {
  readonly description: string;
  readonly alias?: string;
  readonly policy?: string;
  readonly tag?: readonly string[];
  readonly json?: boolean;
}

async function createKey(
  session: KeysSession,
  print: Printer,
  options: CreateOptions,
): Promise<void> {
  const tags = (options.tag ?? []).map((tag) => {
    const at = tag.indexOf('=');
    if (at > 0) return { TagKey: tag.slice(0, at), TagValue: tag.slice(at + 1) };
    throw new ConfigError('CONFIG_INVALID', `--tag ${tag}: must be name=value`);
  });
  const answer = await session.call('CreateKey', {
    Description: options.description,
    Tags: tags,
    ...(options.policy === undefined ? {} : { Policy: readText(options.policy) }),
  });
  const { Arn: arn } = answer['KeyMetadata'] as { readonly Arn: string };
  if (options.alias !== undefined) {
    await session.call('CreateAlias', { AliasName: aliasName(options.alias), TargetKeyId: arn });
  }
  print.lines(answer['KeyMetadata'], [arn]);
}

function addStateCommands(keys: Command, { withKeys }: KeysCommands): void {
  const simple = (name: string, about: string, operation: string, done: string): void => {
    keys
      .command(`${name} <key>`)
      .description(about)
      .option('--json', 'as JSON')
      .action((key: string, options: Output) =>
        withKeys(options, async (session, print) => {
          const { Arn: arn } = await session.key(key);
          await session.call(operation, { KeyId: arn });
          print.lines(await session.key(arn), [`${arn} ${done}`]);
        }),
      );
  };
  simple('enable', 'let a disabled key be used again', 'EnableKey', 'is enabled');
  simple('disable', 'stop all use of a key until it is enabled', 'DisableKey', 'is disabled');
  simple(
    'cancel-deletion',
    'take a scheduled deletion back; the key is then disabled',
    'CancelKeyDeletion',
    'is not deleted; it is disabled: cqlock keys enable lets it be used',
  );
  keys
    .command('schedule-deletion <key>')
    .description('delete a key after a waiting period; what it encrypts can never be read again')
    .option('--days <number>', 'waiting period, 7 to 30', '30')
    .option('--yes', 'do not ask')
    .option('--json', 'as JSON')
    .action((key: string, options: Output & { days: string; yes?: boolean }) =>
      withKeys(options, async (session, print) => {
        const { Arn: arn } = await session.key(key);
        const days = wholeNumber(options.days, '--days');
        await confirm(
          `${arn} is of no use from now on and destroyed in ${days} days, with all it encrypts.`,
          options,
        );
        await session.call('ScheduleKeyDeletion', { KeyId: arn, PendingWindowInDays: days });
        print.lines(await session.key(arn), [
          `${arn} is deleted in ${days} days; cqlock keys cancel-deletion takes it back`,
        ]);
      }),
    );
  keys
    .command('rotate <key>')
    .description('new key material now, or every so many days; old material decrypts for ever')
    .option('--every <days>', 'rotate by itself, 90 to 2560')
    .option('--off', 'stop rotating by itself')
    .option('--json', 'as JSON')
    .action((key: string, options: Output & { every?: string; off?: boolean }) =>
      withKeys(options, async (session, print) => {
        const { Arn: arn } = await session.key(key);
        const tell = async (line: string): Promise<void> => {
          print.lines(await session.call('GetKeyRotationStatus', { KeyId: arn }), [line]);
        };
        if (options.off === true) {
          await session.call('DisableKeyRotation', { KeyId: arn });
          await tell(`${arn} is not rotated by itself any more`);
        } else if (options.every !== undefined) {
          const days = wholeNumber(options.every, '--every');
          await session.call('EnableKeyRotation', { KeyId: arn, RotationPeriodInDays: days });
          await tell(`${arn} is rotated every ${days} days`);
        } else {
          await session.call('RotateKeyOnDemand', { KeyId: arn });
          await tell(`${arn} has new key material`);
        }
      }),
    );
}

function addAliasCommands(keys: Command, { withKeys }: KeysCommands): void {
  const alias = keys.command('alias').description('names for keys');
  alias
    .command('list')
    .option('--json', 'as JSON')
    .action((options: Output) => withKeys(options, listAliases));
  for (const [name, operation] of [
    ['create', 'CreateAlias'],
    ['update', 'UpdateAlias'],
  ] as const) {
    alias
      .command(`${name} <alias> <key>`)
      .description(name === 'create' ? 'name a key' : 'let a name stand for another key')
      .option('--json', 'as JSON')
      .action((text: string, key: string, options: Output) =>
        withKeys(options, async (session, print) => {
          const { Arn: arn } = await session.key(key);
          const made = { AliasName: aliasName(text), TargetKeyId: arn };
          await session.call(operation, made);
          print.lines(made, [`${made.AliasName} is ${arn}`]);
        }),
      );
  }
  alias
    .command('delete <alias>')
    .description('forget a name; the key stays')
    .option('--json', 'as JSON')
    .action((text: string, options: Output) =>
      withKeys(options, async (session, print) => {
        const gone = { AliasName: aliasName(text) };
        await session.call('DeleteAlias', gone);
        print.lines(gone, [`${gone.AliasName} is deleted`]);
      }),
    );
}

function addPolicyCommands(keys: Command, { withKeys }: KeysCommands): void {
  const policy = keys.command('policy').description('who may do what with a key');
  policy
    .command('show <key>')
    .description('the key policy, JSON')
    .action((key: string) =>
      withKeys({}, async (session, print) => {
        const { Arn: arn } = await session.key(key);
        const { Policy: text } = await session.call('GetKeyPolicy', { KeyId: arn });
        print.line(String(text));
      }),
    );
  policy
    .command('put <key> <file>')
    .description('replace the key policy')
    .option('--bypass-lockout-check', 'also where nobody could change it again but here')
    .option('--json', 'as JSON')
    .action((key: string, file: string, options: Output & { bypassLockoutCheck?: boolean }) =>
      withKeys(options, async (session, print) => {
        const { Arn: arn } = await session.key(key);
        await session.call('PutKeyPolicy', {
          KeyId: arn,
          Policy: readText(file),
          BypassPolicyLockoutSafetyCheck: options.bypassLockoutCheck === true,
        });
        print.lines({ KeyId: arn }, [`the policy of ${arn} is replaced`]);
      }),
    );
}

function aliasName(text: string): string {
  return text.startsWith('alias/') ? text : `alias/${text}`;
}

function wholeNumber(text: string, option: string): number {
  if (/^\d{1,6}$/.test(text)) return Number(text);
  throw new ConfigError('CONFIG_INVALID', `${option}: must be a whole number`);
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new ConfigError('CONFIG_INVALID', `${path} cannot be read`, { cause });
  }
}
