import {
  KeyAccessError,
  KeyUnavailableError,
  MetadataIntegrityError,
  SchemaError,
} from '../errors/index.ts';
import type { ProxyError } from '../errors/index.ts';
import { BACKGROUND_CALLER, clientCaller } from '../kms/index.ts';
import type { KmsCaller } from '../kms/index.ts';
import { accessState, inaccessibleError, isClosed } from '../schema/index.ts';
import type { TableEntry } from '../schema/index.ts';
import { SingleFlight } from '../util/index.ts';
import type { Clock } from '../util/index.ts';
import { KeyMaterial } from './key_material.ts';
import { LeaseSet } from './lease_set.ts';
import type { ConnectionLeases } from './lease_set.ts';
import { NewestKeys } from './newest_keys.ts';
import type { NewestTables } from './newest_keys.ts';
import type { OpenedTableKeys } from './table_keys.ts';

const REFUSAL_MEMORY_MS = 5000;
const UNAVAILABLE_RETRY_MS = 10_000;
const SWEEP_MS = 15_000;

/** Bounds of leases. */
export interface KeyServiceOptions {
  /** A lease unused for so long needs a new KMS call; also the period of background calls. Default 300,000 ms. */
  readonly idleMs?: number;
  /** Longest use without an answer of the KMS. Default 3,600,000 ms. */
  readonly maxAgeMs?: number;
}

/** What is counted. */
export interface KeyMetrics {
  /** The number of leases in this process changed. */
  leases(count: number): void;
}

/** What a key service works with. */
export interface KeyServicePorts {
  /** Opens the keys of a table by the KMS. */
  readonly tableKeys: {
    open(table: TableEntry, clusterId: Uint8Array, caller: KmsCaller): Promise<OpenedTableKeys>;
  };
  /** 16 bytes. */
  readonly clusterId: Uint8Array;
  readonly clock: Clock;
  readonly metrics: KeyMetrics;
  /** Where newer keys of a table are found: another proxy may have changed them. Default: nowhere. */
  readonly catalog?: NewestTables;
  /**
   * Told when the KMS refuses the keys of a table, and when it grants keys that count as lost. Never rejects.
   */
  readonly onAccess?: (table: TableEntry) => void;
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
  /** By token. */
  readonly #refusals = new Map<string, { readonly error: ProxyError; readonly untilMs: number }>();
  readonly #newest: NewestKeys;
  readonly #calls = new SingleFlight<string, KeyMaterial>();
  readonly #connections = new Set<LeaseSet>();
  readonly #tokens = new WeakMap<TableEntry, string>();
  #leaseCount = 0;
  #isSweeping = false;

  constructor(ports: KeyServicePorts, options: KeyServiceOptions = {}) {
    this.#ports = ports;
    this.#newest = new NewestKeys(ports.catalog, ports.clock);
    this.#idleMs = options.idleMs ?? 300_000;
    this.#maxAgeMs = options.maxAgeMs ?? 3_600_000;
  }

  /** Makes the leases of a new client connection. */
  leases(): ConnectionLeases {
    return new LeaseSet({
      clock: this.#ports.clock,
      idleMs: this.#idleMs,
      maxAgeMs: this.#maxAgeMs,
      grant: (table, principal) => this.#grant(table, clientCaller(principal)),
      newest: (table) => this.#newest.entry(table),
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

  async #grant(table: TableEntry, caller: KmsCaller): Promise<KeyMaterial> {
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
    const token = this.#token(table);
    const refusal = this.#refusals.get(token);
    if (refusal !== undefined) {
      if (this.#ports.clock.monotonicMs() < refusal.untilMs) throw explained(table, refusal.error);
      this.#refusals.delete(token);
    }
    return await this.#calls.run(token, () => this.#call(table, caller));
  }

  /** One KMS call; material with the same keys is kept and counts as confirmed, other material is replaced. */
  async #call(table: TableEntry, caller: KmsCaller): Promise<KeyMaterial> {
    const { clock } = this.#ports;
    const id = hexOf(table.tableId);
    const token = this.#token(table);
    const startedMs = clock.monotonicMs();
    let keys: OpenedTableKeys;
    try {
      keys = await this.#ports.tableKeys.open(table, this.#ports.clusterId, caller);
    } catch (error) {
      const isRefused = error instanceof KeyAccessError || error instanceof MetadataIntegrityError;
      if (isRefused) {
        // A key that the table has left is refused by right: then the answer of its present key counts.
        let newest = await this.#newest.entry(table, true);
        // An entry of the beginning of a change has the keys of before, still.
        while (newest !== undefined && this.#token(newest) === token) {
          newest = await this.#newest.entry(newest, true);
        }
        if (newest !== undefined) return await this.#grant(newest, caller);
        this.#refuse(token, error);
        this.#endAll(id);
        if (error instanceof KeyAccessError) this.#ports.onAccess?.(table);
      }
      throw explained(table, error);
    }
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

  #refuse(token: string, error: ProxyError): void {
    const now = this.#ports.clock.monotonicMs();
    for (const [known, { untilMs }] of this.#refusals) {
      if (untilMs <= now) this.#refusals.delete(known);
    }
    this.#refusals.set(token, { error, untilMs: now + REFUSAL_MEMORY_MS });
  }

  #checkInBackground(table: TableEntry, material: KeyMaterial): void {
    const now = this.#ports.clock.monotonicMs();
    if (now < material.nextCheckMs) return;
    material.nextCheckMs = now + UNAVAILABLE_RETRY_MS;
    this.#calls
      .run(this.#token(table), () => this.#call(table, BACKGROUND_CALLER))
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
