import { basename } from 'node:path';
import { auditStartPointMac, constantTimeEqual } from '../crypto/index.ts';
import { AuditChain } from './audit_chain.ts';
import { uuidBytes } from './audit_heads.ts';
import type { AuditHead, AuditStart } from './audit_heads.ts';
import { auditFiles, linesOf, parseLine, unsealedLine } from './audit_lines.ts';
import type { AuditFile } from './audit_lines.ts';

/** Where a chain breaks first. */
export interface ChainProblem {
  /** Name of the file; `undefined` when the chain has none. */
  readonly file: string | undefined;
  /** From 1. */
  readonly line: number;
  readonly reason: string;
}

/** What was found of the chain of one process. */
export interface ChainReport {
  /** UUID text. */
  readonly processId: string;
  readonly files: readonly string[];
  /** Number of the first line that is kept; those before it were pruned. */
  readonly firstSeq: number;
  /** Lines that are kept, up to the first break. */
  readonly lines: number;
  /** Times of the first and the last of them, ISO 8601. */
  readonly from: string | undefined;
  readonly to: string | undefined;
  /** Whether the process wrote that it ends; else it runs, or was killed. */
  readonly isClosed: boolean;
  /** Number of the line of the head that is kept outside; lines up to it cannot be missing. */
  readonly anchoredSeq: number | undefined;
  readonly problem: ChainProblem | undefined;
}

/** What is kept outside the directory of a log. */
export interface KeptOutside {
  /** All heads of the cluster. */
  readonly heads: readonly AuditHead[];
  /** All start points of the cluster; none if not given. */
  readonly starts?: readonly AuditStart[];
}

/** A chain that was followed, and where it stood behind each of its files. */
export interface WalkedChain {
  readonly report: ChainReport;
  readonly ends: readonly {
    readonly file: AuditFile;
    /** Time of the last line up to there, as authentic as the line; ISO 8601. */
    readonly at: string;
    readonly seq: number;
    readonly lastMac: Uint8Array;
  }[];
}

/**
 * Computes all chains of a directory again and compares them with the heads.
 * @param auditKey `mk/audit`, 32 bytes
 * @returns one report a process, those without a file too
 * @throws InvalidRequestError when the directory cannot be read
 */
export async function verifyAudit(
  directory: string,
  auditKey: Uint8Array,
  clusterId: Uint8Array,
  kept: KeptOutside,
): Promise<ChainReport[]> {
  const walked = await walkAudit(directory, auditKey, clusterId, kept);
  return walked.map(({ report }) => report);
}

/** As {@link verifyAudit}, with what pruning needs. */
export async function walkAudit(
  directory: string,
  auditKey: Uint8Array,
  clusterId: Uint8Array,
  { heads, starts = [] }: KeptOutside,
): Promise<WalkedChain[]> {
  const byProcess = new Map<string, AuditFile[]>();
  for (const file of auditFiles(directory)) {
    byProcess.set(file.processId, [...(byProcess.get(file.processId) ?? []), file]);
  }
  for (const { processId } of [...heads, ...starts]) {
    if (!byProcess.has(processId)) byProcess.set(processId, []);
  }
  const chains: WalkedChain[] = [];
  for (const [processId, files] of byProcess) {
    const head = heads.find((candidate) => candidate.processId === processId);
    const start = starts.find((candidate) => candidate.processId === processId);
    const kind = start && startKind(auditKey, clusterId, start);
    const isPruned = kind !== undefined && (await firstSeqOf(files)) !== 0;
    const chain =
      isPruned && start !== undefined
        ? AuditChain.resume(auditKey, clusterId, start)
        : new AuditChain(auditKey, clusterId, processId);
    const walk = new ChainWalk(chain, processId, head, kind === 'gone');
    if (start !== undefined && kind === undefined) {
      walk.refuse('the start point that is kept with the heads was altered');
    }
    chains.push(await walk.run(files));
  }
  return chains;
}

/** What an authentic start point says of its process. */
function startKind(
  auditKey: Uint8Array,
  clusterId: Uint8Array,
  { processId, seq, lastMac, startMac }: AuditStart,
): 'pruned' | 'gone' | undefined {
  if (!Number.isSafeInteger(seq) || seq < 0 || lastMac.length !== 32) return undefined;
  const fields = { clusterId, processId: uuidBytes(processId), seq: BigInt(seq), lastMac };
  return (['pruned', 'gone'] as const).find((kind) => {
    const expected = auditStartPointMac(auditKey, { ...fields, isGone: kind === 'gone' });
    return startMac.length === expected.length && constantTimeEqual(expected, startMac);
  });
}

/** Number that the first line of the files claims. */
async function firstSeqOf(files: readonly AuditFile[]): Promise<number | undefined> {
  for (const { path } of files) {
    for await (const { bytes } of linesOf(path)) return parseLine(unsealedLine(bytes)?.body)?.seq;
  }
  return undefined;
}

/** Follows one chain through its files. */
class ChainWalk {
  readonly #chain: AuditChain;
  readonly #processId: string;
  readonly #head: AuditHead | undefined;
  #from: string | undefined;
  #to: string | undefined;
  #isClosed = false;
  #isHeadSeen: boolean;
  readonly #firstSeq: number;
  readonly #ends: WalkedChain['ends'][number][] = [];
  readonly #isGone: boolean;
  #refusal: string | undefined;
  /** Where the last whole line stands. */
  #last: { file: string | undefined; line: number } = { file: undefined, line: 0 };

  constructor(chain: AuditChain, processId: string, head: AuditHead | undefined, isGone: boolean) {
    this.#isGone = isGone;
    this.#chain = chain;
    this.#processId = processId;
    this.#head = head;
    this.#firstSeq = chain.nextSeq;
    // The head is not moved on by pruning, so it may be one of a line that was pruned.
    this.#isHeadSeen = head !== undefined && head.seq < chain.nextSeq;
  }

  /** The chain does not even begin. */
  refuse(reason: string): void {
    this.#refusal = reason;
  }

  async run(files: readonly AuditFile[]): Promise<WalkedChain> {
    const problem =
      this.#refusal === undefined
        ? ((await this.#firstBreak(files)) ?? this.#missingEnd())
        : { ...this.#last, reason: this.#refusal };
    const report = {
      processId: this.#processId,
      files: files.map((file) => file.name),
      firstSeq: this.#firstSeq,
      lines: this.#chain.nextSeq - this.#firstSeq,
      from: this.#from,
      to: this.#to,
      isClosed: this.#isClosed,
      anchoredSeq: this.#head?.seq,
      problem,
    };
    this.#chain.dispose();
    return { report, ends: this.#ends };
  }

  async #firstBreak(files: readonly AuditFile[]): Promise<ChainProblem | undefined> {
    for (const [index, whole] of files.entries()) {
      const { path } = whole;
      const file = basename(path);
      let line = 0;
      for await (const { bytes, isWhole } of linesOf(path)) {
        line += 1;
        // A process that was killed while it wrote leaves a torn last line; its call was not answered.
        if (!isWhole && index === files.length - 1) break;
        const reason = this.#step(bytes);
        if (reason !== undefined) return { file, line, reason };
        this.#last = { file, line };
      }
      const { nextSeq: seq, lastMac } = this.#chain;
      this.#ends.push({ file: whole, at: this.#to ?? '', seq, lastMac });
    }
    return undefined;
  }

  /** Takes one line; what is wrong with it. */
  #step(bytes: Buffer): string | undefined {
    const sealed = unsealedLine(bytes);
    const line = parseLine(sealed?.body);
    if (sealed === undefined || line === undefined) return 'this is no line of the audit log';
    if (this.#isClosed) return 'lines follow the last line of the process';
    const { nextSeq } = this.#chain;
    if (line.seq !== nextSeq) {
      return `lines were removed, added or moved: this is line number ${String(line.seq)}, number ${String(nextSeq)} must stand here`;
    }
    const link = this.#chain.link(sealed.body);
    if (!constantTimeEqual(link.mac, sealed.mac)) {
      return 'the line, or one before it, was altered, or it was made without the key of the log';
    }
    this.#chain.advance(link);
    this.#from ??= line.at;
    this.#to = line.at;
    this.#isClosed = line.kind === 'stop';
    return this.#compareHead(line.seq);
  }

  #compareHead(seq: number): string | undefined {
    const kept = this.#head;
    if (kept?.seq !== seq) return undefined;
    this.#isHeadSeen = true;
    const own = this.#chain.head(kept.atMs);
    const isEqual =
      constantTimeEqual(own.lineMac, kept.lineMac) && constantTimeEqual(own.headMac, kept.headMac);
    return isEqual ? undefined : 'the head that is kept in Cassandra was altered';
  }

  #missingEnd(): ChainProblem | undefined {
    const { nextSeq } = this.#chain;
    if (this.#head === undefined) {
      // All of it was pruned, and its head with it.
      if (this.#isGone) return undefined;
      // A process that died before its first head wrote no event.
      if (nextSeq <= 1) return undefined;
      return { ...this.#last, reason: 'the head that is kept in Cassandra is missing' };
    }
    if (this.#isHeadSeen) return undefined;
    const reason =
      nextSeq === 0
        ? `all lines are missing: there were at least ${String(this.#head.seq + 1)}`
        : `the log was cut off: line number ${String(this.#head.seq)} was there on ${new Date(this.#head.atMs).toISOString()}`;
    return { ...this.#last, reason };
  }
}
