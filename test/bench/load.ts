/** A closed-loop load generator: keeps a number of requests in flight for a time, and measures each. */
import { readFileSync } from 'node:fs';
import type { RawClient, RawFrame } from '../support/raw_client.ts';
import { OP, readResponse } from '../support/raw_codec.ts';
import type { Operation } from './workload.ts';

/** What one slice of load gave. */
export interface Slice {
  readonly requests: number;
  readonly seconds: number;
  /** Milliseconds, one a request. */
  readonly latencies: readonly number[];
  /** CPU time of the process watched, in ms; null when none is. */
  readonly cpuMs: number | null;
}

// Linux counts process times in ticks; USER_HZ is 100 everywhere that Node runs.
const TICK_MS = 10;

/** User and system time of a process, its threads included, in ms. @throws Error when it is gone. */
export function processCpuMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

/** Runs `operation` for `seconds` with `inFlight` requests spread over `clients`. @throws TypeError at the first error answered. */
export async function runSlice(
  clients: readonly RawClient[],
  operation: Operation,
  inFlight: number,
  seconds: number,
  pid: number | null,
): Promise<Slice> {
  const latencies: number[] = [];
  const cpuBefore = pid === null ? 0 : processCpuMs(pid);
  const begin = performance.now();
  const end = begin + seconds * 1000;
  await new Promise<void>((resolve, reject) => {
    let open = 0;
    const send = (client: RawClient): void => {
      const sent = performance.now();
      open++;
      client.send(
        operation.opcode,
        operation.next(),
        0,
        (frame) => {
          const now = performance.now();
          latencies.push(now - sent);
          open--;
          if (frame.opcode !== OP.result || frame.body.readInt32BE(0) !== operation.expect) {
            reject(new TypeError(answerText(frame)));
            return;
          }
          if (now < end) send(client);
          else if (open === 0) resolve();
        },
        reject,
      );
    };
    for (let i = 0; i < inFlight; i++) send(clients[i % clients.length] as RawClient);
  });
  const took = (performance.now() - begin) / 1000;
  return {
    requests: latencies.length,
    seconds: took,
    latencies,
    cpuMs: pid === null ? null : processCpuMs(pid) - cpuBefore,
  };
}

function answerText(frame: RawFrame): string {
  const answer = readResponse(4, frame.opcode, frame.flags, frame.body);
  return answer.kind === 'error'
    ? `error 0x${answer.code.toString(16)} ${answer.message}`
    : `an answer of kind ${answer.kind}`;
}

/** The value at fraction `q` of a sorted list. */
export function percentile(sorted: readonly number[], q: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? 0;
}

/** The middle of a list. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1
    ? (sorted[half] as number)
    : ((sorted[half - 1] ?? 0) + (sorted[half] ?? 0)) / 2;
}
