/** Actions that a key policy or an access key can name: one for each operation, and the two sides of ReEncrypt. */
export const KMS_ACTIONS = [
  'CancelKeyDeletion',
  'CreateAlias',
  'CreateGrant',
  'CreateKey',
  'Decrypt',
  'DeleteAlias',
  'DescribeKey',
  'DisableKey',
  'DisableKeyRotation',
  'EnableKey',
  'EnableKeyRotation',
  'Encrypt',
  'GenerateDataKey',
  'GenerateDataKeyWithoutPlaintext',
  'GenerateRandom',
  'GetKeyPolicy',
  'GetKeyRotationStatus',
  'ListAliases',
  'ListGrants',
  'ListKeyPolicies',
  'ListKeyRotations',
  'ListKeys',
  'ListResourceTags',
  'ListRetirableGrants',
  'PutKeyPolicy',
  'ReEncryptFrom',
  'ReEncryptTo',
  'RetireGrant',
  'RevokeGrant',
  'RotateKeyOnDemand',
  'ScheduleKeyDeletion',
  'TagResource',
  'UntagResource',
  'UpdateAlias',
  'UpdateKeyDescription',
] as const;

/** One of {@link KMS_ACTIONS}. */
export type KmsAction = (typeof KMS_ACTIONS)[number];

/** Whether a text is an action pattern: `kms:Name`, or with `*` in the name, that fits at least one action. */
export function isActionPattern(pattern: string): boolean {
  return KMS_ACTIONS.some((action) => actionMatches(pattern, action));
}

/** Whether a pattern such as `kms:Describe*` fits an action. Upper and lower case count the same, as in AWS. */
export function actionMatches(pattern: string, action: KmsAction): boolean {
  if (pattern === '*') return true;
  return wildcardMatches(pattern.toLowerCase(), `kms:${action}`.toLowerCase());
}

/** Whether a text fits a pattern in which `*` stands for any text and `?` for one character; no other signs are special. */
export function wildcardMatches(pattern: string, text: string): boolean {
  let at = 0;
  let position = 0;
  let star = -1;
  let resume = 0;
  while (position < text.length) {
    if (
      at < pattern.length &&
      (pattern[at] === '?' || pattern[at] === text[position]) &&
      pattern[at] !== '*'
    ) {
      at += 1;
      position += 1;
    } else if (pattern[at] === '*') {
      star = at;
      at += 1;
      resume = position;
    } else if (star >= 0) {
      at = star + 1;
      resume += 1;
      position = resume;
    } else {
      return false;
    }
  }
  while (pattern[at] === '*') at += 1;
  return at === pattern.length;
}
