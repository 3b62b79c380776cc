import { z } from 'zod';
import { allPages } from './keys_session.ts';
import type { KeysSession } from './keys_session.ts';
import { dateText } from './print.ts';
import type { Printer } from './print.ts';

const aliasList = z.array(
  z.object({ AliasName: z.string(), AliasArn: z.string(), TargetKeyId: z.string() }),
);
const keyList = z.array(z.object({ KeyArn: z.string() }));
const tagList = z.array(z.object({ TagKey: z.string(), TagValue: z.string() }));
const rotationStatus = z.object({
  KeyRotationEnabled: z.boolean(),
  RotationPeriodInDays: z.number().optional(),
  NextRotationDate: z.number().optional(),
});

/** `cqlock keys list` */
export async function listKeys(session: KeysSession, print: Printer): Promise<void> {
  const found = keyList.parse(await allPages(session, 'ListKeys', {}, 'Keys'));
  const aliases = await aliasesOf(session);
  const keys = await Promise.all(
    found.map(async ({ KeyArn: arn }) => {
      const key = await session.key(arn);
      return { ...key, Aliases: aliases.get(key.KeyId) ?? [] };
    }),
  );
  keys.sort((a, b) => a.CreationDate - b.CreationDate);
  print.table(
    keys,
    ['ARN', 'STATE', 'ALIASES', 'CREATED', 'DESCRIPTION'],
    keys.map((key) => [
      key.Arn,
      key.KeyState,
      key.Aliases.join(' '),
      dateText(key.CreationDate * 1000),
      key.Description,
    ]),
  );
}

/** `cqlock keys show` */
export async function showKey(
  session: KeysSession,
  print: Printer,
  identifier: string,
): Promise<void> {
  const key = await session.key(identifier);
  const request = { KeyId: key.Arn };
  const aliases = (await aliasesOf(session)).get(key.KeyId) ?? [];
  const rotation = rotationStatus.parse(await session.call('GetKeyRotationStatus', request));
  const tags = tagList.parse(await allPages(session, 'ListResourceTags', request, 'Tags'));
  const rotations = await allPages(session, 'ListKeyRotations', request, 'Rotations');
  const grants = session.store.read().keys[key.Arn]?.grants ?? {};
  const grantCount = Object.values(grants).reduce((sum, bucket) => sum + bucket.count, 0);
  const next = rotation.NextRotationDate;
  print.lines(
    { ...key, Aliases: aliases, Rotation: rotation, Rotations: rotations, Tags: tags, grantCount },
    [
      `ARN          ${key.Arn}`,
      `state        ${key.KeyState}`,
      ...(key.DeletionDate === undefined
        ? []
        : [`deleted on   ${dateText(key.DeletionDate * 1000)}`]),
      `aliases      ${aliases.join(' ') || 'none'}`,
      `description  ${key.Description}`,
      `created      ${dateText(key.CreationDate * 1000)}`,
      `rotation     ${
        next === undefined
          ? 'off'
          : `every ${rotation.RotationPeriodInDays ?? 0} days, next ${dateText(next * 1000)}`
      }; rotated ${rotations.length} times`,
      `tags         ${tags.map((tag) => `${tag.TagKey}=${tag.TagValue}`).join(' ') || 'none'}`,
      `grants       ${grantCount}`,
    ],
  );
}

/** `cqlock keys alias list` */
export async function listAliases(session: KeysSession, print: Printer): Promise<void> {
  const aliases = aliasList.parse(await allPages(session, 'ListAliases', {}, 'Aliases'));
  print.table(
    aliases,
    ['ALIAS', 'KEY'],
    aliases.map((alias) => [alias.AliasName, alias.TargetKeyId]),
  );
}

async function aliasesOf(session: KeysSession): Promise<ReadonlyMap<string, readonly string[]>> {
  const names = new Map<string, string[]>();
  for (const alias of aliasList.parse(await allPages(session, 'ListAliases', {}, 'Aliases'))) {
    const list = names.get(alias.TargetKeyId) ?? [];
    list.push(alias.AliasName);
    names.set(alias.TargetKeyId, list);
  }
  return names;
}
