/** Oldest version of TLS that is spoken. */
export type TlsVersion = 'TLSv1.2' | 'TLSv1.3';

/** TLS between clients and proxy. Files are PEM, absolute. */
export interface ClientTlsConfig {
  /** optional: TLS and plain text on one port. */
  readonly mode: 'optional' | 'required';
  /** Certificate, followed by those that lead to its root. */
  readonly certFile: string;
  readonly keyFile: string;
  readonly clientCertificates: 'none' | 'optional' | 'required';
  /** CAs that sign the certificates of clients. */
  readonly clientCaFile: string | undefined;
  readonly minVersion: TlsVersion;
}

/** TLS between proxy and Cassandra. Files are PEM, absolute. */
export interface CassandraTlsConfig {
  /** CAs of the nodes; those that Node brings along if undefined. */
  readonly caFile: string | undefined;
  /** Certificate and key with which the proxy shows who it is. */
  readonly certFile: string | undefined;
  readonly keyFile: string | undefined;
  /** Whether a node's certificate must be for the node's address, a contact point's name, or `serverName`. */
  readonly verifiesHostName: boolean;
  /** The name in the certificates of all nodes. */
  readonly serverName: string | undefined;
  readonly minVersion: TlsVersion;
}
