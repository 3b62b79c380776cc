import { describe, expect, it } from 'vitest';
import {
  ConfigError,
  CqlSyntaxError,
  InternalError,
  InvalidRequestError,
  UpstreamError,
} from '../../../src/errors/index.ts';
import { createLogger } from '../../../src/observability/index.ts';
import type { Logger } from '../../../src/observability/index.ts';

const MARKER = 'mArKeR-5f1d';

function capture(level: 'info' | 'debug' = 'info'): { log: Logger; text: () => string } {
  let text = '';
  const destination = {
    write: (line: string) => {
      text += line;
    },
  };
  return { log: createLogger({ level, destination }), text: () => text };
}

describe('createLogger', () => {
  it('writes one JSON line with level, time, fields and message', () => {
    const { log, text } = capture();
    log.child({ part: 'catalog' }).info({ tables: 3 }, 'loaded');
    const line = JSON.parse(text()) as Record<string, unknown>;
    expect(line).toMatchObject({ level: 'info', part: 'catalog', tables: 3, msg: 'loaded' });
    expect(line['time']).toMatch(/^\d{4}-\d\d-\d\dT/);
  });

  it('says whether debug lines are written', () => {
    expect(capture().log.isDebugEnabled()).toBe(false);
    expect(capture('debug').log.isDebugEnabled()).toBe(true);
  });

  it.each([
    ['an error that quotes a literal', new InvalidRequestError(`Invalid constant (${MARKER})`)],
    ['a syntax error', new CqlSyntaxError(`no viable alternative at input '${MARKER}'`)],
    ['any other error', new TypeError(`cannot read ${MARKER}`)],
    ['a cause', new InternalError('failed', { cause: new RangeError(MARKER) })],
    ['a thrown string', MARKER],
  ])('does not quote %s', (_what, err) => {
    const { log, text } = capture();
    log.error({ err }, 'request failed');
    expect(text()).not.toContain(MARKER);
    expect(text()).toContain('request failed');
  });

  it('keeps the text of errors that name only settings, hosts and tables', () => {
    const { log, text } = capture();
    const cause = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:9242'), {
      syscall: 'connect',
      code: 'ECONNREFUSED',
    });
    log.error({ err: new UpstreamError('UPSTREAM_CONNECT', 'no node answers', { cause }) }, 'a');
    log.error({ err: new ConfigError('CONFIG_INVALID', 'CQLOCK_LISTEN: wrong') }, 'b');
    expect(text()).toContain('no node answers');
    expect(text()).toContain('ECONNREFUSED 127.0.0.1:9242');
    expect(text()).toContain('CQLOCK_LISTEN: wrong');
  });

  it('censors fields that could hold values or keys', () => {
    const { log, text } = capture();
    log.info({ password: MARKER, request: { values: [MARKER], query: MARKER } }, 'x');
    expect(text()).not.toContain(MARKER);
  });
});
