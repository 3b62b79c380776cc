/**
 * Settings of a Cassandra with roles and mutual TLS, from PEM files: key and certificate in one, and the CA. Plain text is taken too,
 * for the probe that waits for the start; the proxy asks for TLS and falls back to nothing.
 */
export function tlsCassandraSettings(files: {
  readonly keyAndCertificate: string;
  readonly ca: string;
}): Record<string, unknown> {
  return {
    authenticator: 'PasswordAuthenticator',
    authorizer: 'CassandraAuthorizer',
    // A password that is changed counts at once.
    credentials_validity: '0ms',
    roles_validity: '0ms',
    permissions_validity: '0ms',
    client_encryption_options: {
      enabled: true,
      optional: true,
      require_client_auth: true,
      ssl_context_factory: {
        class_name: 'org.apache.cassandra.security.PEMBasedSslContextFactory',
      },
      keystore: files.keyAndCertificate,
      truststore: files.ca,
    },
  };
}
