import { KmsFault } from '../kms/index.ts';
import type { AccessKeys, KmsApi, KmsAuditSink, KmsPrincipal } from '../kms/index.ts';
import type { Clock } from '../util/index.ts';
import { headerOf, parseAuthorization, verifySignature } from './sigv4.ts';
import type { SignedRequest } from './sigv4.ts';

const SKEW_MS = 5 * 60_000;
const TARGET = /^TrentService\.([A-Za-z]{1,64})$/;

/** What answers the requests of the listener. */
export interface RequestParts {
  readonly api: KmsApi;
  readonly accessKeys: AccessKeys;
  readonly audit: KmsAuditSink;
  readonly clock: Clock;
  /** Takes errors that are none of the caller's; they hold no values. */
  readonly onFailure: (error: unknown) => void;
}

/** Status and body of an answer. */
export interface Answer {
  readonly status: number;
  readonly body: string;
}

/** Answers one request; never throws. What cannot be told to the caller goes to `onFailure`. */
export async function answerRequest(
  parts: RequestParts,
  request: SignedRequest,
  requestId: string,
): Promise<Answer> {
  try {
    const operation = TARGET.exec(headerOf(request.rawHeaders, 'x-amz-target') ?? '')?.[1];
    const caller = await authenticated(parts, request, operation ?? 'unknown', requestId);
    if (operation === undefined) {
      throw new KmsFault('UnknownOperationException', 'X-Amz-Target names no operation of KMS');
    }
    const answer = await parts.api.call(operation, parsedBody(request), { caller, requestId });
    return { status: 200, body: JSON.stringify(answer) };
  } catch (error) {
    if (error instanceof KmsFault) return faultAnswer(error);
    parts.onFailure(error);
    const body = { __type: 'KMSInternalException', message: 'internal error; see the log' };
    return { status: 500, body: JSON.stringify(body) };
  }
}

/** The answer for a refusal. */
export function faultAnswer(fault: KmsFault): Answer {
  const status = fault.exception === 'RequestEntityTooLargeException' ? 413 : 400;
  const message = fault.message === '' ? {} : { message: fault.message };
  return { status, body: JSON.stringify({ __type: fault.exception, ...message }) };
}

/** Who signed the request. A refusal is recorded here, since no call comes of it. */
async function authenticated(
  parts: RequestParts,
  request: SignedRequest,
  operation: string,
  requestId: string,
): Promise<KmsPrincipal> {
  const nowMs = parts.clock.nowMs();
  try {
    const header = headerOf(request.rawHeaders, 'authorization');
    if (header === undefined) {
      throw new KmsFault('MissingAuthenticationTokenException', 'Missing Authentication Token');
    }
    const authorization = parseAuthorization(header);
    const access = parts.accessKeys.find(authorization.accessKeyId);
    const token = headerOf(request.rawHeaders, 'x-amz-security-token');
    if (access === undefined || token !== undefined) {
      throw new KmsFault(
        'UnrecognizedClientException',
        'The security token included in the request is invalid.',
      );
    }
    verifySignature(request, authorization, access.secret, { nowMs, skewMs: SKEW_MS });
    return access.caller;
  } catch (error) {
    await parts.audit.record({
      operation,
      keyArn: undefined,
      targetKeyArn: undefined,
      context: undefined,
      principal: undefined,
      result: error instanceof KmsFault ? error.exception : 'INTERNAL',
      requestId,
      durationMs: 0,
    });
    throw error;
  }
}

function parsedBody(request: SignedRequest): unknown {
  const type = headerOf(request.rawHeaders, 'content-type') ?? '';
  if (!/^application\/x-amz-json-1\.1\s*(;|$)/i.test(type)) {
    throw new KmsFault(
      'SerializationException',
      'the content type must be application/x-amz-json-1.1',
    );
  }
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(request.body);
    return text === '' ? {} : (JSON.parse(text) as unknown);
  } catch {
    throw new KmsFault('SerializationException', 'the request is not JSON in UTF-8');
  }
}
