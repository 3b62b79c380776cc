import { randomUUID } from 'node:crypto';
import { constantTimeEqual, leaseMac } from '../crypto/index.ts';
import type { Clock } from '../util/index.ts';
import type { Catalog } from './catalog.ts';
import type { LeaseStore } from './ports.ts';

const MAC_BYTES = 32;

/** What a lease works with. */
export interface ClusterLeaseOptions {
  /** What it is for; one lease a name. */
  readonly name: string;
  readonly store: LeaseStore;
  readonly catalog: Pick<Catalog, 'keys'>;
  /** 16 bytes. */
  readonly clusterId: Uint8Array;
  readonly clock: Clock;
  /** It may be taken by another proxy so long after it was last renewed. */
  readonly durationMs: number;
}

interface Held {
  readonly owner: string;
  readonly expiresAtMs: number;
}

/**
 * Lets one proxy at a time do a work of the cluster. It spares double work and makes nothing safe: clocks differ, and a
 * process can stop at any moment, so what is done under it must bear two at once. The row is authenticated, so that nobody
 * who can write to Cassandra keeps all proxies from the work: a row that does not verify counts as free.
 */
export class ClusterLease {
  readonly #options: ClusterLeaseOptions;
  readonly #owner = randomUUID();

  constructor(options: ClusterLeaseOptions) {
    this.#options = options;
  }

  /** Takes or renews the lease; false while another proxy holds it. */
  async acquire(): Promise<boolean> {
    const { store, name, clock, durationMs } = this.#options;
    const before = await store.read(name);
    const held = before === undefined ? undefined : this.#open(before);
    const nowMs = clock.nowMs();
    if (held !== undefined && held.owner !== this.#owner && held.expiresAtMs > nowMs) return false;
    return await store.replace(
      name,
      before,
      this.#seal({ owner: this.#owner, expiresAtMs: nowMs + durationMs }),
    );
  }

  /** Gives it back, so that another proxy need not wait. Does nothing when another one has it. */
  async release(): Promise<void> {
    const { store, name } = this.#options;
    const before = await store.read(name);
    if (before === undefined || this.#open(before)?.owner !== this.#owner) return;
    await store.replace(name, before, this.#seal({ owner: this.#owner, expiresAtMs: 0 }));
  }

  #seal(held: Held): Uint8Array {
    const body = Buffer.from(JSON.stringify({ name: this.#options.name, ...held }), 'utf8');
    return Buffer.concat([this.#mac(body), body]);
  }

  #open(bytes: Uint8Array): Held | undefined {
    const row = Buffer.from(bytes);
    const body = row.subarray(MAC_BYTES);
    if (row.length <= MAC_BYTES) return undefined;
    if (!constantTimeEqual(this.#mac(body), row.subarray(0, MAC_BYTES))) return undefined;
    const held = JSON.parse(body.toString('utf8')) as Held & { readonly name: string };
    // A row of another name was copied here.
    return held.name === this.#options.name ? held : undefined;
  }

  #mac(body: Uint8Array): Buffer {
    const { catalog, clusterId } = this.#options;
    return leaseMac(catalog.keys.record, clusterId, body);
  }
}
