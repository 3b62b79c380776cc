import type { Address } from './address.ts';

/** Levels of the log, from most to least. */
export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';

/** Where the root key that seals the key store of the embedded KMS comes from. */
export type RootKeySetting =
  | { readonly kind: 'file'; readonly path: string; readonly isDefault: boolean }
  /** Base64 of 32 bytes. */
  | { readonly kind: 'base64'; readonly value: string }
  | { readonly kind: 'passphrase'; readonly value: string };

/** How the proxy reaches Cassandra. */
export interface UpstreamConfig {
  /** Nodes to start from; empty: a Cassandra is started. */
  readonly contactPoints: readonly Address[];
  readonly localDatacenter: string | undefined;
  /** The proxy's own role; undefined where Cassandra asks for none. */
  readonly username: string | undefined;
  readonly password: string | undefined;
  /** Port of the Cassandra that is started. */
  readonly embeddedPort: number;
  /** Heap of the Cassandra that is started, MiB. */
  readonly embeddedHeapMb: number;
  /** How the Cassandra that is started comes about: a container where possible, else jars; or one of them only. */
  readonly embeddedProvider: 'auto' | 'docker' | 'jars';
}

/** The listener that speaks the AWS KMS API. */
export interface KmsListenConfig {
  readonly address: Address;
  /** Files in PEM, absolute; undefined: plain HTTP, which only a loopback address may have. */
  readonly tls: { readonly certFile: string; readonly keyFile: string } | undefined;
}

/** All settings, complete and checked. */
export interface Config {
  /** Where clients connect. */
  readonly listen: Address;
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
  };
  readonly leases: {
    /** A table's keys are asked for again after this time without use, milliseconds. */
    readonly idleMs: number;
    /** Without an answer of the KMS, keys are used no longer than this, milliseconds. */
    readonly maxAgeMs: number;
  };
  /** Mean time between two readings of the catalog, beside those after schema events, milliseconds. */
  readonly catalogRefreshMs: number;
  /** Time between the signal to stop and the end of open connections, milliseconds. */
  readonly drainTimeoutMs: number;
}
