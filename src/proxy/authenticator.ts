import type { ClientCertificate } from './transport.ts';

/** A client that the proxy has verified itself. */
export interface VerifiedClient {
  /** The role in the proxy's own list. */
  readonly name: string;
  /** Its role in Cassandra. */
  readonly cassandraRole: string;
  /** That role's password; undefined: the client gives it, with its own password or beside its certificate. */
  readonly cassandraPassword: string | undefined;
}

/** Says which clients may come in. Implemented by auth; here, what a connection needs of it. */
export interface Authenticator {
  /**
   * delegated: Cassandra alone says so. password: the proxy asks for a password and verifies it before Cassandra is asked
   * for anything. certificate: the certificate says who it is.
   */
  readonly mode: 'delegated' | 'password' | 'certificate';
  /** @throws AuthenticationError LOGIN_LIMITED when the user has to wait after failed logins from this address. */
  admit(user: string, address: string): void;
  /** A login ended, by whomever it was judged. */
  ended(user: string, address: string, isAccepted: boolean): void;
  /** @throws AuthenticationError LOGIN_REFUSED, the same for a wrong password and a role that is not there. */
  verifyPassword(user: string, password: string): Promise<VerifiedClient>;
  /** @throws AuthenticationError LOGIN_REFUSED when the certificate is that of no role. */
  verifyCertificate(certificate: ClientCertificate | undefined): VerifiedClient;
}
