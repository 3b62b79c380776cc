/** A key or alias ARN of AWS KMS, taken apart. */
export interface AwsKeyArn {
  readonly arn: string;
  readonly region: string;
  readonly resource: 'key' | 'alias';
}

// The region becomes a part of a host name, so its form is narrow.
const ARN =
  /^arn:aws(?:-[a-z]+)*:kms:([a-z]{2,5}(?:-[a-z]{2,})+-\d{1,2}):\d{12}:(?:(key)\/[A-Za-z0-9-]{1,64}|(alias)\/[A-Za-z0-9/_-]{1,250})$/;
const ALIAS = /^alias\/[A-Za-z0-9/_-]{1,250}$/;
const KEY_ID = /^(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|mrk-[0-9a-f]{32})$/;

/** Takes an ARN apart; `undefined` when it is none of AWS KMS. Multi-Region keys have one ARN in each of their Regions. */
export function parseAwsArn(text: string): AwsKeyArn | undefined {
  const match = ARN.exec(text);
  const region = match?.[1];
  if (match === null || region === undefined) return undefined;
  return { arn: text, region, resource: match[2] === undefined ? 'alias' : 'key' };
}

/** Whether a text is an alias or key id without Region and account. */
export function isBareAwsName(text: string): boolean {
  return ALIAS.test(text) || KEY_ID.test(text);
}
