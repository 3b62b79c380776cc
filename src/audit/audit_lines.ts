import { createReadStream, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { InvalidRequestError } from '../errors/index.ts';
import type { AuditEvent } from './audit_event.ts';

interface LineHead {
  /** From 0, without gaps, over all files of the process. */
  readonly seq: number;
  /** ISO 8601, UTC. */
  readonly at: string;
  /** Id of the process, UUID; made anew at each start. */
  readonly process: string;
}

/** One line of the log, without its MAC. */
export type AuditLine =
  | (LineHead & {
      readonly kind: 'start';
      readonly format: 1;
      /** Hex. */
      readonly cluster: string;
      readonly host: string;
      readonly pid: number;
    })
  | (LineHead & { readonly kind: 'kms' } & AuditEvent)
  /** Events were not written because the log could not be; their number. */
  | (LineHead & { readonly kind: 'lost'; readonly count: number })
  /** Files of a process were deleted by `audit prune`; how many lines, and up to which number. */
  | (LineHead & {
      readonly kind: 'pruned';
      readonly of: string;
      readonly count: number;
      readonly before: number;
    })
  | (LineHead & { readonly kind: 'stop' });

/** A file of the log. A process has one a day. */
export interface AuditFile {
  readonly name: string;
  readonly path: string;
  /** UTC, YYYY-MM-DD. */
  readonly day: string;
  readonly processId: string;
}

const FILE_NAME =
  /^(\d{4}-\d{2}-\d{2})\.([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\.jsonl$/;
const MAC_MEMBER = /^,"mac":"([0-9a-f]{64})"\}$/;
const MAC_MEMBER_BYTES = 74;
const CLOSING_BRACE = Buffer.from('}');
const LINE_FEED = 0x0a;

/** Name of a file of the log. */
export function auditFileName(day: string, processId: string): string {
  return `${day}.${processId}.jsonl`;
}

/** The files of a log's directory by day; other files are not the log's. @throws InvalidRequestError when it cannot be read. */
export function auditFiles(directory: string): AuditFile[] {
  let names: string[];
  try {
    names = readdirSync(directory);
  } catch {
    throw new InvalidRequestError(
      `the directory of the audit log ${directory} cannot be read (CQLOCK_AUDIT_DIR)`,
    );
  }
  return names.sort().flatMap((name) => {
    const [, day, processId] = FILE_NAME.exec(name) ?? [];
    return day === undefined || processId === undefined
      ? []
      : [{ name, path: join(directory, name), day, processId }];
  });
}

/** A line as it is written: the body, which the MAC covers, and the MAC as last member. */
export function sealedLine(body: string, mac: Uint8Array): Buffer {
  return Buffer.from(`${body.slice(0, -1)},"mac":"${Buffer.from(mac).toString('hex')}"}\n`, 'utf8');
}

/** Takes the body's bytes and the MAC out of a line; `undefined` when it has another form. */
export function unsealedLine(line: Buffer): { body: Buffer; mac: Buffer } | undefined {
  const end = Math.max(0, line.length - MAC_MEMBER_BYTES);
  const [, mac] = MAC_MEMBER.exec(line.subarray(end).toString('latin1')) ?? [];
  if (mac === undefined) return undefined;
  return {
    body: Buffer.concat([line.subarray(0, end), CLOSING_BRACE]),
    mac: Buffer.from(mac, 'hex'),
  };
}

/** The bytes of each line of a file, and whether its line feed was there. */
export async function* linesOf(
  path: string,
): AsyncGenerator<{ readonly bytes: Buffer; readonly isWhole: boolean }> {
  let rest = Buffer.alloc(0);
  for await (const chunk of createReadStream(path)) {
    rest = Buffer.concat([rest, chunk as Buffer]);
    for (let end = rest.indexOf(LINE_FEED); end !== -1; end = rest.indexOf(LINE_FEED)) {
      yield { bytes: rest.subarray(0, end), isWhole: true };
      rest = rest.subarray(end + 1);
    }
  }
  if (rest.length > 0) yield { bytes: rest, isWhole: false };
}

/** All lines of a log by day and process, as they stand there: nothing of them is verified. Lines of another form are left out. */
export async function* readAuditLines(directory: string): AsyncGenerator<AuditLine> {
  for (const file of auditFiles(directory)) {
    for await (const { bytes } of linesOf(file.path)) {
      const line = parseLine(unsealedLine(bytes)?.body);
      if (line !== undefined) yield line;
    }
  }
}

/** A body's content; `undefined` when it is no line of this log. */
export function parseLine(body: Buffer | undefined): AuditLine | undefined {
  if (body === undefined) return undefined;
  try {
    const line = JSON.parse(body.toString('utf8')) as Partial<AuditLine> | null;
    const isLine =
      Number.isSafeInteger(line?.seq) &&
      typeof line?.process === 'string' &&
      typeof line.at === 'string' &&
      typeof line.kind === 'string';
    return isLine ? (line as AuditLine) : undefined;
  } catch {
    return undefined;
  }
}
