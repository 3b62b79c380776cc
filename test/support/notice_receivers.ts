/** Receivers of notices: an HTTP server for the webhook, and a mail server. */
import { createHmac } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SMTPServer } from 'smtp-server';
import { LOCALHOST_CERTIFICATE, LOCALHOST_KEY } from './localhost_certificate.ts';

/** A webhook request as it came. */
export interface WebhookCall {
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
  readonly body: Readonly<Record<string, unknown>>;
}

/** A webhook. */
export interface WebhookReceiver {
  readonly url: string;
  readonly calls: WebhookCall[];
  /** How the next requests are answered: a status, `hang` or `reset`. */
  answer: number | 'hang' | 'reset';
  stop(): Promise<void>;
}

/** Starts a webhook on a free port. */
export async function startWebhook(): Promise<WebhookReceiver> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      if (receiver.answer === 'reset') request.socket.resetAndDestroy();
      if (typeof receiver.answer !== 'number') return;
      const text = Buffer.concat(chunks).toString('utf8');
      const headers = request.headers as Record<string, string>;
      receiver.calls.push({ headers, text, body: JSON.parse(text) as Record<string, unknown> });
      response.writeHead(receiver.answer, { location: '/elsewhere' });
      response.end('answer');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const receiver: WebhookReceiver = {
    url: `http://127.0.0.1:${String(port)}/hooks/cqlock`,
    calls: [],
    answer: 204,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
  return receiver;
}

/** Whether a call is signed with the secret, as a receiver checks it. */
export function isSigned(call: WebhookCall, secret: string): boolean {
  const [, seconds, signature] =
    /^t=(\d+),v1=([0-9a-f]{64})$/.exec(call.headers['x-cqlock-signature'] ?? '') ?? [];
  const expected = createHmac('sha256', secret)
    .update(`${seconds ?? ''}.${call.text}`)
    .digest('hex');
  return signature === expected;
}

/** A mail as it came. */
export interface ReceivedMail {
  readonly recipients: readonly string[];
  readonly text: string;
  readonly isEncrypted: boolean;
  readonly user: string | undefined;
}

/** A mail server. */
export interface MailReceiver {
  readonly port: number;
  readonly mails: ReceivedMail[];
  /** Recipients that are refused for the moment. */
  readonly refused: Set<string>;
  stop(): Promise<void>;
}

/** Starts a mail server on a free port, with TLS from the first byte, by STARTTLS, or without. */
export async function startMailServer(options: {
  readonly tls: 'implicit' | 'starttls' | 'none';
  readonly login?: { readonly user: string; readonly password: string };
}): Promise<MailReceiver> {
  const mails: ReceivedMail[] = [];
  const refused = new Set<string>();
  const { login, tls } = options;
  const server = new SMTPServer({
    secure: tls === 'implicit',
    key: LOCALHOST_KEY,
    cert: LOCALHOST_CERTIFICATE,
    disabledCommands: [
      ...(tls === 'none' ? ['STARTTLS' as const] : []),
      ...(login === undefined ? ['AUTH' as const] : []),
    ],
    authOptional: login === undefined,
    onAuth: (auth, _session, callback) => {
      if (auth.username === login?.user && auth.password === login?.password) {
        callback(null, { user: auth.username });
      } else callback(new Error('wrong login'));
    },
    onRcptTo: ({ address }, _session, callback) => {
      callback(refused.has(address) ? new Error('mailbox is full') : null);
    },
    onData: (stream, session, callback) => {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        mails.push({
          recipients: session.envelope.rcptTo.map(({ address }) => address),
          text: Buffer.concat(chunks).toString('utf8'),
          isEncrypted: session.secure,
          user: session.user === undefined ? undefined : String(session.user),
        });
        callback(null);
      });
    },
  });
  // A client that does not like the certificate is a test, not a fault of the server.
  server.on('error', () => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.server.address() as AddressInfo;
  return {
    port,
    mails,
    refused,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
      }),
  };
}
