import { z } from 'zod';
import { notPending } from '../key_changes.ts';
import { KmsFault } from '../kms_fault.ts';
import { operation } from './kms_call.ts';
import type { KmsOperation } from './kms_call.ts';
import { pageOf } from './paging.ts';
import { keyId, marker, text, whole } from './parse_request.ts';

const MAX_TAGS = 50;
const tagKey = text(1, 128);

/** Tags of a request. */
export const tagList = z.array(z.strictObject({ TagKey: tagKey, TagValue: text(0, 256) }));

type Tags = Readonly<Record<string, string>>;

/** Tags of keys. */
export const tagOperations = {
  TagResource: operation(
    z.strictObject({ KeyId: keyId, Tags: tagList }),
    async (call, { KeyId: identifier, Tags: tags }) => {
      const { arn } = call.key({ identifier, action: 'TagResource' });
      await call.keys.change(arn, (key) => {
        notPending(key);
        return { ...key, tags: checkedTags(key.tags, tags) };
      });
      return {};
    },
  ),

  UntagResource: operation(
    z.strictObject({ KeyId: keyId, TagKeys: z.array(tagKey) }),
    async (call, { KeyId: identifier, TagKeys: names }) => {
      const { arn } = call.key({ identifier, action: 'UntagResource' });
      await call.keys.change(arn, (key) => {
        notPending(key);
        const kept = Object.entries(key.tags).filter(([name]) => !names.includes(name));
        return { ...key, tags: Object.fromEntries(kept) };
      });
      return {};
    },
  ),

  ListResourceTags: operation(
    z.strictObject({ KeyId: keyId, Limit: whole(1, 50).optional(), Marker: marker }),
    (call, request) => {
      const key = call.key({ identifier: request.KeyId, action: 'ListResourceTags' });
      const page = pageOf(Object.entries(key.tags), ([name]) => name, request, 50);
      return {
        Tags: page.items.map(([name, value]) => ({ TagKey: name, TagValue: value })),
        ...page.next,
      };
    },
  ),
} as const satisfies Record<string, KmsOperation>;

/**
 * The tags after new ones were put to those that are there.
 * @throws KmsFault TagException, LimitExceededException
 */
export function checkedTags(
  present: Tags,
  added: readonly { readonly TagKey: string; readonly TagValue: string }[],
): Tags {
  const names = added.map((tag) => tag.TagKey);
  if (new Set(names).size < names.length) {
    throw new KmsFault('TagException', 'Duplicate tag keys');
  }
  if (names.some((name) => name.toLowerCase().startsWith('aws:'))) {
    throw new KmsFault('TagException', 'Tags beginning with aws: are reserved');
  }
  const tags = Object.fromEntries([
    ...Object.entries(present),
    ...added.map((tag) => [tag.TagKey, tag.TagValue] as const),
  ]);
  if (Object.keys(tags).length > MAX_TAGS) {
    throw new KmsFault('LimitExceededException', `a key has at most ${MAX_TAGS} tags`);
  }
  return tags;
}
