/** Host and port of a listener or a peer. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/**
 * Parses `host:port`, `[ipv6]:port`, or a bare host if there is a default port; undefined if it is none of these.
 * Port 0 (any free one) is allowed where `allowAnyPort` says so.
 */
export function parseAddress(
  text: string,
  options: { readonly defaultPort?: number; readonly allowAnyPort?: boolean } = {},
): Address | undefined {
  const match =
    /^\[([0-9a-fA-F:.]+)\](?::(\d{1,5}))?$/.exec(text) ??
    /^([^\s:[\]/@]+)(?::(\d{1,5}))?$/.exec(text);
  const host = match?.[1];
  if (match === null || host === undefined) return undefined;
  const port = match[2] === undefined ? options.defaultPort : Number(match[2]);
  if (port === undefined || port > 65_535) return undefined;
  if (port === 0 && options.allowAnyPort !== true) return undefined;
  return { host, port };
}

/** Writes an address so that {@link parseAddress} reads it back. */
export function formatAddress(address: Address): string {
  const host = address.host.includes(':') ? `[${address.host}]` : address.host;
  return `${host}:${String(address.port)}`;
}
