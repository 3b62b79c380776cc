import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { AuthenticationError, ConfigError } from '../errors/index.ts';
import type { Authenticator, ClientCertificate, VerifiedClient } from '../proxy/index.ts';
import type { Clock } from '../util/index.ts';
import { LoginLimiter } from './login_limiter.ts';
import { hashPassword, verifyHash } from './password_hash.ts';
import { readRoles } from './roles_file.ts';
import type { RoleEntry } from './roles_file.ts';
import { WorkLimit } from './work_limit.ts';

/** What the authenticator works with. */
export interface AuthenticatorOptions {
  readonly mode: Authenticator['mode'];
  /** The list of roles; undefined when delegated. */
  readonly rolesFile: string | undefined;
  readonly maxFailures: number;
  readonly failurePeriodMs: number;
  readonly clock: Clock;
  readonly onLogin: (result: 'ok' | 'failed' | 'limited') => void;
}

/** Hashes at the same time: each takes 32 MiB. */
const PARALLEL_HASHES = 4;

/** The proxy's own list of roles, and how often one may fail. */
export class RoleAuthenticator implements Authenticator {
  readonly mode: Authenticator['mode'];
  readonly #options: AuthenticatorOptions;
  readonly #limiter: LoginLimiter;
  readonly #hashes = new WorkLimit(PARALLEL_HASHES);
  readonly #cacheKey = randomBytes(32);
  /** Proof of the password that was accepted for a hash, so that a pool of connections costs one hash. */
  readonly #accepted = new Map<string, Buffer>();
  #roles: ReadonlyMap<string, RoleEntry>;
  #text = '';
  #failure: string | undefined;
  #decoy: Promise<string> | undefined;

  /** @throws ConfigError CONFIG_ROLES */
  constructor(options: AuthenticatorOptions) {
    this.mode = options.mode;
    this.#options = options;
    this.#limiter = new LoginLimiter(options.clock, {
      maxFailures: options.maxFailures,
      periodMs: options.failurePeriodMs,
    });
    this.#roles = this.#read();
    this.#text = JSON.stringify([...this.#roles.values()]);
  }

  /**
   * Reads the list again.
   * @returns roles that are gone or changed; their connections are no longer what was verified. Empty if nothing changed.
   * @throws ConfigError CONFIG_ROLES, once for each new failure; the list read before stays in force.
   */
  reload(): ReadonlySet<string> {
    let next: ReadonlyMap<string, RoleEntry>;
    try {
      next = this.#read();
    } catch (error) {
      if (!(error instanceof ConfigError) || error.message === this.#failure) return new Set();
      this.#failure = error.message;
      throw error;
    }
    this.#failure = undefined;
    const text = JSON.stringify([...next.values()]);
    if (text === this.#text) return new Set();
    const changed = [...this.#roles].filter(
      ([name, entry]) => JSON.stringify(next.get(name)) !== JSON.stringify(entry),
    );
    this.#roles = next;
    this.#text = text;
    this.#accepted.clear();
    return new Set(changed.map(([name]) => name));
  }

  admit(user: string, address: string): void {
    try {
      this.#limiter.admit(user, address);
    } catch (error) {
      this.#options.onLogin('limited');
      throw error;
    }
  }

  ended(user: string, address: string, isAccepted: boolean): void {
    this.#limiter.ended(user, address, isAccepted);
    this.#options.onLogin(isAccepted ? 'ok' : 'failed');
  }

  async verifyPassword(user: string, password: string): Promise<VerifiedClient> {
    const entry = this.#roles.get(user);
    const hash = entry?.passwordHash;
    if (entry !== undefined && hash !== undefined) {
      const proof = createHmac('sha256', this.#cacheKey).update(`${hash}\0${password}`).digest();
      const known = this.#accepted.get(user);
      if (known !== undefined && timingSafeEqual(known, proof)) return verified(entry);
      if (await this.#hashes.run(() => verifyHash(password, hash))) {
        // The list may have changed while the hash was made.
        if (this.#roles.get(user)?.passwordHash !== hash) throw refused(user);
        this.#accepted.set(user, proof);
        return verified(entry);
      }
    } else {
      // A role that is not there takes as long as a wrong password.
      this.#decoy ??= hashPassword(randomBytes(16).toString('hex'));
      const decoy = await this.#decoy;
      await this.#hashes.run(() => verifyHash(password, decoy));
    }
    throw refused(user);
  }

  verifyCertificate(certificate: ClientCertificate | undefined): VerifiedClient {
    const identities = certificate === undefined ? [] : identitiesOf(certificate);
    const found = [...this.#roles.values()].filter((entry) =>
      entry.certificates.some((identity) => identities.includes(identity)),
    );
    const [entry] = found;
    if (entry === undefined) {
      throw new AuthenticationError(
        'LOGIN_CERTIFICATE',
        'this certificate is that of no role: add one of its names with cqlock role add --certificate',
      );
    }
    if (found.length > 1) {
      throw new AuthenticationError(
        'LOGIN_CERTIFICATE',
        `this certificate has names of several roles (${found.map(({ name }) => name).join(', ')}): name it by sha256:fingerprint at one`,
      );
    }
    return verified(entry);
  }

  #read(): ReadonlyMap<string, RoleEntry> {
    const { rolesFile } = this.#options;
    if (rolesFile === undefined) return new Map();
    return new Map(readRoles(rolesFile).map((entry) => [entry.name, entry]));
  }
}

function identitiesOf(certificate: ClientCertificate): string[] {
  const { commonName, altNames, fingerprint } = certificate;
  return [
    ...(commonName === undefined ? [] : [`CN=${commonName}`]),
    ...altNames,
    `sha256:${fingerprint}`,
  ];
}

function verified({ name, cassandraRole, cassandraPassword }: RoleEntry): VerifiedClient {
  return { name, cassandraRole, cassandraPassword };
}

/** In Cassandra's words. */
function refused(user: string): AuthenticationError {
  return new AuthenticationError(
    'LOGIN_REFUSED',
    `Provided username ${user} and/or password are incorrect`,
  );
}
