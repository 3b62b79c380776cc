import { basename } from 'node:path';
import { constantTimeEqual } from '../crypto/index.ts';
import { AuditChain } from './audit_chain.ts';
import type { AuditHead } from './audit_heads.ts';
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
  /** Lines up to the first break. */
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

/**
 * Computes all chains of a directory again and compares them with the heads.
 * @param auditKey `mk/audit`, 32 bytes
 * @param heads all heads of the cluster
 * @returns one report a process, those without a file too
 * @throws InvalidRequestError when the directory cannot be read
 */
export async function verifyAudit(
  directory: string,
  auditKey: Uint8Array,
  clusterId: Uint8Array,
  heads: readonly AuditHead[],
): Promise<ChainReport[]> {
  const byProcess = new Map<string, AuditFile[]>();
  for (const file of auditFiles(directory)) {
    byProcess.set(file.processId, [...(byProcess.get(file.processId) ?? []), file]);
  }
  for (const { processId } of heads) if (!byProcess.has(processId)) byProcess.set(processId, []);
  const reports: ChainReport[] = [];
  for (const [processId, files] of byProcess) {
    const head = heads.find((candidate) => candidate.processId === processId);
    const walk = new ChainWalk(new AuditChain(auditKey, clusterId, processId), processId, head);
    reports.push(await walk.run(files));
  }
  return reports;
}

/** Follows one chain through its files. */
class ChainWalk {
  readonly #chain: AuditChain;
  readonly #processId: string;
  readonly #head: AuditHead | undefined;
  #from: string | undefined;
  #to: string | undefined;
  #isClosed = false;
  #isHeadSeen = false;
  /** Where the last whole line stands. */
  #last: { file: string | undefined; line: number } = { file: undefined, line: 0 };

  constructor(chain: AuditChain, processId: string, head: AuditHead | undefined) {
    this.#chain = chain;
    this.#processId = processId;
    this.#head = head;
  }

  async run(files: readonly AuditFile[]): Promise<ChainReport> {
    const problem = (await this.#firstBreak(files)) ?? this.#missingEnd();
    const report = {
      processId: this.#processId,
      files: files.map((file) => file.name),
      lines: this.#chain.nextSeq,
      from: this.#from,
      to: this.#to,
      isClosed: this.#isClosed,
      anchoredSeq: this.#head?.seq,
      problem,
    };
    this.#chain.dispose();
    return report;
  }

  async #firstBreak(files: readonly AuditFile[]): Promise<ChainProblem | undefined> {
    for (const [index, { path }] of files.entries()) {
      const file = basename(path);
      let line = 0;
      for await (const { bytes, isWhole } of linesOf(path)) {
        line += 1;
        // A process that was killed while it wrote leaves a torn last line; its call was not answered.
        if (!isWhole && index === files.length - 1) return undefined;
        const reason = this.#step(bytes);
        if (reason !== undefined) return { file, line, reason };
        this.#last = { file, line };
      }
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
