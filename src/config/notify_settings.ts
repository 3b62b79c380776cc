import { z } from 'zod';
import { setting } from './fields.ts';
import type { NotifyConfig, SmtpServer } from './types.ts';

const MIN_SECRET_LENGTH = 16;
const ADDRESS = /^[^\s@<>,;]+@[^\s@<>,;]+$/;
const SUBMISSION_PORT = 587;
const SUBMISSIONS_PORT = 465;

const webhookUrl = z
  .string()
  .trim()
  .refine((text) => {
    const url = parseUrl(text);
    return url !== undefined && /^https?:$/.test(url.protocol) && url.username === '';
  }, 'must be an http or https URL without a user name');

/** Any of its parts may be secret, so messages repeat none. */
const smtpUrl = z
  .string()
  .trim()
  .transform((text, context): SmtpServer => {
    const server = smtpServer(text);
    if (server !== undefined) return server;
    context.addIssue({
      code: 'custom',
      message:
        'must be smtps://user:password@host:port (TLS), smtp://… (STARTTLS), or smtp://…?tls=none for a server on this machine',
    });
    return z.NEVER;
  });

const recipients = z
  .string()
  .transform((text) => text.split(',').map((part) => part.trim()))
  .refine(
    (list) => list.every((one) => ADDRESS.test(one)),
    'must be a list name@example.org, name@example.org, …',
  );

/** The settings of notices, by the name of their variable. */
export const notifySettings = {
  CQLOCK_NOTIFY_WEBHOOK_URL: setting(webhookUrl.optional()),
  CQLOCK_NOTIFY_WEBHOOK_SECRET: setting(
    z
      .string()
      .min(MIN_SECRET_LENGTH, `must have at least ${String(MIN_SECRET_LENGTH)} characters`)
      .optional(),
  ),
  CQLOCK_NOTIFY_SMTP_URL: setting(smtpUrl.optional()),
  CQLOCK_NOTIFY_EMAIL_FROM: setting(
    z.string().trim().regex(ADDRESS, 'must be an address, name@example.org').optional(),
  ),
  CQLOCK_NOTIFY_EMAIL_TO: setting(recipients.optional()),
};

type Values = { readonly [K in keyof typeof notifySettings]: z.infer<(typeof notifySettings)[K]> };

/** Where notices go. */
export function notifyConfig(values: Values): NotifyConfig {
  const { CQLOCK_NOTIFY_WEBHOOK_URL: url, CQLOCK_NOTIFY_WEBHOOK_SECRET: secret } = values;
  const { CQLOCK_NOTIFY_SMTP_URL: smtp, CQLOCK_NOTIFY_EMAIL_FROM: from } = values;
  const to = values.CQLOCK_NOTIFY_EMAIL_TO;
  return {
    webhook: url === undefined || secret === undefined ? undefined : { url, secret },
    email:
      smtp === undefined || from === undefined || to === undefined
        ? undefined
        : { smtp, from, to: [...new Set(to)] },
  };
}

/** What is wrong between the settings of notices. */
export function notifyContradictions(values: Values): string[] {
  const problems: string[] = [];
  const groups = [
    ['CQLOCK_NOTIFY_WEBHOOK_URL', 'CQLOCK_NOTIFY_WEBHOOK_SECRET'],
    ['CQLOCK_NOTIFY_SMTP_URL', 'CQLOCK_NOTIFY_EMAIL_FROM', 'CQLOCK_NOTIFY_EMAIL_TO'],
  ] as const;
  for (const names of groups) {
    const given = names.filter((name) => values[name] !== undefined);
    if (given.length > 0 && given.length < names.length) {
      problems.push(`${names.join(', ')}: all or none of them must be set`);
    }
  }
  return problems;
}

function smtpServer(text: string): SmtpServer | undefined {
  const url = parseUrl(text);
  if (url === undefined || url.hostname === '' || !/^smtps?:$/.test(url.protocol)) return undefined;
  const isInClear = url.searchParams.get('tls') === 'none';
  if ([...url.searchParams].length > (isInClear ? 1 : 0)) return undefined;
  const implicit = url.protocol === 'smtps:';
  if (implicit && isInClear) return undefined;
  if ((url.username === '') !== (url.password === '')) return undefined;
  try {
    return {
      host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
      port: Number(url.port || (implicit ? SUBMISSIONS_PORT : SUBMISSION_PORT)),
      tls: implicit ? 'implicit' : isInClear ? 'none' : 'starttls',
      username: url.username === '' ? undefined : decodeURIComponent(url.username),
      password: url.password === '' ? undefined : decodeURIComponent(url.password),
    };
  } catch {
    // A percent sign that is no escape.
    return undefined;
  }
}

function parseUrl(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined;
}
