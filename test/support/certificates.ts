/** A certificate authority of a test, and what it signs. */
import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import {
  BasicConstraintsExtension,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from '@peculiar/x509';
import type { JsonGeneralName } from '@peculiar/x509';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const DAY_MS = 86_400_000;

/** Certificate and key in PEM. */
export interface Issued {
  readonly cert: string;
  readonly key: string;
}

/** What a certificate is for. */
export interface Subject {
  readonly commonName: string;
  readonly altNames?: readonly JsonGeneralName[];
  /** Days from now; 30 if not given. */
  readonly days?: number;
}

/** A certificate authority. */
export interface TestCa {
  readonly cert: string;
  issue(subject: Subject): Promise<Issued>;
}

export const LOCALHOST: readonly JsonGeneralName[] = [
  { type: 'dns', value: 'localhost' },
  { type: 'ip', value: '127.0.0.1' },
];

/** Makes a certificate authority with a key of its own. */
export async function makeCa(name: string): Promise<TestCa> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const validity = { notBefore: new Date(Date.now() - DAY_MS), notAfter: inDays(3650) };
  const root = await X509CertificateGenerator.createSelfSigned({
    name: `CN=${name}`,
    keys,
    signingAlgorithm: ALGORITHM,
    ...validity,
    extensions: [new BasicConstraintsExtension(true, undefined, true)],
  });
  return {
    cert: `${root.toString('pem')}\n`,
    issue: async (subject) => {
      const own = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
      const certificate = await X509CertificateGenerator.create({
        subject: `CN=${subject.commonName}`,
        issuer: root.subject,
        notBefore: new Date(Date.now() - 2 * DAY_MS),
        notAfter: inDays(subject.days ?? 30),
        publicKey: own.publicKey,
        signingKey: keys.privateKey,
        signingAlgorithm: ALGORITHM,
        extensions: [new SubjectAlternativeNameExtension([...(subject.altNames ?? LOCALHOST)])],
      });
      const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', own.privateKey));
      return { cert: `${certificate.toString('pem')}\n`, key: pem('PRIVATE KEY', pkcs8) };
    },
  };
}

function inDays(days: number): Date {
  return new Date(Date.now() + days * DAY_MS);
}

function pem(label: string, bytes: Buffer): string {
  const lines = bytes.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}
