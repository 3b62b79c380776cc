import { InvalidRequestError } from '../errors/index.ts';

/**
 * An address in text form. Host names, which Cassandra would look up, are refused; an IPv4-mapped IPv6 address becomes
 * IPv4, as in Java.
 * @throws InvalidRequestError when the text is no address
 */
export function parseInet(text: string): Uint8Array {
  const bytes = text.includes(':') ? parseInet6(text) : parseInet4(text);
  if (bytes === undefined) {
    throw new InvalidRequestError("Unable to make inet address from '<constant>'");
  }
  return bytes;
}

/** One to four parts; the last fills the bytes that are left: `127.1` is `127.0.0.1`. */
function parseInet4(text: string): Uint8Array | undefined {
  const parts = text.split('.');
  if (parts.length > 4 || parts.some((part) => !/^[0-9]{1,10}$/.test(part))) return undefined;
  const out = new Uint8Array(4);
  const numbers = parts.map(Number);
  const last = numbers.pop() as number;
  if (numbers.some((number) => number > 255)) return undefined;
  const room = 4 - numbers.length;
  if (last >= 256 ** room) return undefined;
  out.set(numbers);
  for (let i = 0; i < room; i++) out[3 - i] = Math.floor(last / 256 ** i) & 0xff;
  return out;
}

function parseInet6(text: string): Uint8Array | undefined {
  let address = text;
  if (address.startsWith('[') && address.endsWith(']')) address = address.slice(1, -1);
  const halves = address.split('::');
  if (halves.length > 2) return undefined;
  const head = parseGroups(halves[0] as string, halves.length === 1);
  const tail = halves[1] === undefined ? [] : parseGroups(halves[1], true);
  if (head === undefined || tail === undefined) return undefined;
  const missing = 16 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined;
  const out = new Uint8Array(16);
  out.set(head);
  out.set(tail, 16 - tail.length);
  const isMapped =
    out.subarray(0, 10).every((b) => b === 0) && out[10] === 0xff && out[11] === 0xff;
  return isMapped ? out.slice(12) : out;
}

function parseGroups(text: string, mayEndWithInet4: boolean): number[] | undefined {
  if (text === '') return [];
  const bytes: number[] = [];
  const groups = text.split(':');
  for (const [i, group] of groups.entries()) {
    if (/^[0-9a-fA-F]{1,4}$/.test(group)) {
      const value = parseInt(group, 16);
      bytes.push(value >> 8, value & 0xff);
    } else if (mayEndWithInet4 && i === groups.length - 1 && group.split('.').length === 4) {
      const inet4 = parseInet4(group);
      if (inet4 === undefined) return undefined;
      bytes.push(...inet4);
    } else {
      return undefined;
    }
  }
  return bytes;
}
