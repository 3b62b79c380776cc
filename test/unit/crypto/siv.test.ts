import { aessiv } from '@noble/ciphers/aes.js';
import { describe, expect, it } from 'vitest';
import { CiphertextError, InternalError } from '../../../src/errors/index.ts';
import { SivKey, sivOpenMany, sivSealMany } from '../../../src/crypto/index.ts';
import type { SivSealJob } from '../../../src/crypto/index.ts';
import { hex, pattern } from './support.ts';

// Spec: rfc5297 A.1, A.2
const RFC = [
  {
    name: 'A.1 deterministic',
    key: 'fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff',
    components: ['101112131415161718191a1b1c1d1e1f2021222324252627'],
    plaintext: '112233445566778899aabbccddee',
    sealed: '85632d07c6e8f37f950acd320a2ecc9340c02b9690c4dc04daef7f6afe5c',
  },
  {
    name: 'A.2 with nonce',
    key: '7f7e7d7c7b7a79787776757473727170404142434445464748494a4b4c4d4e4f',
    components: [
      '00112233445566778899aabbccddeeffdeaddadadeaddadaffeeddccbbaa99887766554433221100',
      '102030405060708090a0',
      '09f911029d74e35bd84156c5635688c0',
    ],
    plaintext:
      '7468697320697320736f6d6520706c61696e7465787420746f20656e6372797074207573696e67205349562d414553',
    sealed:
      '7bdb6e3b432667eb06f4d14bff2fbd0fcb900f2fddbe404326601965c889bf17dba77ceb094fa663b7a3f748ba8af829ea64ad544a272e9c485b62a3fd5c0d',
  },
];

const LENGTHS = [0, 1, 15, 16, 17, 4096, 31, 32, 33, 47, 64, 100, 255, 1023, 1024, 1025, 2, 14];

describe('AES-SIV', () => {
  it.each(RFC)('RFC 5297 $name', ({ key, components, plaintext, sealed }) => {
    const siv = new SivKey(hex(key));
    const job = { components: components.map(hex), plaintext: hex(plaintext) };
    expect(sivSealMany(siv, [job])[0]?.toString('hex')).toBe(sealed);
    const opened = sivOpenMany(siv, [{ components: job.components, sealed: hex(sealed) }], 'x');
    expect(opened[0]?.toString('hex')).toBe(plaintext);
    siv.dispose();
  });

  it('equals another implementation at every batch size from 1 to 64 with mixed lengths', () => {
    const key = pattern(64, 3);
    const siv = SivKey.fromBytes(key);
    const jobs: SivSealJob[] = [];
    for (let i = 0; i < 64; i++) {
      const components = Array.from({ length: i % 6 }, (_, c) =>
        pattern([0, 1, 16, 37, 8, 96][(c + i) % 6] as number, i * 7 + c),
      );
      jobs.push({ components, plaintext: pattern(LENGTHS[i % LENGTHS.length] as number, i) });
    }
    const expected = jobs.map(({ components, plaintext }) =>
      Buffer.from(aessiv(key, ...components).encrypt(plaintext)).toString('hex'),
    );
    for (let size = 1; size <= 64; size++) {
      for (const first of [0, 64 - size]) {
        const part = jobs.slice(first, first + size);
        const sealed = sivSealMany(siv, part);
        expect(sealed.map((bytes) => bytes.toString('hex'))).toEqual(
          expected.slice(first, first + size),
        );
        const opened = sivOpenMany(
          siv,
          part.map(({ components }, i) => ({ components, sealed: sealed[i] as Buffer })),
          'x',
        );
        expect(opened.every((bytes, i) => bytes.equals((part[i] as SivSealJob).plaintext))).toBe(
          true,
        );
      }
    }
    siv.dispose();
  });

  it('equals another implementation for values larger than every internal buffer', () => {
    const key = pattern(64, 9);
    const siv = SivKey.fromBytes(key);
    const lengths = [70_000, 65_536, 300_001, 5, 1_000_003];
    const jobs = lengths.map((n, i) => ({
      components: [pattern(40, i)],
      plaintext: pattern(n, i),
    }));
    const sealed = sivSealMany(siv, jobs);
    for (const [i, job] of jobs.entries()) {
      const other = Buffer.from(aessiv(key, ...job.components).encrypt(job.plaintext));
      expect((sealed[i] as Buffer).equals(other)).toBe(true);
    }
    siv.dispose();
  });

  it('equals another implementation for thousands of values', () => {
    const key = pattern(64, 11);
    const siv = SivKey.fromBytes(key);
    const jobs = Array.from({ length: 5000 }, (_, i) => ({
      components: [pattern(i % 50, i)],
      plaintext: pattern((i * 13) % 90, i),
    }));
    const sealed = sivSealMany(siv, jobs);
    for (let i = 0; i < jobs.length; i += 97) {
      const { components, plaintext } = jobs[i] as SivSealJob;
      const other = Buffer.from(aessiv(key, ...components).encrypt(plaintext));
      expect((sealed[i] as Buffer).equals(other)).toBe(true);
    }
    siv.dispose();
  });

  it('refuses the whole batch for one wrong bit, wherever it is', () => {
    const siv = SivKey.fromBytes(pattern(64, 5));
    const jobs = LENGTHS.map((n, i) => ({ components: [pattern(9, i)], plaintext: pattern(n, i) }));
    const sealed = sivSealMany(siv, jobs);
    for (let at = 0; at < jobs.length; at++) {
      const bytes = Buffer.from(sealed[at] as Buffer);
      const byte = (at * 37) % bytes.length;
      bytes[byte] = (bytes[byte] as number) ^ (1 << (at % 8));
      const open = jobs.map(({ components }, i) => ({
        components,
        sealed: i === at ? bytes : (sealed[i] as Buffer),
      }));
      expect(() => sivOpenMany(siv, open, 'x')).toThrow(CiphertextError);
    }
    siv.dispose();
  });

  it('works the same after a failed batch', () => {
    const siv = SivKey.fromBytes(pattern(64, 5));
    const job = { components: [pattern(9, 1)], plaintext: pattern(50, 2) };
    const before = sivSealMany(siv, [job])[0] as Buffer;
    expect(() => sivOpenMany(siv, [{ components: [], sealed: before }], 'x')).toThrow();
    expect(() =>
      sivOpenMany(siv, [{ components: [], sealed: before.subarray(0, 15) }], 'x'),
    ).toThrow();
    expect(sivSealMany(siv, [job])[0]?.equals(before)).toBe(true);
    siv.dispose();
  });

  it('refuses a key of another length, and use after disposal', () => {
    expect(() => SivKey.fromBytes(pattern(63, 0))).toThrow(InternalError);
    const siv = SivKey.fromBytes(pattern(64, 5));
    siv.dispose();
    siv.dispose();
    const job = { components: [], plaintext: pattern(50, 2) };
    expect(() => sivSealMany(siv, [job])).toThrow(InternalError);
    const other = SivKey.fromBytes(pattern(64, 5));
    expect(sivSealMany(other, [job])[0]?.toString('hex')).toBe(
      Buffer.from(aessiv(pattern(64, 5)).encrypt(job.plaintext)).toString('hex'),
    );
  });
});
