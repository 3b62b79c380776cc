import { describe, expect, it } from 'vitest';
import {
  parseAuthorization,
  signatureOf,
  verifySignature,
} from '../../../src/kms_listener/sigv4.ts';

/** Requests of the test suite that AWS publishes for Signature Version 4, those whose path is `/`. */
const SECRET = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY';
const HOST = ['Host', 'example.amazonaws.com'];
const DATE = ['X-Amz-Date', '20150830T123600Z'];
const TOKEN =
  'AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA==';

describe('a signature', () => {
  it.each([
    ['get-vanilla', 'GET', [], '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31'],
    [
      'post-vanilla',
      'POST',
      [],
      '5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b',
    ],
    [
      'post-header-key-sort',
      'POST',
      ['My-Header1', 'value1'],
      'c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c',
    ],
    [
      'post-header-value-case',
      'POST',
      ['My-Header1', 'VALUE1'],
      'cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d',
    ],
    [
      'get-header-key-duplicate',
      'GET',
      ['My-Header1', 'value2', 'My-Header1', ' value2 ', 'My-Header1', 'value1'],
      'c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea',
    ],
    [
      'post-sts-header-before',
      'POST',
      ['X-Amz-Security-Token', TOKEN],
      '85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead',
    ],
  ])('is that of the published test %s', (_, method, headers, expected) => {
    const rawHeaders = [...HOST, ...DATE, ...headers];
    const names = rawHeaders.filter((_header, index) => index % 2 === 0);
    const signedHeaders = [...new Set(names.map((name) => name.toLowerCase()))].sort();
    const scope = { date: '20150830', region: 'us-east-1', service: 'service', signedHeaders };
    const request = { method, rawHeaders, body: Buffer.alloc(0) };
    expect(signatureOf(request, scope, SECRET)).toBe(expected);
  });
});

const NOW_MS = Date.parse('2015-08-30T12:36:00Z');
const NAMES = ['host', 'x-amz-date', 'x-amz-target'];

function signed(options: { names?: string[]; service?: string; date?: string } = {}) {
  const body = Buffer.from('{}');
  const date = options.date ?? '20150830T123600Z';
  const rawHeaders = [...HOST, 'X-Amz-Date', date, 'X-Amz-Target', 'TrentService.ListKeys'];
  const request = { method: 'POST', rawHeaders, body };
  const scope = {
    date: date.slice(0, 8),
    region: 'r',
    service: options.service ?? 'kms',
    signedHeaders: options.names ?? NAMES,
  };
  const signature = signatureOf(request, scope, SECRET);
  return { request, authorization: { ...scope, accessKeyId: 'a', signature } };
}

describe('a signed request', () => {
  const time = { nowMs: NOW_MS, skewMs: 300_000 };

  it('is taken as it was signed, within the clock skew', () => {
    for (const skewMs of [-300_000, 0, 300_000]) {
      const { request, authorization } = signed();
      verifySignature(request, authorization, SECRET, { ...time, nowMs: NOW_MS + skewMs });
    }
  });

  it.each([-301_000, 301_000])('is refused %d ms off', (skewMs) => {
    const { request, authorization } = signed();
    expect(() => {
      verifySignature(request, authorization, SECRET, { ...time, nowMs: NOW_MS + skewMs });
    }).toThrow(expect.objectContaining({ exception: 'InvalidSignatureException' }));
  });

  it('is refused with another secret, body, method, header or service', () => {
    const { request, authorization } = signed();
    const refuse = (changed: Partial<typeof request>, secret = SECRET, auth = authorization) => {
      expect(() => {
        verifySignature({ ...request, ...changed }, auth, secret, time);
      }).toThrow(expect.objectContaining({ exception: 'InvalidSignatureException' }));
    };
    refuse({}, `${SECRET}x`);
    refuse({ body: Buffer.from('{ }') });
    refuse({ method: 'PUT' });
    refuse({ rawHeaders: request.rawHeaders.map((h) => h.replace('ListKeys', 'CreateKey')) });
    refuse({}, SECRET, signed({ service: 's3' }).authorization);
    refuse({}, SECRET, { ...authorization, date: '20150831' });
  });

  it('is refused when a header that matters is not signed, or is there twice', () => {
    for (const left of NAMES) {
      const { request, authorization } = signed({ names: NAMES.filter((name) => name !== left) });
      expect(() => {
        verifySignature(request, authorization, SECRET, time);
      }).toThrow(expect.objectContaining({ exception: 'IncompleteSignatureException' }));
    }
    const { request, authorization } = signed();
    const rawHeaders = [...request.rawHeaders, 'x-amz-target', 'TrentService.CreateKey'];
    expect(() => {
      verifySignature({ ...request, rawHeaders }, authorization, SECRET, time);
    }).toThrow(expect.objectContaining({ exception: 'IncompleteSignatureException' }));
  });

  it.each(['', 'Basic x', 'AWS4-HMAC-SHA256 Credential=a/20150830/r/kms/aws4_request'])(
    'has a whole header, not %j',
    (header) => {
      expect(() => parseAuthorization(header)).toThrow(
        expect.objectContaining({ exception: 'IncompleteSignatureException' }),
      );
    },
  );
});
