import type { TableCipherKeys } from '../crypto/index.ts';
import { KeyUnavailableError } from '../errors/index.ts';
import { accessState, keyEpoch } from '../schema/index.ts';
import type { TableEntry } from '../schema/index.ts';
import type { Clock } from '../util/index.ts';
import type { KeyMaterial } from './key_material.ts';

const GRANT_ATTEMPTS = 3;
/** As Cassandra names who connects without a login. */
const ANONYMOUS = 'anonymous';
/** How long the older keys of a lease serve a table whose newer ones the KMS did not give, until it is asked again. */
const NEWER_RETRY_MS = 10_000;

/** The leases of one client connection. */
export interface ConnectionLeases {
  /** Role of the client as Cassandra accepted it; `anonymous` until {@link ConnectionLeases.identify}. For the audit log. */
  readonly principal: string;
  /** Names the client's role. */
  identify(principal: string): void;
  /**
   * The keys of a table. They may be used in the same turn of the event loop only; afterwards acquire again.
   * Without a promise while the lease is valid: one look-up and a few comparisons.
   * A table whose keys were changed since `table` was read gives the newer ones: they open all that the older ones do.
   * @throws the table's own error when it is unknown or broken (as a rejection when the KMS is asked).
   */
  acquire(table: TableEntry): TableCipherKeys | Promise<TableCipherKeys>;
  /**
   * Keys that are newer than those of `known`, for a stored value of an epoch that these lack. The catalog is read again
   * for that, once a second and table.
   * @returns `undefined` when there are none.
   */
  newer(table: TableEntry, known: TableCipherKeys): Promise<TableCipherKeys | undefined>;
  /** Ends all leases; to be called when the connection closes. */
  release(): void;
}

interface Lease {
  readonly material: KeyMaterial;
  table: TableEntry;
  lastUseMs: number;
  /** Version of the newest record of the table that these keys were given or used for. */
  recordVersion: bigint;
  /** Monotonic time before which newer keys are not asked for again. */
  newerAfterMs: number;
}

/** What a connection's leases work with. */
export interface LeaseSetPorts {
  readonly clock: Clock;
  readonly idleMs: number;
  readonly maxAgeMs: number;
  grant(table: TableEntry, principal: string): Promise<KeyMaterial>;
  newest(table: TableEntry): Promise<TableEntry | undefined>;
  token(table: TableEntry): string;
  check(table: TableEntry, material: KeyMaterial): void;
  counted(set: LeaseSet, change: number): void;
}

/** See {@link ConnectionLeases}. */
export class LeaseSet implements ConnectionLeases {
  readonly #ports: LeaseSetPorts;
  /** By entry object, so that the hot path needs no string; one lease for each table. */
  readonly #byEntry = new Map<TableEntry, Lease>();
  readonly #byTable = new Map<string, Lease>();
  #isReleased = false;
  #principal = ANONYMOUS;

  constructor(ports: LeaseSetPorts) {
    this.#ports = ports;
  }

  get size(): number {
    return this.#byTable.size;
  }

  get principal(): string {
    return this.#principal;
  }

  identify(principal: string): void {
    this.#principal = principal;
  }

  acquire(table: TableEntry): TableCipherKeys | Promise<TableCipherKeys> {
    const lease = this.#byEntry.get(table) ?? this.#moved(table);
    const now = this.#ports.clock.monotonicMs();
    if (lease === undefined || !this.#isLive(lease, now)) return this.#grant(table);
    return this.#use(lease, now);
  }

  async newer(table: TableEntry, known: TableCipherKeys): Promise<TableCipherKeys | undefined> {
    let newest = await this.#ports.newest(table);
    while (newest !== undefined) {
      const keys = await this.acquire(newest);
      if (keys !== known) return keys;
      // That one was known here already: is there one after it?
      newest = await this.#ports.newest(newest);
    }
    return undefined;
  }

  #isLive({ material, lastUseMs }: Lease, now: number): boolean {
    const { idleMs, maxAgeMs } = this.#ports;
    return material.isUsable && now - lastUseMs < idleMs && now - material.confirmedAtMs < maxAgeMs;
  }

  #use(lease: Lease, now: number): TableCipherKeys {
    lease.lastUseMs = now;
    if (now - lease.material.confirmedAtMs >= this.#ports.idleMs) {
      this.#ports.check(lease.table, lease.material);
    }
    return lease.material.keys;
  }

  release(): void {
    this.#isReleased = true;
    for (const lease of [...this.#byTable.values()]) this.#end(lease);
  }

  /** Ends the leases that were not used for the idle time, or whose keys are past their maximum age. */
  endIdle(nowMs: number): void {
    const { idleMs, maxAgeMs } = this.#ports;
    for (const lease of [...this.#byTable.values()]) {
      const { material, lastUseMs } = lease;
      const isOver = nowMs - lastUseMs >= idleMs || nowMs - material.confirmedAtMs >= maxAgeMs;
      if (isOver || !material.isUsable) this.#end(lease);
    }
  }

  /**
   * The lease of a table whose entry is another one: a newer one with the same keys (its columns changed), or the older one
   * of a statement that began before the keys were changed.
   */
  #moved(table: TableEntry): Lease | undefined {
    const lease = this.#byTable.get(hexOf(table.tableId));
    // A table that no longer verifies keeps its keys out of reach, as does one whose key was lost.
    if (lease === undefined || table.kind !== 'encrypted') return undefined;
    if (table.record !== undefined && accessState(table.record) !== 'ACTIVE') return undefined;
    if (table.recordVersion < lease.recordVersion) return lease;
    if (lease.material.token !== this.#ports.token(table)) return this.#older(lease, table);
    this.#byEntry.delete(lease.table);
    lease.table = table;
    lease.recordVersion = table.recordVersion;
    this.#byEntry.set(table, lease);
    return lease;
  }

  /** A lease on the keys before a change, while the KMS was asked for the newer ones and did not answer. */
  #older(lease: Lease, table: TableEntry): Lease | undefined {
    if (!isUnderSameKey(lease, table)) return undefined;
    return this.#ports.clock.monotonicMs() < lease.newerAfterMs ? lease : undefined;
  }

  async #grant(table: TableEntry): Promise<TableCipherKeys> {
    let material: KeyMaterial;
    try {
      material = await this.#granted(table);
    } catch (error) {
      const older = this.#byTable.get(hexOf(table.tableId));
      if (!(error instanceof KeyUnavailableError) || older === undefined) throw error;
      if (!isUnderSameKey(older, table)) throw error;
      const now = this.#ports.clock.monotonicMs();
      if (!this.#isLive(older, now) || older.recordVersion >= table.recordVersion) throw error;
      older.newerAfterMs = now + NEWER_RETRY_MS;
      return this.#use(older, now);
    }
    if (this.#isReleased || !material.isUsable) {
      throw new KeyUnavailableError(
        'KEY_LEASE_ENDED',
        `the keys of table ${table.keyspace}.${table.name} were released meanwhile; try again`,
      );
    }
    const now = this.#ports.clock.monotonicMs();
    const old = this.#byTable.get(material.tableId);
    if (
      old !== undefined &&
      old.material !== material &&
      old.recordVersion > table.recordVersion &&
      this.#isLive(old, now)
    ) {
      // Meanwhile another request of the connection was given newer keys.
      material.endIfUnused();
      return this.#use(old, now);
    }
    material.retain();
    if (old !== undefined) this.#end(old);
    const lease: Lease = {
      material,
      table,
      lastUseMs: now,
      recordVersion: table.recordVersion,
      newerAfterMs: 0,
    };
    this.#byEntry.set(table, lease);
    this.#byTable.set(material.tableId, lease);
    this.#ports.counted(this, 1);
    return material.keys;
  }

  async #granted(table: TableEntry): Promise<KeyMaterial> {
    let material = await this.#ports.grant(table, this.#principal);
    for (let attempt = 1; !material.isUsable && attempt < GRANT_ATTEMPTS; attempt += 1) {
      // The answer was shared with a connection that closed first and was the only one to hold a lease until now.
      material = await this.#ports.grant(table, this.#principal);
    }
    return material;
  }

  #end(lease: Lease): void {
    this.#byEntry.delete(lease.table);
    this.#byTable.delete(lease.material.tableId);
    lease.material.release();
    this.#ports.counted(this, -1);
  }
}

/** False after a rewrite of the table: under the older key DEK its rows are not there, and what is written is not found. */
function isUnderSameKey(lease: Lease, table: TableEntry): boolean {
  return keyEpoch(lease.table.record) === keyEpoch(table.record);
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}
