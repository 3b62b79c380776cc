import { isIP } from 'node:net';
import { checkServerIdentity } from 'node:tls';
import type { ConnectionOptions, PeerCertificate } from 'node:tls';
import type { WatchedTls } from './tls_material.ts';

/**
 * The options of TLS to Cassandra, which take the newest certificates at each connection. A node's certificate must be signed
 * by the CA and be for the address that was connected to, or for the name of a contact point (nodes are found by their
 * addresses, and certificates often have names only); with a server name, for that.
 */
export function upstreamTlsOptions(options: {
  readonly files: WatchedTls;
  readonly verifiesHostName: boolean;
  readonly serverName: string | undefined;
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3';
  /** Hosts of the contact points. */
  readonly hosts: readonly string[];
}): ConnectionOptions {
  const { files, serverName } = options;
  const names = options.hosts.filter((host) => isIP(host) === 0);
  const check = (host: string, certificate: PeerCertificate): Error | undefined => {
    if (!options.verifiesHostName) return undefined;
    if (serverName !== undefined) return checkServerIdentity(serverName, certificate);
    const failure = checkServerIdentity(host, certificate);
    if (failure === undefined) return undefined;
    return names.some((name) => checkServerIdentity(name, certificate) === undefined)
      ? undefined
      : failure;
  };
  return {
    // Read at each connection, so that replaced files are in force from then on.
    get ca() {
      return files.material.ca;
    },
    get cert() {
      return files.material.cert;
    },
    get key() {
      return files.material.key;
    },
    minVersion: options.minVersion,
    rejectUnauthorized: true,
    ...(serverName === undefined ? {} : { servername: serverName }),
    checkServerIdentity: check,
  };
}
