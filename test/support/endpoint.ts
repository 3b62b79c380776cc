/** Endpoints that a test program is pointed at: the real Cassandra and the proxy in front of it. */

/** A host and a port. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** Reads `host:port`. @throws TypeError when it is not one. */
export function parseEndpoint(text: string): Endpoint {
  const at = text.lastIndexOf(':');
  const port = Number(text.slice(at + 1));
  if (at <= 0 || !Number.isInteger(port) || port < 1 || port > 65_535)
    throw new TypeError(`not a host:port: '${text}'`);
  return { host: text.slice(0, at), port };
}

/** CQLOCK_TEST_DIRECT and CQLOCK_TEST_PROXY. @throws TypeError when one is missing. */
export function endpointsFromEnvironment(): { direct: Endpoint; proxy: Endpoint } {
  const read = (name: string): Endpoint => {
    const text = process.env[name];
    if (text === undefined || text === '') throw new TypeError(`${name}=host:port is needed`);
    return parseEndpoint(text);
  };
  return { direct: read('CQLOCK_TEST_DIRECT'), proxy: read('CQLOCK_TEST_PROXY') };
}
