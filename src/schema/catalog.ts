import { OverloadError, toProxyError } from '../errors/index.ts';
import type { ProxyError } from '../errors/index.ts';
import type { Clock } from '../util/index.ts';
import { buildSnapshot } from './build_snapshot.ts';
import type { Snapshot } from './entries.ts';
import type { CatalogTrust, RecordStore, SchemaSource } from './ports.ts';
import { sealChange } from './record_changes.ts';
import type { ChangeSet } from './record_changes.ts';
import { readVerifiedRecords } from './verified_records.ts';
import type { CatalogKeys, VerifiedRecords } from './verified_records.ts';

const CHANGE_ATTEMPTS = 30;
const CHANGE_BACKOFF_MS = 15;
const READ_ATTEMPTS = 5;

/** What a catalog works with. */
export interface CatalogOptions {
  readonly store: RecordStore;
  readonly source: SchemaSource;
  readonly trust: CatalogTrust;
  readonly clock: Clock;
  /** Told about a refresh that failed to verify; the snapshot then refuses every user table. */
  readonly onFailure?: (error: Error) => void;
}

/**
 * The schema as this process knows it. `snapshot()` never waits; `refresh()` reads again. Root and records are verified
 * on every reading, and a reading that does not verify gives a snapshot that refuses every user table until one does.
 */
export class Catalog {
  readonly #options: CatalogOptions;
  readonly #listeners = new Set<(snapshot: Snapshot) => void>();
  #keys: CatalogKeys;
  #rootVersion: bigint;
  /** The last reading: records whose bytes did not change are not verified again. */
  #records: VerifiedRecords['records'];
  /** Monotonic time at which the reading began that the snapshot is of. */
  #readAtMs: number;
  #snapshot: Snapshot;
  #running: Promise<Snapshot> | undefined;
  #queued: Promise<Snapshot> | undefined;

  private constructor(
    options: CatalogOptions,
    verified: VerifiedRecords,
    snapshot: Snapshot,
    readAtMs: number,
  ) {
    this.#options = options;
    this.#keys = verified.keys;
    this.#rootVersion = verified.root.version;
    this.#records = verified.records;
    this.#snapshot = snapshot;
    this.#readAtMs = readAtMs;
  }

  /**
   * Loads and verifies everything once.
   * @throws ConfigError before `init`; MetadataIntegrityError when root or keyspace `cqlock` do not verify; KeyAccessError
   * or KeyUnavailableError when the KMS does not open the catalog key.
   */
  static async open(options: CatalogOptions): Promise<Catalog> {
    const readAtMs = options.clock.monotonicMs();
    const verified = await readVerifiedRecords(options.store, options.trust, undefined);
    const raw = await options.source.readSchema();
    const { snapshot, agrees } = buildSnapshot(raw, verified, undefined);
    const catalog = new Catalog(options, verified, snapshot, readAtMs);
    if (!agrees) await catalog.refresh();
    return catalog;
  }

  /** The newest snapshot. */
  snapshot(): Snapshot {
    return this.#snapshot;
  }

  /** How long ago the reading began that the newest snapshot is of, milliseconds. */
  ageMs(): number {
    return this.#options.clock.monotonicMs() - this.#readAtMs;
  }

  /** Keys derived from the catalog key: the paging key for paging states, the audit key. They live as long as the catalog. */
  get keys(): CatalogKeys {
    return this.#keys;
  }

  /** Calls `listener` after each snapshot that differs in version; returns how to stop that. */
  onChange(listener: (snapshot: Snapshot) => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  /**
   * Reads again. Calls that come while a reading runs share the one that starts after it, since the running one may
   * already have passed what they wait for.
   * @throws UpstreamError when Cassandra cannot be read; the snapshot then stays.
   */
  refresh(): Promise<Snapshot> {
    if (this.#running === undefined) {
      this.#running = this.#load().finally(() => {
        this.#running = undefined;
      });
      return this.#running;
    }
    this.#queued ??= this.#running
      .catch(() => undefined)
      .then(() => {
        this.#queued = undefined;
        return this.refresh();
      });
    return this.#queued;
  }

  /** Reads and verifies the records now, without Cassandra's schema. */
  async readRecords(): Promise<VerifiedRecords> {
    const verified = await readVerifiedRecords(this.#options.store, this.#options.trust, {
      keys: this.#keys,
      rootVersion: this.#rootVersion,
      records: this.#records,
    });
    this.#records = verified.records;
    if (verified.root.version > this.#rootVersion) this.#rootVersion = verified.root.version;
    return verified;
  }

  /**
   * Changes records: `edit` gets the verified present and returns the change, or `undefined` for none. It is called again
   * when another proxy was faster. The change is durable, and the anchor raised, when the promise resolves.
   * @throws OverloadError after too many conflicts; whatever `edit` throws.
   */
  async change(edit: (view: VerifiedRecords) => ChangeSet | undefined): Promise<void> {
    for (let attempt = 1; attempt <= CHANGE_ATTEMPTS; attempt += 1) {
      const view = await this.readRecords();
      const change = edit(view);
      if (change === undefined) return;
      const sealed = sealChange(view, change);
      const outcome = await this.#options.store.change(view.clusterId, sealed.root, sealed.records);
      if (outcome === 'applied') {
        const version = sealed.root.next.version;
        if (version > this.#rootVersion) this.#rootVersion = version;
        await this.#options.trust.advanceAnchor(version);
        return;
      }
      await this.sleep(CHANGE_BACKOFF_MS * attempt);
    }
    throw new OverloadError(
      'OVERLOAD_CATALOG',
      'the catalog is being changed by too many clients at once; try again',
    );
  }

  /** Waits on the catalog's clock. */
  async sleep(delayMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#options.clock.after(delayMs, resolve);
    });
  }

  async #load(): Promise<Snapshot> {
    const readAtMs = this.#options.clock.monotonicMs();
    const next = await this.#read();
    this.#snapshot = next;
    this.#readAtMs = readAtMs;
    for (const listener of this.#listeners) listener(next);
    return next;
  }

  /**
   * Records and schema cannot be read at one moment. A record covers what its change does to the schema before it is done,
   * so they agree if the root is the same before and after the schema was read; where they do not agree, that is made sure.
   */
  async #read(): Promise<Snapshot> {
    let verified = await this.#recordsOrFailure();
    for (let attempt = 1; ; attempt += 1) {
      const raw = await this.#options.source.readSchema();
      const { snapshot, agrees } = buildSnapshot(raw, verified, this.#snapshot);
      if (agrees || verified instanceof Error || attempt === READ_ATTEMPTS) return snapshot;
      const after = await this.#recordsOrFailure();
      if (!(after instanceof Error) && after.root.version === verified.root.version) {
        return snapshot;
      }
      verified = after;
    }
  }

  async #recordsOrFailure(): Promise<VerifiedRecords | ProxyError> {
    try {
      return await this.readRecords();
    } catch (error) {
      if (!isIntegrityFailure(error)) throw error;
      const failure = toProxyError(error);
      this.#options.onFailure?.(failure);
      return failure;
    }
  }
}

/** Failures of what was read, as against failures to read. */
function isIntegrityFailure(error: unknown): boolean {
  const code = toProxyError(error).code;
  return code.startsWith('METADATA_') || code.startsWith('CONFIG_');
}
