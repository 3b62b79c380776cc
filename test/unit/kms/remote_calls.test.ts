import { describe, expect, it } from 'vitest';
import { KeyAccessError, KeyUnavailableError } from '../../../src/errors/index.ts';
import { RemoteCalls } from '../../../src/kms/remote_calls.ts';

const LIMITS = { budgetMs: 400, attemptMs: 100, attempts: 3, breakAfter: 4, breakMs: 100 };
const toError = (cause: unknown): KeyUnavailableError =>
  new KeyUnavailableError('KEY_UNAVAILABLE', 'x', { cause });

describe('calls of a remote KMS', () => {
  it('try again what is unavailable, so many times', async () => {
    const calls = new RemoteCalls('x', LIMITS);
    let tries = 0;
    const failing = async (): Promise<never> => {
      tries += 1;
      throw new TypeError('reset');
    };
    await expect(calls.run(failing, toError)).rejects.toMatchObject({ code: 'KEY_UNAVAILABLE' });
    expect(tries).toBe(3);
  });

  it.each([
    new KeyAccessError('KEY_DISABLED', 'x'),
    new KeyUnavailableError('KEY_KMS_CONFIG', 'x'),
  ])('never try again an answer: %s', async (answer) => {
    const calls = new RemoteCalls('x', LIMITS);
    let tries = 0;
    const refused = async (): Promise<never> => {
      tries += 1;
      throw answer;
    };
    for (let call = 1; call <= 10; call += 1) {
      await expect(calls.run(refused, toError)).rejects.toBe(answer);
      expect(tries).toBe(call);
    }
  });

  it('end a call that hangs within the budget, and tell it', async () => {
    const calls = new RemoteCalls('x', LIMITS);
    const signals: AbortSignal[] = [];
    const hanging = async (signal: AbortSignal): Promise<never> => {
      signals.push(signal);
      return await new Promise(() => undefined);
    };
    const startedMs = performance.now();
    await expect(calls.run(hanging, toError)).rejects.toMatchObject({ code: 'KEY_UNAVAILABLE' });
    expect(performance.now() - startedMs).toBeLessThan(LIMITS.budgetMs + 5_000);
    expect(signals.every((signal) => signal.aborted)).toBe(true);
  });

  it('leave a KMS alone after failures in a row, and ask it again later', async () => {
    const calls = new RemoteCalls('x', { ...LIMITS, attempts: 2 });
    let isDown = true;
    let tries = 0;
    const call = async (): Promise<string> => {
      tries += 1;
      if (isDown) throw new TypeError('down');
      return 'up';
    };
    for (let count = 0; count < 2; count += 1) {
      await expect(calls.run(call, toError)).rejects.toMatchObject({ code: 'KEY_UNAVAILABLE' });
    }
    expect(tries).toBe(4);
    isDown = false;
    await expect(calls.run(call, toError)).rejects.toMatchObject({ code: 'KEY_UNAVAILABLE' });
    expect(tries).toBe(4);
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect(await calls.run(call, toError)).toBe('up');
  });
});
