import { CiphertextError } from '../errors/index.ts';
import { cmacMany } from './cmac.ts';
import { copyBlock, double, xorBlock } from './gf128.ts';
import { chunk, newOutput } from './siv_chunk.ts';
import type { Output } from './siv_chunk.ts';
import type { SivKey } from './siv_key.ts';
import { viewOf } from './word_copy.ts';

/** One value to encrypt with its associated data. */
export interface SivSealJob {
  /** Associated data in order; the nonce, where there is one, is the last. At most 126. */
  readonly components: readonly Uint8Array[];
  readonly plaintext: Uint8Array;
}

/** One value to decrypt with its associated data. */
export interface SivOpenJob {
  /** Associated data in order; the nonce, where there is one, is the last. At most 126. */
  readonly components: readonly Uint8Array[];
  /** Tag (16 bytes) and cipher text. */
  readonly sealed: Uint8Array;
}

/** The S2V states of all jobs after their associated data, four words a job. Spec: rfc5297 2.4 */
function s2vPrefixes(
  key: SivKey,
  jobs: readonly { readonly components: readonly Uint8Array[] }[],
): Int32Array {
  const components = jobs.flatMap((job) => job.components);
  const macs = new Int32Array(components.length * 4);
  cmacMany(key.mac, components, macs);
  const states = new Int32Array(jobs.length * 4);
  let next = 0;
  for (const [i, job] of jobs.entries()) {
    copyBlock(key.zeroMac, 0, states, i * 4);
    for (let c = 0; c < job.components.length; c++) {
      double(states, i * 4, states, i * 4);
      xorBlock(macs, next, states, i * 4);
      next += 4;
    }
  }
  return states;
}

/**
 * AES-SIV of many values, each with its own associated data.
 *
 * @returns for each job tag (16 bytes) and cipher text
 * Spec: rfc5297 2.6
 */
export function sivSealMany(key: SivKey, jobs: readonly SivSealJob[]): Buffer[] {
  const states = s2vPrefixes(key, jobs);
  const targets = layOut(jobs, (job) => 16 + job.plaintext.length);
  const out = newOutput(targets.total);
  try {
    for (let i = 0; i < jobs.length;) {
      const first = i;
      for (; i < jobs.length && !chunk.full; i++) {
        const plaintext = (jobs[i] as SivSealJob).plaintext;
        chunk.addPlain(plaintext, 0, plaintext.length, false, targets.at(i) >> 2);
      }
      chunk.prefix.set(states.subarray(first * 4, i * 4));
      chunk.seal(key, out);
      chunk.reset();
    }
  } finally {
    chunk.reset();
  }
  return jobs.map((job, i) =>
    out.bytes.subarray(targets.at(i), targets.at(i) + 16 + job.plaintext.length),
  );
}

/**
 * Opens many values; all tags are checked before anything is returned.
 *
 * @param where what the values are, for the error
 * @throws {@link CiphertextError} CIPHERTEXT_LENGTH or CIPHERTEXT_TAG
 * Spec: rfc5297 2.7
 */
export function sivOpenMany(key: SivKey, jobs: readonly SivOpenJob[], where: string): Buffer[] {
  for (const job of jobs) {
    if (job.sealed.length < 16) throw new CiphertextError('CIPHERTEXT_LENGTH', where);
  }
  const states = s2vPrefixes(key, jobs);
  const targets = layOut(jobs, (job) => job.sealed.length - 16);
  const out: Output = newOutput(targets.total);
  let failed = false;
  try {
    for (let i = 0; i < jobs.length;) {
      const first = i;
      for (; i < jobs.length && !chunk.full; i++) {
        const sealed = (jobs[i] as SivOpenJob).sealed;
        chunk.addSealed(viewOf(sealed), 0, sealed.length - 16, targets.at(i) >> 2);
      }
      chunk.prefix.set(states.subarray(first * 4, i * 4));
      if (chunk.open(key, out) >= 0) failed = true;
      chunk.reset();
    }
  } finally {
    chunk.reset();
  }
  if (failed) {
    out.bytes.fill(0);
    throw new CiphertextError('CIPHERTEXT_TAG', where);
  }
  return jobs.map((job, i) =>
    out.bytes.subarray(targets.at(i), targets.at(i) + job.sealed.length - 16),
  );
}

/** Word-aligned places for one result a job. */
function layOut<T>(
  jobs: readonly T[],
  lengthOf: (job: T) => number,
): { total: number; at(i: number): number } {
  const places: number[] = [];
  let total = 0;
  for (const job of jobs) {
    places.push(total);
    total += (lengthOf(job) + 3) & ~3;
  }
  return { total, at: (i) => places[i] as number };
}
