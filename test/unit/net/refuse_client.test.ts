import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { refuseClient } from '../../../src/net/refuse_client.ts';
import type { Transport } from '../../../src/proxy/index.ts';

type Handlers = Parameters<Transport['setHandlers']>[0];

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

function refused() {
  const calls: string[] = [];
  const seen: { handlers?: Handlers } = {};
  const transport = {
    setHandlers: (handlers: Handlers) => {
      seen.handlers = handlers;
    },
    write: () => calls.push('write'),
    end: () => calls.push('end'),
    destroy: () => calls.push('destroy'),
  } as unknown as Transport;
  refuseClient(transport, 'NO_CERTIFICATE');
  return { calls, handlers: seen.handlers };
}

const HEADER = Buffer.from([4, 0, 0, 1, 1, 0, 0, 0, 0]);

it('a refused client is answered once, and cut when it keeps the connection', () => {
  const { calls, handlers } = refused();
  handlers?.onData(HEADER);
  handlers?.onData(HEADER);
  expect(calls).toEqual(['write', 'end']);
  vi.advanceTimersByTime(2_000);
  expect(calls).toEqual(['write', 'end', 'destroy']);
});

it('a refused client that says nothing is cut, one that has gone is left alone', () => {
  const silent = refused();
  const gone = refused();
  gone.handlers?.onClose(undefined);
  vi.advanceTimersByTime(2_000);
  expect(silent.calls).toEqual(['destroy']);
  expect(gone.calls).toEqual([]);
});
