import type { TLSSocket } from 'node:tls';
import type { ClientCertificate } from '../proxy/index.ts';

/** Who a client's certificate is for; undefined when it showed none. Whether someone vouches for it is not said. */
export function clientCertificateOf(socket: TLSSocket): ClientCertificate | undefined {
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return undefined;
  const { CN } = socket.getPeerCertificate().subject as { CN?: string | string[] };
  return {
    commonName: typeof CN === 'string' ? CN : undefined,
    altNames: splitAltNames(certificate.subjectAltName ?? ''),
    fingerprint: certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
  };
}

/**
 * The names of `subjectAltName` as Node writes them: `DNS:a, URI:b`. A name that has a comma or a quote in it is written in
 * quotes, as JSON; such names are left out: nobody has them but who wants to be taken for another.
 */
function splitAltNames(text: string): string[] {
  if (text.includes('"')) return [];
  return text === '' ? [] : text.split(', ');
}
