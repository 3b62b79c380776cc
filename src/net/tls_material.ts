import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { X509Certificate } from 'node:crypto';
import { ConfigError } from '../errors/index.ts';

/** Files in PEM of one side of TLS, absolute, and what they are for in messages. */
export interface TlsFiles {
  /** Words such as `the listener for clients`. */
  readonly what: string;
  /** Certificate, followed by those that lead to its root. */
  readonly certFile?: string | undefined;
  readonly keyFile?: string | undefined;
  readonly caFile?: string | undefined;
}

/** What the files hold, checked: certificate and key belong together. */
export interface TlsMaterial {
  readonly cert: Buffer | undefined;
  readonly key: Buffer | undefined;
  readonly ca: Buffer | undefined;
  /** When the first certificate of `cert` expires; undefined without one. Milliseconds. */
  readonly notAfterMs: number | undefined;
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/**
 * Reads the files.
 * @throws ConfigError CONFIG_TLS naming the file; nothing of a key is in the message.
 */
export function readTlsFiles(files: TlsFiles): TlsMaterial {
  const cert = readPem(files.certFile, files.what);
  const key = readPem(files.keyFile, files.what);
  const ca = readPem(files.caFile, files.what);
  const chain = certificatesOf(cert, files.certFile, files.what);
  certificatesOf(ca, files.caFile, files.what);
  try {
    createSecureContext({
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
    });
  } catch (cause) {
    throw new ConfigError(
      'CONFIG_TLS',
      `TLS of ${files.what}: ${files.keyFile ?? ''} is not the key of the certificate in ${files.certFile ?? ''}, or is no key in PEM without a passphrase; give both of one pair`,
      { cause },
    );
  }
  const ends = chain.map((certificate) => Date.parse(certificate.validTo));
  return { cert, key, ca, notAfterMs: ends.length === 0 ? undefined : Math.min(...ends) };
}

function readPem(path: string | undefined, what: string): Buffer | undefined {
  if (path === undefined) return undefined;
  try {
    return readFileSync(path);
  } catch (cause) {
    const why = (cause as NodeJS.ErrnoException).code ?? 'unknown error';
    throw new ConfigError(
      'CONFIG_TLS',
      `TLS of ${what}: ${path} cannot be read (${why}); correct the path or its permissions`,
      { cause },
    );
  }
}

function certificatesOf(
  pem: Buffer | undefined,
  path: string | undefined,
  what: string,
): X509Certificate[] {
  if (pem === undefined) return [];
  try {
    const found = pem.toString('latin1').match(CERTIFICATE) ?? [];
    const certificates = found.map((text) => new X509Certificate(text));
    if (certificates.length > 0) return certificates;
  } catch {
    // The same words as for a file without any.
  }
  throw new ConfigError(
    'CONFIG_TLS',
    `TLS of ${what}: ${path ?? ''} has no certificate in PEM (BEGIN CERTIFICATE)`,
  );
}

/** What a {@link WatchedTls} tells of its files. */
export interface TlsWatcher {
  /** The files were read, at the start or after a change; `notAfterMs` as in {@link TlsMaterial}. */
  onRead(notAfterMs: number | undefined): void;
  /** The files changed and cannot be used; those read before stay in force. */
  onFailure(error: ConfigError): void;
}

/** The files of one side of TLS, read again when they change. Connections that are open keep what they began with. */
export class WatchedTls {
  readonly #files: TlsFiles;
  readonly #watcher: TlsWatcher;
  readonly #listeners: ((material: TlsMaterial) => void)[] = [];
  #material: TlsMaterial;
  #timer: NodeJS.Timeout | undefined;
  #failure: string | undefined;

  /** @throws ConfigError CONFIG_TLS */
  constructor(files: TlsFiles, watcher: TlsWatcher) {
    this.#files = files;
    this.#watcher = watcher;
    this.#material = readTlsFiles(files);
    watcher.onRead(this.#material.notAfterMs);
  }

  /** What new connections are to use. */
  get material(): TlsMaterial {
    return this.#material;
  }

  /** Calls `listener` with each new material. */
  onReplaced(listener: (material: TlsMaterial) => void): void {
    this.#listeners.push(listener);
  }

  /** Looks at the files every `periodMs`, until {@link close}. Contents are compared, so links that move are seen too. */
  watch(periodMs: number): void {
    this.#timer = setInterval(() => {
      this.look();
    }, periodMs).unref();
  }

  /** Reads the files now. A pair that is half replaced does not fit together and is read again the next time. */
  look(): void {
    let next: TlsMaterial;
    try {
      next = readTlsFiles(this.#files);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      if (this.#failure !== error.message) this.#watcher.onFailure(error);
      this.#failure = error.message;
      return;
    }
    this.#failure = undefined;
    const isSame = (['cert', 'key', 'ca'] as const).every((part) =>
      sameBytes(this.#material[part], next[part]),
    );
    if (isSame) return;
    this.#material = next;
    this.#watcher.onRead(next.notAfterMs);
    for (const listener of this.#listeners) listener(next);
  }

  close(): void {
    clearInterval(this.#timer);
  }
}

function sameBytes(a: Buffer | undefined, b: Buffer | undefined): boolean {
  return a === undefined || b === undefined ? a === b : a.equals(b);
}
