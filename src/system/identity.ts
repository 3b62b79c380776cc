import { isIPv4, isIPv6 } from 'node:net';
import { InternalError } from '../errors/index.ts';

/** What a proxy shows of itself to one client connection. */
export interface ProxyIdentity {
  /** IP address by which this client reached the proxy, without a zone. */
  readonly listenAddress: string;
  readonly listenPort: number;
  /** 16 bytes, fixed for a proxy. */
  readonly hostId: Uint8Array;
  /** 16 bytes, from {@link schemaVersionOf}. */
  readonly schemaVersion: Uint8Array;
}

/** The bytes of an inet value; IPv4 addresses mapped into IPv6 become IPv4, as Java reads them. @throws InternalError if it is no address. */
export function inetBytes(address: string): Uint8Array {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '');
  if (isIPv4(plain)) return Uint8Array.from(plain.split('.'), Number);
  if (!isIPv6(plain))
    throw new InternalError('the listen address of a connection is no IP address');
  const withHex = plain.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_all, a, b, c, d) =>
    [Number(a) * 256 + Number(b), Number(c) * 256 + Number(d)].map((n) => n.toString(16)).join(':'),
  );
  const [head = '', tail] = withHex.split('::');
  const groups = (text: string): number[] =>
    text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16));
  const front = groups(head);
  const back = tail === undefined ? [] : groups(tail);
  const all = [...front, ...new Array<number>(8 - front.length - back.length).fill(0), ...back];
  return Uint8Array.from(all.flatMap((group) => [group >> 8, group & 0xff]));
}
