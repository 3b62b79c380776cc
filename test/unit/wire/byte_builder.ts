/**
 * Bytes for expectations, apart from the product's own writer: hexadecimal digits (blanks do not count) and texts in
 * single quotes, e.g. `bytes("0003 'foo'")`.
 */
export function bytes(...parts: readonly string[]): Buffer {
  const pieces: Buffer[] = [];
  for (const token of parts.join(' ').match(/'[^']*'|[0-9a-fA-F]+|[^\s]/g) ?? []) {
    if (token.startsWith("'")) pieces.push(Buffer.from(token.slice(1, -1), 'utf8'));
    else if (/^(?:[0-9a-fA-F]{2})+$/.test(token)) pieces.push(Buffer.from(token, 'hex'));
    else throw new TypeError(`neither hexadecimal nor a text: ${token}`);
  }
  return Buffer.concat(pieces);
}

/** Bytes as hexadecimal digits. */
export function hex(value: Uint8Array): string {
  return Buffer.from(value).toString('hex');
}

/**
 * A message as plain JSON: bytes become `0x…`, numbers of 64 bits `…n`, maps objects; what is undefined is left out.
 */
export function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return `0x${hex(value)}`;
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'symbol') return value.description;
  if (Array.isArray(value)) return value.map(plain);
  if (value instanceof Map) {
    return Object.fromEntries([...value].map(([key, item]) => [String(key), plain(item)]));
  }
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(
      Object.entries(value)
        .filter(([, item]) => item !== undefined)
        .map(([key, item]) => [key, plain(item)]),
    );
  }
  return value;
}
