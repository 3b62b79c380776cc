import type { TableCipherKeys } from '../crypto/index.ts';
import {
  KeyAccessError,
  KeyUnavailableError,
  MetadataIntegrityError,
  SchemaError,
} from '../errors/index.ts';
import type { ProxyError } from '../errors/index.ts';
import { accessState, inaccessibleError, isClosed } from '../schema/index.ts';
import type { TableEntry } from '../schema/index.ts';
import { SingleFlight } from '../util/index.ts';
import type { Clock } from '../util/index.ts';
import { KeyMaterial } from './key_material.ts';
import type { OpenedTableKeys } from './table_keys.ts';

const REFUSAL_MEMORY_MS = 5000;
const UNAVAILABLE_RETRY_MS = 10_000;
const SWEEP_MS = 15_000;
const GRANT_ATTEMPTS = 3;

/** Bounds of leases. */
export interface KeyServiceOptions {
  /** A lease unused for so long needs a new KMS call; also the period of background calls. Default 300,000 ms. */
  readonly idleMs?: number;
  /** Longest use without an answer of the KMS. Default 3,600,000 ms. */
  readonly maxAgeMs?: number;
}

/** What is counted. */
export interface KeyMetrics {
  /** A call to the KMS ended. */
  kmsCall(operation: 'decrypt', result: 'ok' | 'refused' | 'unavailable', durationMs: number): void;
  /** The number of leases in this process changed. */
  leases(count: number): void;
}

/** What a key service works with. */
export interface KeyServicePorts {
  /** Opens the keys of a table by the KMS. */
  readonly tableKeys: {
    open(table: TableEntry, clusterId: Uint8Array): Promise<OpenedTableKeys>;
  };
  /** 16 bytes. */
  readonly clusterId: Uint8Array;
  readonly clock: Clock;
  readonly metrics: KeyMetrics;
  /**
   * Told when the KMS refuses the keys of a table, and when it grants keys that count as lost. Never rejects.
   */
  readonly onAccess?: (table: TableEntry) => void;
}

/** The leases of one client connection. */
export interface ConnectionLeases {
  /**
   * The keys of a table. They may be used in the same turn of the event loop only; afterwards acquire again.
   * Without a promise while the lease is valid: one look-up and a few comparisons.
   * @throws the table's own error when it is unknown or broken (as a rejection when the KMS is asked).
   */
  acquire(table: TableEntry): TableCipherKeys | Promise<TableCipherKeys>;
  /** Ends all leases; to be called when the connection closes. */
  release(): void;
}

interface Lease {
  material: KeyMaterial;
  table: TableEntry;
  lastUseMs: number;
}

/**
 * Grants leases on table keys. A lease comes only from a KMS answer to a call that began after the request or was still in
 * flight; it ends after `idleMs` without use, when the KMS refuses, or `maxAgeMs` after the last answer.
 */
export class KeyService {
  readonly #ports: KeyServicePorts;
  readonly #idleMs: number;
  readonly #maxAgeMs: number;
  /** By table id; a table has several while its wrapped keys change. */
  readonly #materials = new Map<string, Set<KeyMaterial>>();
  readonly #refusals = new Map<string, { readonly error: ProxyError; readonly untilMs: number }>();
  readonly #calls = new SingleFlight<string, KeyMaterial>();
  readonly #connections = new Set<LeaseSet>();
  readonly #tokens = new WeakMap<TableEntry, string>();
  #leaseCount = 0;
  #isSweeping = false;

  constructor(ports: KeyServicePorts, options: KeyServiceOptions = {}) {
    this.#ports = ports;
    this.#idleMs = options.idleMs ?? 300_000;
    this.#maxAgeMs = options.maxAgeMs ?? 3_600_000;
  }

  /** Makes the leases of a new client connection. */
  leases(): ConnectionLeases {
    return new LeaseSet({
      clock: this.#ports.clock,
      idleMs: this.#idleMs,
      maxAgeMs: this.#maxAgeMs,
      grant: (table) => this.#grant(table),
      token: (table) => this.#token(table),
      check: (table, material) => {
        this.#checkInBackground(table, material);
      },
      counted: (set, change) => {
        this.#count(set, change);
      },
    });
  }

  /** Ends every lease of a table at once, e.g. when its key was changed or its table dropped. */
  revoke(table: TableEntry): void {
    this.#endAll(hexOf(table.tableId));
  }

  /** Ends all leases; for shutdown. */
  close(): void {
    for (const set of [...this.#connections]) set.release();
    for (const id of [...this.#materials.keys()]) this.#endAll(id);
  }

  #endAll(id: string): void {
    for (const material of this.#materials.get(id) ?? []) material.end();
    this.#materials.delete(id);
  }

  #token(table: TableEntry): string {
    let token = this.#tokens.get(table);
    if (token === undefined) {
      token = `${hexOf(table.tableId)}:${JSON.stringify(table.record?.keys ?? null)}`;
      this.#tokens.set(table, token);
    }
    return token;
  }

  async #grant(table: TableEntry): Promise<KeyMaterial> {
    if (table.kind !== 'encrypted') {
      throw (
        table.error ??
        new SchemaError(
          'SCHEMA_PLAIN_TABLE',
          `table ${table.keyspace}.${table.name} is not encrypted and has no keys`,
        )
      );
    }
    const closed = closedError(table);
    if (closed !== undefined) {
      this.#endAll(hexOf(table.tableId));
      throw closed;
    }
    const refusal = this.#refusals.get(hexOf(table.tableId));
    if (refusal !== undefined) {
      if (this.#ports.clock.monotonicMs() < refusal.untilMs) throw explained(table, refusal.error);
      this.#refusals.delete(hexOf(table.tableId));
    }
    return await this.#calls.run(this.#token(table), () => this.#call(table));
  }

  /** One KMS call; material with the same keys is kept and counts as confirmed, other material is replaced. */
  async #call(table: TableEntry): Promise<KeyMaterial> {
    const { clock, metrics } = this.#ports;
    const id = hexOf(table.tableId);
    const token = this.#token(table);
    const startedMs = clock.monotonicMs();
    let keys: OpenedTableKeys;
    try {
      keys = await this.#ports.tableKeys.open(table, this.#ports.clusterId);
    } catch (error) {
      const isRefused = error instanceof KeyAccessError || error instanceof MetadataIntegrityError;
      metrics.kmsCall(
        'decrypt',
        isRefused ? 'refused' : 'unavailable',
        clock.monotonicMs() - startedMs,
      );
      if (isRefused) {
        this.#refusals.set(id, { error, untilMs: clock.monotonicMs() + REFUSAL_MEMORY_MS });
        this.#endAll(id);
        if (error instanceof KeyAccessError) this.#ports.onAccess?.(table);
      }
      throw explained(table, error);
    }
    metrics.kmsCall('decrypt', 'ok', clock.monotonicMs() - startedMs);
    if (table.record !== undefined && accessState(table.record) !== 'ACTIVE') {
      this.#ports.onAccess?.(table);
    }
    const usable = [...(this.#materials.get(id) ?? [])].filter((known) => known.isUsable);
    const existing = usable.find((known) => known.token === token);
    if (existing !== undefined) {
      keys.dispose();
      existing.confirmedAtMs = startedMs;
      return existing;
    }
    const material = new KeyMaterial(id, token, keys, startedMs, clock);
    this.#materials.set(id, new Set([...usable, material]));
    material.endIfUnused();
    return material;
  }

  #checkInBackground(table: TableEntry, material: KeyMaterial): void {
    const now = this.#ports.clock.monotonicMs();
    if (now < material.nextCheckMs) return;
    material.nextCheckMs = now + UNAVAILABLE_RETRY_MS;
    this.#calls
      .run(this.#token(table), () => this.#call(table))
      .catch((error: unknown) => {
        // A refusal has ended the material in #call; an unavailable KMS leaves it until its maximum age.
        if (!(error instanceof KeyUnavailableError) && !(error instanceof KeyAccessError)) {
          material.end();
        }
      });
  }

  #count(set: LeaseSet, change: number): void {
    this.#leaseCount += change;
    this.#ports.metrics.leases(this.#leaseCount);
    if (set.size > 0) this.#connections.add(set);
    else this.#connections.delete(set);
    this.#sweepLater();
  }

  /** Leases that are not used again end here, so that their keys do not stay until the connection closes. */
  #sweepLater(): void {
    if (this.#isSweeping || this.#connections.size === 0) return;
    this.#isSweeping = true;
    this.#ports.clock.after(Math.min(SWEEP_MS, this.#idleMs), () => {
      this.#isSweeping = false;
      const now = this.#ports.clock.monotonicMs();
      for (const set of [...this.#connections]) set.endIdle(now);
      this.#sweepLater();
    });
  }
}

interface LeaseSetPorts {
  readonly clock: Clock;
  readonly idleMs: number;
  readonly maxAgeMs: number;
  grant(table: TableEntry): Promise<KeyMaterial>;
  token(table: TableEntry): string;
  check(table: TableEntry, material: KeyMaterial): void;
  counted(set: LeaseSet, change: number): void;
}

class LeaseSet implements ConnectionLeases {
  readonly #ports: LeaseSetPorts;
  /** By entry object, so that the hot path needs no string; one lease for each table. */
  readonly #byEntry = new Map<TableEntry, Lease>();
  readonly #byTable = new Map<string, Lease>();
  #isReleased = false;

  constructor(ports: LeaseSetPorts) {
    this.#ports = ports;
  }

  get size(): number {
    return this.#byTable.size;
  }

  acquire(table: TableEntry): TableCipherKeys | Promise<TableCipherKeys> {
    const lease = this.#byEntry.get(table) ?? this.#moved(table);
    if (lease?.material.isUsable !== true) return this.#grant(table);
    const { clock, idleMs, maxAgeMs } = this.#ports;
    const now = clock.monotonicMs();
    const { material } = lease;
    const ageMs = now - material.confirmedAtMs;
    if (now - lease.lastUseMs >= idleMs || ageMs >= maxAgeMs) return this.#grant(table);
    lease.lastUseMs = now;
    if (ageMs >= idleMs) this.#ports.check(table, material);
    return material.keys;
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

  /** The lease of a table whose entry is new but whose keys are the same (its columns changed). */
  #moved(table: TableEntry): Lease | undefined {
    const lease = this.#byTable.get(hexOf(table.tableId));
    if (lease?.material.token !== this.#ports.token(table)) return undefined;
    // A table that no longer verifies keeps its keys out of reach, as does one whose key was lost.
    if (table.kind !== 'encrypted') return undefined;
    if (table.record !== undefined && accessState(table.record) !== 'ACTIVE') return undefined;
    this.#byEntry.delete(lease.table);
    lease.table = table;
    this.#byEntry.set(table, lease);
    return lease;
  }

  async #grant(table: TableEntry): Promise<TableCipherKeys> {
    let material = await this.#ports.grant(table);
    for (let attempt = 1; !material.isUsable && attempt < GRANT_ATTEMPTS; attempt += 1) {
      // The answer was shared with a connection that closed first and was the only one to hold a lease until now.
      material = await this.#ports.grant(table);
    }
    if (this.#isReleased || !material.isUsable) {
      throw new KeyUnavailableError(
        'KEY_LEASE_ENDED',
        `the keys of table ${table.keyspace}.${table.name} were released meanwhile; try again`,
      );
    }
    const old = this.#byTable.get(material.tableId);
    material.retain();
    if (old !== undefined) this.#end(old);
    const lease: Lease = { material, table, lastUseMs: this.#ports.clock.monotonicMs() };
    this.#byEntry.set(table, lease);
    this.#byTable.set(material.tableId, lease);
    this.#ports.counted(this, 1);
    return material.keys;
  }

  #end(lease: Lease): void {
    this.#byEntry.delete(lease.table);
    this.#byTable.delete(lease.material.tableId);
    lease.material.release();
    this.#ports.counted(this, -1);
  }
}

/** Why nobody gets the keys of a table that is being backed up and dropped, whatever the KMS says. */
function closedError({ record }: TableEntry): KeyAccessError | undefined {
  return record !== undefined && isClosed(record) ? inaccessibleError(record) : undefined;
}

/** A refusal as the client gets it: with the table's name, and with what is going to become of it once that is known. */
function explained(table: TableEntry, error: unknown): unknown {
  if (!(error instanceof KeyAccessError) || table.record === undefined) return error;
  return (
    inaccessibleError(table.record) ??
    new KeyAccessError(
      error.code as `KEY_${string}`,
      `the key of table ${table.keyspace}.${table.name} is refused: ${error.message}`,
      { cause: error },
    )
  );
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}
