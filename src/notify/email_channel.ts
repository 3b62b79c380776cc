import { createHash } from 'node:crypto';
import { createTransport } from 'nodemailer';
import { NoticeError } from '../errors/index.ts';
import { noticeText } from '../lifecycle/index.ts';
import type { NoticeChannel } from '../lifecycle/index.ts';

const TIMEOUT_MS = 20_000;

/** How e-mail is sent. */
export interface EmailSettings {
  readonly host: string;
  readonly port: number;
  /** implicit: TLS from the first byte. starttls: TLS before anything is sent, or nothing is sent. none: in the clear. */
  readonly tls: 'implicit' | 'starttls' | 'none';
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly from: string;
  readonly to: readonly string[];
  /** Certificates (PEM) of the authorities to trust; those of Node if not given. */
  readonly ca?: string;
}

/** A channel for each recipient, so that one that refuses keeps no other from getting it, and gets it no one twice. */
export function emailChannels(settings: EmailSettings): readonly NoticeChannel[] {
  const transport = createTransport({
    host: settings.host,
    port: settings.port,
    secure: settings.tls === 'implicit',
    requireTLS: settings.tls === 'starttls',
    ignoreTLS: settings.tls === 'none',
    connectionTimeout: TIMEOUT_MS,
    greetingTimeout: TIMEOUT_MS,
    socketTimeout: TIMEOUT_MS,
    disableFileAccess: true,
    disableUrlAccess: true,
    ...(settings.username === undefined
      ? {}
      : { auth: { user: settings.username, pass: settings.password ?? '' } }),
    ...(settings.ca === undefined ? {} : { tls: { ca: settings.ca } }),
  });
  return settings.to.map((recipient) => ({
    name: `email:${createHash('sha256').update(recipient).digest('hex').slice(0, 16)}`,
    kind: 'email',
    deliver: async (notice) => {
      const { subject, text } = noticeText(notice);
      try {
        await transport.sendMail({
          from: settings.from,
          to: recipient,
          subject,
          text,
          date: new Date(notice.atMs),
          // The same for every attempt, so that a mail that came twice is known as one.
          messageId: `<${notice.id}@cqlock>`,
          headers: { 'X-Cqlock-Event': notice.event, 'Auto-Submitted': 'auto-generated' },
        });
      } catch (cause) {
        throw new NoticeError('NOTICE_EMAIL', 'the mail server did not take an e-mail', { cause });
      }
    },
  }));
}
