import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { CiphertextError } from '../../../src/errors/index.ts';
import { SivKey, sivOpenMany, sivSealMany } from '../../../src/crypto/index.ts';
// Key sizes and inputs that the product never uses are reachable only inside the folder.
import { hmacSha256 } from '../../../src/crypto/bytes.ts';
import { ChainKey, cmacMany } from '../../../src/crypto/cmac.ts';
import { hkdfSha512 } from '../../../src/crypto/kdf.ts';
import { hex, pattern } from './support.ts';

interface Test {
  tcId: number;
  key: string;
  aad: string;
  iv?: string;
  msg: string;
  ct: string;
  tag: string;
  ikm: string;
  salt: string;
  info: string;
  size: number;
  okm: string;
  result: 'valid' | 'invalid';
}

function load(name: string): { test: Test; tagSize: number }[] {
  const url = new URL(`../../vectors/third_party/wycheproof/${name}_test.json`, import.meta.url);
  const file = JSON.parse(readFileSync(url, 'utf8')) as {
    numberOfTests: number;
    testGroups: { tagSize?: number; tests: Test[] }[];
  };
  const tests = file.testGroups.flatMap((group) =>
    group.tests.map((test) => ({ test, tagSize: group.tagSize ?? 0 })),
  );
  expect(tests).toHaveLength(file.numberOfTests);
  return tests;
}

const FILLER = [0, 1, 15, 16, 17, 33, 100, 260];

/** Runs one vector as member `at` of a batch of `size`; the others have other lengths and components. */
function checkSiv(test: Test, size: number, at: number): void {
  const key = new SivKey(hex(test.key));
  const components = test.iv === undefined ? [hex(test.aad)] : [hex(test.aad), hex(test.iv)];
  const sealed = test.iv === undefined ? hex(test.ct) : hex(test.tag + test.ct);
  const fillers = Array.from({ length: size }, (_, i) => ({
    components: Array.from({ length: i % 4 }, (_, c) => pattern(c * 11 + i, i)),
    plaintext: pattern(FILLER[(i + test.tcId) % FILLER.length] as number, i),
  }));
  const fillerSealed = sivSealMany(key, fillers);
  const jobs = fillers.map((filler, i) =>
    i === at
      ? { components, sealed }
      : { components: filler.components, sealed: fillerSealed[i] as Buffer },
  );
  if (test.result === 'valid') {
    expect(sivOpenMany(key, jobs, 'x')[at]?.toString('hex')).toBe(test.msg);
    const plain = fillers.map((filler, i) =>
      i === at ? { components, plaintext: hex(test.msg) } : filler,
    );
    expect(sivSealMany(key, plain)[at]?.toString('hex')).toBe(sealed.toString('hex'));
  } else {
    expect(() => sivOpenMany(key, jobs, 'x')).toThrow(CiphertextError);
  }
  key.dispose();
}

describe('Wycheproof', () => {
  it.each(['aes_siv_cmac', 'aead_aes_siv_cmac'])('%s through the batch', (name) => {
    for (const { test } of load(name)) {
      checkSiv(test, 1, 0);
      const size = (test.tcId % 64) + 1;
      checkSiv(test, size, (test.tcId * 7) % size);
    }
  });

  it.each(['aes_siv_cmac', 'aead_aes_siv_cmac'])(
    '%s: 256-bit AES at every size from 1 to 64',
    (name) => {
      const tests = load(name).filter(({ test }) => test.key.length === 128);
      const picked = tests.filter((_, i) => i % Math.floor(tests.length / 4) === 0);
      expect(picked.length).toBeGreaterThanOrEqual(4);
      for (const { test } of picked) {
        for (let size = 1; size <= 64; size++) checkSiv(test, size, size >> 1);
      }
    },
  );

  it('aes_cmac', () => {
    let checked = 0;
    for (const { test, tagSize } of load('aes_cmac')) {
      if (![32, 48, 64].includes(test.key.length)) continue;
      const key = new ChainKey(hex(test.key));
      const states = new Int32Array(12);
      cmacMany(key, [pattern(100, 1), hex(test.msg), pattern(3, 2)], states);
      const tag = Buffer.from(states.buffer, 16, tagSize / 8).toString('hex');
      expect(tag === test.tag).toBe(test.result === 'valid');
      key.dispose();
      checked++;
    }
    expect(checked).toBeGreaterThan(200);
  });

  it('hkdf_sha512', () => {
    for (const { test } of load('hkdf_sha512')) {
      const derive = (): string =>
        hkdfSha512(hex(test.ikm), hex(test.salt), hex(test.info), test.size).toString('hex');
      if (test.result === 'valid') expect(derive()).toBe(test.okm);
      else expect(derive).toThrow();
    }
  });

  it('hmac_sha256', () => {
    for (const { test, tagSize } of load('hmac_sha256')) {
      const message = hex(test.msg);
      const half = message.length >> 1;
      const mac = hmacSha256(hex(test.key), [message.subarray(0, half), message.subarray(half)]);
      const tag = mac.subarray(0, tagSize / 8).toString('hex');
      expect(tag === test.tag).toBe(test.result === 'valid');
    }
  });
});
