import type { Address } from './address.ts';
import type { AuthenticationConfig } from './authentication_settings.ts';
import type { KmsConfig } from './kms_types.ts';
import type { SettingPlace } from './setting_places.ts';
import type { CassandraTlsConfig, ClientTlsConfig } from './tls_types.ts';

/** Levels of the log, from most to least. */
export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';

/** Where the root key that seals the key store of the embedded KMS comes from. */
export type RootKeySetting =
  | { readonly kind: 'file'; readonly path: string; readonly isDefault: boolean }
  /** Base64 of 32 bytes. */
  | { readonly kind: 'base64'; readonly value: string }
  | { readonly kind: 'passphrase'; readonly value: string };

/** Where backups are kept. */
export type BackupTargetSetting =
  /** Absolute. */
  | { readonly kind: 'directory'; readonly path: string }
  | {
      readonly kind: 's3';
      readonly bucket: string;
      /** Without `/` at either end; may be empty. */
      readonly prefix: string;
      /** Bucket in the path instead of the host name. */
      readonly usesPathStyle: boolean;
    };

/** How the proxy reaches Cassandra. */
export interface UpstreamConfig {
  /** Nodes to start from; empty: a Cassandra is started. */
  readonly contactPoints: readonly Address[];
  readonly localDatacenter: string | undefined;
  /** The proxy's own role; undefined where Cassandra asks for none. */
  readonly username: string | undefined;
  readonly password: string | undefined;
  /** Undefined: plain text. */
  readonly tls: CassandraTlsConfig | undefined;
  /** Port of the Cassandra that is started. */
  readonly embeddedPort: number;
  /** Heap of the Cassandra that is started, MiB. */
  readonly embeddedHeapMb: number;
  /** How the Cassandra that is started comes about: a container where possible, else jars; or one of them only. */
  readonly embeddedProvider: 'auto' | 'docker' | 'jars';
}

/** A mail server. */
export interface SmtpServer {
  readonly host: string;
  readonly port: number;
  /** starttls: TLS before anything is sent, or nothing is sent. */
  readonly tls: 'implicit' | 'starttls' | 'none';
  readonly username: string | undefined;
  readonly password: string | undefined;
}

/** Where notices to the owners of tables go; nowhere if both are undefined. */
export interface NotifyConfig {
  readonly webhook: { readonly url: string; readonly secret: string } | undefined;
  readonly email:
    | { readonly smtp: SmtpServer; readonly from: string; readonly to: readonly string[] }
    | undefined;
}

/** The listener that speaks the AWS KMS API. */
export interface KmsListenConfig {
  readonly address: Address;
  /** Files in PEM, absolute; undefined: plain HTTP, which only a loopback address may have. */
  readonly tls: { readonly certFile: string; readonly keyFile: string } | undefined;
}

/** All settings, complete and checked. */
export interface Config {
  /** The configuration file, as it was named; undefined: there is none. */
  readonly file: string | undefined;
  /** Where each setting was given, by the name of its variable; those with their defaults are not in it. */
  readonly places: ReadonlyMap<string, SettingPlace>;
  /** Where clients connect. */
  readonly listen: Address;
  /** Undefined: plain text. */
  readonly tls: ClientTlsConfig | undefined;
  /** How often certificates are looked at for a change, milliseconds. */
  readonly tlsReloadMs: number;
  readonly authentication: AuthenticationConfig;
  /** Where metrics and health are served. */
  readonly httpListen: Address;
  readonly upstream: UpstreamConfig;
  /** Everything that is kept, absolute. */
  readonly dataDir: string;
  /** Key store and anchor, absolute. */
  readonly stateDir: string;
  readonly rootKey: RootKeySetting;
  /** Where the embedded KMS is served to others; undefined: nowhere. */
  readonly kmsListen: KmsListenConfig | undefined;
  /** What is downloaded once (Cassandra's jars), absolute. */
  readonly cacheDir: string;
  readonly logLevel: LogLevel;
  readonly limits: {
    /** Longest body of an envelope that a client may send, bytes. */
    readonly maxFrameBytes: number;
    /** Client connections at the same time. */
    readonly maxConnections: number;
    /** Requests in flight on one client connection before it is not read any more. */
    readonly maxInFlightRequests: number;
    /** Time from a connection to its login, milliseconds. */
    readonly loginTimeoutMs: number;
  };
  readonly leases: {
    /** A table's keys are asked for again after this time without use, milliseconds. */
    readonly idleMs: number;
    /** Without an answer of the KMS, keys are used no longer than this, milliseconds. */
    readonly maxAgeMs: number;
  };
  readonly audit: {
    /** Directory of the audit log, absolute. */
    readonly dir: string;
    /** Whether a call to the KMS fails when its event cannot be written. */
    readonly required: boolean;
  };
  /** Mean time between two readings of the catalog, beside those after schema events, milliseconds. */
  readonly catalogRefreshMs: number;
  /** Longest use of one reading of the catalog for encryption; the same at all proxies of a cluster. Milliseconds. */
  readonly catalogMaxAgeMs: number;
  /** Whether statements on encrypted tables may call functions written by users: then Cassandra gets their arguments in plain. */
  readonly userFunctions: 'refuse' | 'in_cassandra';
  readonly rotation: {
    /** A cell key is replaced after this time, milliseconds. */
    readonly maxAgeMs: number;
    /** A cell key is replaced after so many values. */
    readonly maxCells: number;
    /** Rows that a re-encryption reads in a second. */
    readonly rowsPerSecond: number;
    /** Whether all cells are re-encrypted after every rotation, or on demand only. */
    readonly reencryption: 'on_demand' | 'always';
  };
  /** Time between the signal to stop and the end of open connections, milliseconds. */
  readonly drainTimeoutMs: number;
  /** The KMS providers of customer managed keys. */
  readonly kms: KmsConfig;
  readonly backup: {
    readonly target: BackupTargetSetting;
    /** How long backups are kept, milliseconds. */
    readonly retentionMs: number;
  };
  readonly keyLoss: {
    /** Mean time between two questions to the KMS about every customer managed key, milliseconds. */
    readonly checkPeriodMs: number;
    /** How long a key may be refused before its table is backed up and dropped, milliseconds. */
    readonly dropAfterMs: number;
  };
  readonly notify: NotifyConfig;
}
