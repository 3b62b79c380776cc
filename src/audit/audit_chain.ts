import {
  AUDIT_CHAIN_START,
  auditHeadMac,
  auditLineMac,
  auditNextKey,
  auditStartKey,
  zero,
} from '../crypto/index.ts';
import type { AuditHead, AuditStart } from './audit_heads.ts';
import { uuidBytes } from './audit_heads.ts';

/** A line's MAC and what it leaves behind. */
interface Link {
  readonly mac: Uint8Array;
  readonly nextKey: Buffer;
}

/**
 * The chain of one process: number of the next line, MAC of the last one, key of the next one. The key of a line is gone once
 * the line is there, so who reads the memory later cannot make earlier lines anew.
 */
export class AuditChain {
  readonly #clusterId: Uint8Array;
  readonly #processId: string;
  #key: Buffer;
  #lastMac: Uint8Array = AUDIT_CHAIN_START;
  #nextSeq = 0;

  /** @param auditKey 32 bytes; not kept */
  constructor(auditKey: Uint8Array, clusterId: Uint8Array, processId: string) {
    this.#clusterId = clusterId;
    this.#processId = processId;
    this.#key = auditStartKey(auditKey, uuidBytes(processId));
  }

  /**
   * The chain behind its first `seq` lines, which are not there.
   * @param lastMac MAC of the last of them
   */
  static resume(
    auditKey: Uint8Array,
    clusterId: Uint8Array,
    { processId, seq, lastMac }: Pick<AuditStart, 'processId' | 'seq' | 'lastMac'>,
  ): AuditChain {
    const chain = new AuditChain(auditKey, clusterId, processId);
    while (chain.#nextSeq < seq)
      chain.advance({ mac: chain.#lastMac, nextKey: auditNextKey(chain.#key) });
    chain.#lastMac = lastMac;
    return chain;
  }

  /** Number of the next line. */
  get nextSeq(): number {
    return this.#nextSeq;
  }

  /** Computes the MAC of the next line; the chain moves on with {@link AuditChain.advance} only. */
  link(body: Uint8Array): Link {
    return {
      mac: auditLineMac(this.#key, this.#lastMac, body),
      nextKey: auditNextKey(this.#key),
    };
  }

  /** Moves on behind a line that is written, or was read and has this MAC. */
  advance(link: Link): void {
    zero(this.#key);
    this.#key = link.nextKey;
    this.#lastMac = link.mac;
    this.#nextSeq += 1;
  }

  /** MAC of the last line. */
  get lastMac(): Uint8Array {
    return this.#lastMac;
  }

  /** The head behind the last line; there must be one. */
  head(atMs: number): AuditHead {
    const seq = this.#nextSeq - 1;
    const headMac = auditHeadMac(this.#key, {
      clusterId: this.#clusterId,
      processId: uuidBytes(this.#processId),
      seq: BigInt(seq),
      lineMac: this.#lastMac,
    });
    return { processId: this.#processId, seq, lineMac: this.#lastMac, headMac, atMs };
  }

  /** Zeroes the key; the chain ends. */
  dispose(): void {
    zero(this.#key);
  }
}
