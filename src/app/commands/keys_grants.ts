import type { Command } from 'commander';
import { z } from 'zod';
import { confirm } from './confirm.ts';
import type { KeysCommands } from './keys.ts';
import { allPages } from './keys_session.ts';

const grantList = z.array(
  z.object({
    GrantId: z.string(),
    Name: z.string().optional(),
    GranteePrincipal: z.string(),
    Operations: z.array(z.string()),
  }),
);

/** Adds `cqlock keys grants …`. */
export function addGrantCommands(keys: Command, { withKeys }: KeysCommands): void {
  const grants = keys.command('grants').description('permissions that single tables hold on a key');
  grants
    .command('list <key>')
    .option('--json', 'as JSON')
    .action((key: string, options: { json?: boolean }) =>
      withKeys(options, async (session, print) => {
        const { Arn: arn } = await session.key(key);
        const found = await allPages(session, 'ListGrants', { KeyId: arn, Limit: 100 }, 'Grants');
        print.table(
          found,
          ['GRANT', 'NAME', 'GRANTEE', 'OPERATIONS'],
          grantList
            .parse(found)
            .map((grant) => [
              grant.GrantId,
              grant.Name ?? '',
              grant.GranteePrincipal,
              grant.Operations.join(','),
            ]),
        );
      }),
    );
  grants
    .command('revoke <key> <grant>')
    .description('end a grant; a table that has no other right to the key cannot be used then')
    .option('--yes', 'do not ask')
    .option('--json', 'as JSON')
    .action((key: string, grant: string, options: { yes?: boolean; json?: boolean }) =>
      withKeys(options, async (session, print) => {
        const { Arn: arn } = await session.key(key);
        await confirm(`The grant ${grant} of ${arn} is revoked.`, options);
        await session.call('RevokeGrant', { KeyId: arn, GrantId: grant });
        print.lines({ KeyId: arn, GrantId: grant }, [`the grant ${grant} is revoked`]);
      }),
    );
}
