import { pino } from 'pino';
import type { DestinationStream } from 'pino';
import { errorLogFields } from './error_log_fields.ts';

/** Writes one line; the fields come first. Fields hold names, codes and numbers, never values of clients. */
type LogMethod = (fields: Readonly<Record<string, unknown>>, message: string) => void;

/** The log. `err` is the field for errors; see {@link errorLogFields} for what is kept of them. */
export interface Logger {
  readonly debug: LogMethod;
  readonly info: LogMethod;
  readonly warn: LogMethod;
  readonly error: LogMethod;
  /** Whether lines of debug level are written, so that costly fields need not be made. */
  isDebugEnabled(): boolean;
  /** A log whose every line has these fields too, e.g. `{ part: 'catalog' }`. */
  child(fields: Readonly<Record<string, string | number>>): Logger;
}

/** How much is logged, and to where. */
export interface LoggerOptions {
  readonly level: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';
  /** Takes the lines (JSON, one each); standard error if not given. */
  readonly destination?: DestinationStream;
}

/** Names of fields that are never written, at the top and one level down: a net under the rule, not the rule. */
const NEVER_LOGGED = [
  'password',
  'secret',
  'token',
  'key',
  'keyBytes',
  'rootKey',
  'plaintext',
  'value',
  'values',
  'query',
  'statement',
  'params',
  'body',
];

/** Makes the log of the process. */
export function createLogger(options: LoggerOptions): Logger {
  const log = pino(
    {
      level: options.level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: (error: unknown) => errorLogFields(error) },
      redact: {
        paths: NEVER_LOGGED.flatMap((name) => [name, `*.${name}`]),
        censor: '[not logged]',
      },
    },
    options.destination ?? pino.destination({ fd: 2, sync: false }),
  );
  return wrap(log);
}

/** Writes nothing. */
export const silentLogger: Logger = createLogger({
  level: 'silent',
  destination: { write: () => undefined },
});

function wrap(log: pino.Logger): Logger {
  return {
    debug: (fields, message) => {
      log.debug(fields, message);
    },
    info: (fields, message) => {
      log.info(fields, message);
    },
    warn: (fields, message) => {
      log.warn(fields, message);
    },
    error: (fields, message) => {
      log.error(fields, message);
    },
    isDebugEnabled: () => log.isLevelEnabled('debug'),
    child: (fields) => wrap(log.child(fields)),
  };
}
