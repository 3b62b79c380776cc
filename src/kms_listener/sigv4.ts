import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { KmsFault } from '../kms/index.ts';

const ALGORITHM = 'AWS4-HMAC-SHA256';
/** Headers whose meaning the signature must cover. */
const MUST_BE_SIGNED = ['host', 'x-amz-date', 'x-amz-target'];
/** A second one of these would leave open which one counts. */
const ONCE = ['authorization', 'content-type', 'host', 'x-amz-date', 'x-amz-target'];

/** A request as it is signed: its path is `/` and it has no query, as every request of this protocol. */
export interface SignedRequest {
  readonly method: string;
  /** Name and value by turns, as they came, repetitions too. */
  readonly rawHeaders: readonly string[];
  readonly body: Uint8Array;
}

/** What an Authorization header says. */
export interface Authorization {
  readonly accessKeyId: string;
  /** yyyymmdd */
  readonly date: string;
  readonly region: string;
  readonly service: string;
  readonly signedHeaders: readonly string[];
  /** 32 bytes, hex. */
  readonly signature: string;
}

/**
 * Reads an Authorization header of Signature Version 4.
 * @throws KmsFault IncompleteSignatureException
 */
export function parseAuthorization(header: string): Authorization {
  const match =
    /^AWS4-HMAC-SHA256\s+Credential=([^,\s]+)\s*,\s*SignedHeaders=([^,\s]+)\s*,\s*Signature=([0-9a-f]{64})$/.exec(
      header.trim(),
    );
  const [accessKeyId, date, region, service, end, ...more] = (match?.[1] ?? '').split('/');
  const signedHeaders = (match?.[2] ?? '').split(';');
  const signature = match?.[3];
  const isComplete =
    accessKeyId !== undefined &&
    /^\d{8}$/.test(date ?? '') &&
    region !== undefined &&
    service !== undefined &&
    end === 'aws4_request' &&
    more.length === 0 &&
    signature !== undefined;
  if (isComplete && date !== undefined) {
    return { accessKeyId, date, region, service, signedHeaders, signature };
  }
  throw new KmsFault(
    'IncompleteSignatureException',
    'Authorization header requires Credential, SignedHeaders and Signature of AWS4-HMAC-SHA256.',
  );
}

/** The one value of a header; undefined when it is not there. */
export function headerOf(rawHeaders: readonly string[], name: string): string | undefined {
  return valuesOf(rawHeaders, name)[0];
}

/**
 * Checks time, scope and signature of a request.
 * @param secret of the access key that the header names
 * @throws KmsFault when the request is not what the owner of the secret signed, or is older or newer than `skewMs`.
 */
export function verifySignature(
  request: SignedRequest,
  authorization: Authorization,
  secret: string,
  time: { readonly nowMs: number; readonly skewMs: number },
): void {
  for (const name of ONCE) {
    if (valuesOf(request.rawHeaders, name).length > 1) {
      throw new KmsFault('IncompleteSignatureException', `there is more than one ${name} header`);
    }
  }
  const missing = MUST_BE_SIGNED.find((name) => !authorization.signedHeaders.includes(name));
  if (missing !== undefined) {
    throw new KmsFault('IncompleteSignatureException', `the header ${missing} must be signed`);
  }
  if (authorization.service !== 'kms') {
    throw new KmsFault(
      'InvalidSignatureException',
      "Credential should be scoped to correct service: 'kms'.",
    );
  }
  checkTime(headerOf(request.rawHeaders, 'x-amz-date') ?? '', authorization.date, time);
  const expected = signatureOf(request, authorization, secret);
  const given = Buffer.from(authorization.signature, 'hex');
  if (!timingSafeEqual(Buffer.from(expected, 'hex'), given)) {
    throw new KmsFault(
      'InvalidSignatureException',
      'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.',
    );
  }
}

/** The signature of a request under a secret, hex. */
export function signatureOf(
  request: SignedRequest,
  scope: Omit<Authorization, 'accessKeyId' | 'signature'>,
  secret: string,
): string {
  const credentialScope = `${scope.date}/${scope.region}/${scope.service}/aws4_request`;
  const text = [
    ALGORITHM,
    headerOf(request.rawHeaders, 'x-amz-date') ?? '',
    credentialScope,
    sha256(canonicalRequest(request, scope.signedHeaders)),
  ].join('\n');
  let key = hmac(`AWS4${secret}`, scope.date);
  for (const part of [scope.region, scope.service, 'aws4_request']) key = hmac(key, part);
  return hmac(key, text).toString('hex');
}

function canonicalRequest(request: SignedRequest, signedHeaders: readonly string[]): string {
  const lines = signedHeaders.map((name) => {
    const values = valuesOf(request.rawHeaders, name);
    return `${name}:${values.map((value) => value.trim().replace(/\s+/g, ' ')).join(',')}\n`;
  });
  return [
    request.method,
    '/',
    '',
    lines.join(''),
    signedHeaders.join(';'),
    sha256(request.body),
  ].join('\n');
}

function checkTime(
  text: string,
  scopeDate: string,
  { nowMs, skewMs }: { readonly nowMs: number; readonly skewMs: number },
): void {
  const iso = text.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z');
  const signedAtMs = iso === text ? Number.NaN : Date.parse(iso);
  if (Number.isNaN(signedAtMs)) {
    throw new KmsFault('IncompleteSignatureException', 'X-Amz-Date must be yyyymmddThhmmssZ.');
  }
  if (!text.startsWith(scopeDate)) {
    throw new KmsFault(
      'InvalidSignatureException',
      'Date in Credential scope does not match the date of the request.',
    );
  }
  if (signedAtMs < nowMs - skewMs) {
    throw new KmsFault('InvalidSignatureException', `Signature expired: ${text} is too old.`);
  }
  if (signedAtMs > nowMs + skewMs) {
    throw new KmsFault('InvalidSignatureException', `Signature not yet current: ${text}.`);
  }
}

function valuesOf(rawHeaders: readonly string[], name: string): readonly string[] {
  const values: string[] = [];
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    if (rawHeaders[at]?.toLowerCase() === name) values.push(rawHeaders[at + 1] ?? '');
  }
  return values;
}

function sha256(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

function hmac(key: string | Uint8Array, text: string): Buffer {
  return createHmac('sha256', key).update(text, 'utf8').digest();
}
