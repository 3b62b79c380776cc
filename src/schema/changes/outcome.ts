import { CqlErrorCode, ProxyError } from '../../errors/index.ts';

const REFUSALS: ReadonlySet<number> = new Set([
  CqlErrorCode.SYNTAX_ERROR,
  CqlErrorCode.UNAUTHORIZED,
  CqlErrorCode.INVALID,
  CqlErrorCode.CONFIG_ERROR,
  CqlErrorCode.ALREADY_EXISTS,
  CqlErrorCode.BAD_CREDENTIALS,
  CqlErrorCode.PROTOCOL_ERROR,
]);

/** True when the error says for certain that Cassandra executed nothing; everything else is an unknown outcome. */
export function isRefusal(error: unknown): boolean {
  if (error instanceof ProxyError) return REFUSALS.has(error.cqlCode);
  if (typeof error !== 'object' || error === null) return false;
  const code = 'cqlCode' in error ? error.cqlCode : 'code' in error ? error.code : undefined;
  return typeof code === 'number' && REFUSALS.has(code);
}
