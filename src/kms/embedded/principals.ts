/** Who makes a call. */
export interface KmsPrincipal {
  /** ARN of the principal. */
  readonly principal: string;
  /** What the principal may do where a key policy leaves it to the account, as its access key says: `kms:*`, … */
  readonly actions: readonly string[];
  /** True for whoever administers the key store on its own host, and can open it anyway: policies do not bind it. */
  readonly isOperator: boolean;
}

/** The account: stands in policies for all users whose access keys allow an action. */
export function accountPrincipal(storeId: string): string {
  return `arn:cqlock:iam::${storeId}:root`;
}

/** The principal of an access key of a user. */
export function userPrincipal(storeId: string, user: string): string {
  return `arn:cqlock:iam::${storeId}:user/${user}`;
}

/** The principal as which the proxy itself uses keys for its tables. */
export function proxyPrincipal(storeId: string): string {
  return `arn:cqlock:iam::${storeId}:service/cqlock-proxy`;
}

/** Whoever runs the command line on the host of the key store. */
export function operator(storeId: string): KmsPrincipal {
  return { principal: accountPrincipal(storeId), actions: ['kms:*'], isOperator: true };
}

/** Whether a text can be the name of a user. */
export function isUserName(text: string): boolean {
  return /^[\w+=,.@-]{1,64}$/.test(text);
}

/** Whether a text names a principal of this store; one need not have an access key yet. */
export function isPrincipal(storeId: string, text: string): boolean {
  const user = userPrincipal(storeId, '');
  return (
    text === accountPrincipal(storeId) ||
    text === proxyPrincipal(storeId) ||
    (text.startsWith(user) && isUserName(text.slice(user.length)))
  );
}
