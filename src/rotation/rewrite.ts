/** Why a new key DEK is refused; docs/decisions/0017 has the design that is missing. */
export const REWRITE_REFUSED =
  'a new key DEK rewrites the table under other keys, which cqlock cannot do while clients use it; ' +
  'create a new table through the proxy, copy the rows with a client, and drop the old table';
