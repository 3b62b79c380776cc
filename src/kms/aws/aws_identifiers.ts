/** A key or alias ARN of AWS KMS, taken apart. */
export interface AwsKeyArn {
  readonly arn: string;
  /** Empty for a key of an embedded KMS of cqlock, which has none: the settings' counts. */
  readonly region: string;
  readonly resource: 'key' | 'alias';
}

// The region becomes a part of a host name, so its form is narrow.
const ARN =
  /^arn:aws(?:-[a-z]+)*:kms:([a-z]{2,5}(?:-[a-z]{2,})+-\d{1,2}):\d{12}:(?:(key)\/[A-Za-z0-9-]{1,64}|(alias)\/[A-Za-z0-9/_-]{1,250})$/;
/** Keys that the listener of another cqlock serves. */
const SERVED_ARN =
  /^arn:cqlock:kms:local:[0-9a-f]{12}:(?:(key)\/[0-9a-f-]{36}|(alias)\/[A-Za-z0-9/_-]{1,250})$/;
const ALIAS = /^alias\/[A-Za-z0-9/_-]{1,250}$/;
const KEY_ID = /^(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|mrk-[0-9a-f]{32})$/;

/** Takes an ARN apart; `undefined` when it is none of AWS KMS, nor of an embedded KMS that speaks its API. Multi-Region keys have one ARN in each of their Regions. */
export function parseAwsArn(text: string): AwsKeyArn | undefined {
  const served = SERVED_ARN.exec(text);
  if (served !== null) {
    return { arn: text, region: '', resource: served[1] === undefined ? 'alias' : 'key' };
  }
  const match = ARN.exec(text);
  const region = match?.[1];
  if (match === null || region === undefined) return undefined;
  return { arn: text, region, resource: match[2] === undefined ? 'alias' : 'key' };
}

/** Whether a text is an alias or key id without Region and account. */
export function isBareAwsName(text: string): boolean {
  return ALIAS.test(text) || KEY_ID.test(text);
}

/** Whether a text is the ARN of a key or alias of an embedded KMS of cqlock. */
export function isServedArn(text: string): boolean {
  return SERVED_ARN.test(text);
}
