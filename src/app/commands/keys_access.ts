import type { Command } from 'commander';
import { confirm } from './confirm.ts';
import type { KeysCommands } from './keys.ts';
import { dateText } from './print.ts';

/** Adds `cqlock keys access …`. */
export function addAccessCommands(keys: Command, { withKeys }: KeysCommands): void {
  const access = keys.command('access').description('access keys for the KMS listener');
  access
    .command('create <user>')
    .description('make an access key; its secret is shown once')
    .option(
      '--allow <actions...>',
      'what the user may do where key policies leave it to the account, e.g. kms:Decrypt',
      ['kms:*'],
    )
    .option('--json', 'as JSON')
    .action((user: string, options: { allow: string[]; json?: boolean }) =>
      withKeys(options, async (session, print) => {
        const made = await session.accessKeys.create(user, options.allow);
        print.lines(
          {
            AccessKeyId: made.accessKeyId,
            SecretAccessKey: made.secret,
            Principal: made.principal,
            Actions: made.actions,
          },
          [
            `AWS_ACCESS_KEY_ID=${made.accessKeyId}`,
            `AWS_SECRET_ACCESS_KEY=${made.secret}`,
            `# principal in key policies: ${made.principal}`,
          ],
        );
      }),
    );
  access
    .command('list')
    .option('--json', 'as JSON')
    .action((options: { json?: boolean }) =>
      withKeys(options, async (session, print) => {
        const all = session.accessKeys.list();
        print.table(
          all,
          ['ACCESS KEY', 'PRINCIPAL', 'CREATED', 'ALLOWED'],
          all.map((key) => [
            key.accessKeyId,
            key.principal,
            dateText(key.createdAtMs),
            key.actions.join(','),
          ]),
        );
      }),
    );
  access
    .command('remove <access-key>')
    .description('end an access key at once')
    .option('--yes', 'do not ask')
    .option('--json', 'as JSON')
    .action((id: string, options: { yes?: boolean; json?: boolean }) =>
      withKeys(options, async (session, print) => {
        await confirm(`Whoever signs with ${id} is refused from now on.`, options);
        await session.accessKeys.remove(id);
        print.lines({ AccessKeyId: id }, [`the access key ${id} is removed`]);
      }),
    );
}
