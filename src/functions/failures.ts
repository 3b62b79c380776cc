import { CqlErrorCode, FunctionExecutionError, InvalidRequestError } from '../errors/index.ts';
import type { CqlType } from '../values/index.ts';
import { argumentTypeText } from './type_text.ts';

/** An exception of Java's that Cassandra does not expect: a server error with the exception's text. */
export class JavaError extends FunctionExecutionError {
  /** Without the name of the class. */
  readonly detail: string;

  constructor(className: string, detail: string) {
    super(`${className}: ${detail}`, CqlErrorCode.SERVER_ERROR);
    this.detail = detail;
  }
}

/** A value of JSON that does not fit its type; callers put the message into one of their own. */
export class MarshalError extends InvalidRequestError {}

/** `java.lang.ArithmeticException`. */
export function arithmeticException(detail: string): JavaError {
  return new JavaError('java.lang.ArithmeticException', detail);
}

/**
 * ERROR 0x1400: the function of `keyspace` and `name` failed. Body after the message: keyspace, name, types of the arguments.
 * Spec: native_protocol_v4 9.
 */
export function functionFailure(
  name: string,
  argumentTypes: readonly string[],
  message: string,
): FunctionExecutionError {
  const texts = ['system', name].map(protocolString);
  const count = Uint8Array.of(argumentTypes.length >> 8, argumentTypes.length & 0xff);
  const extra = Buffer.concat([...texts, count, ...argumentTypes.map(protocolString)]);
  return new FunctionExecutionError(message, CqlErrorCode.FUNCTION_FAILURE, {
    extra: new Uint8Array(extra),
  });
}

function protocolString(text: string): Uint8Array {
  const bytes = Buffer.from(text, 'utf8');
  return Buffer.concat([Uint8Array.of(bytes.length >> 8, bytes.length & 0xff), bytes]);
}

/** The failure of an operation on two values. */
export function operationFailure(
  operator: string,
  functionName: string,
  types: readonly CqlType[],
  detail: string,
): FunctionExecutionError {
  const texts = types.map(argumentTypeText);
  const [left = '', right = ''] = texts;
  return functionFailure(
    functionName,
    texts,
    `the operation '${left} ${operator} ${right}' failed: ${detail}`,
  );
}
