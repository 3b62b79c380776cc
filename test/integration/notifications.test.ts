/** Notices on real servers: a webhook over HTTP, and mail over SMTP with TLS. */
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { KeyAccessError } from '../../src/errors/index.ts';
import { Courier, KeyNotices } from '../../src/lifecycle/index.ts';
import type { Notice, NoticeChannel, NoticeEvent } from '../../src/lifecycle/index.ts';
import { emailChannels, NoticeDirectory, webhookChannel } from '../../src/notify/index.ts';
import type { EmailSettings } from '../../src/notify/index.ts';
import { silentLogger } from '../../src/observability/index.ts';
import { systemClock } from '../../src/util/index.ts';
import { LOCALHOST_CERTIFICATE } from '../support/localhost_certificate.ts';
import { isSigned, startMailServer, startWebhook } from '../support/notice_receivers.ts';
import type { MailReceiver, WebhookReceiver } from '../support/notice_receivers.ts';
import { shiftedClock } from '../support/shifted_clock.ts';

const SECRET = 'a secret of the webhook';
const KEY = 'arn:cqlock:kms:local:0a:key/1';
const EVENTS: readonly NoticeEvent[] = [
  'key_inaccessible',
  'key_refused',
  'days_left',
  'backup_failed',
  'backup_done',
  'table_dropped',
  'key_back',
  'backup_expiring',
  'backup_expired',
  'grant_released',
];

function notice(event: NoticeEvent): Notice {
  return {
    id: '0a0b0c0d-0000-4000-8000-000000000001',
    event,
    atMs: Date.UTC(2026, 0, 1),
    keyspace: 'ks',
    table: 'ünïcode',
    keyArn: KEY,
    reason: 'KEY_DISABLED',
    dropAtMs: Date.UTC(2026, 0, 8),
    daysLeft: 7,
    backupId: 'backup-1',
    backupExpiresAtMs: Date.UTC(2026, 1, 12),
  };
}

const stops: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

async function webhookServer(): Promise<WebhookReceiver> {
  const server = await startWebhook();
  stops.push(() => server.stop());
  return server;
}

async function mailServer(options: Parameters<typeof startMailServer>[0]): Promise<MailReceiver> {
  const server = await startMailServer(options);
  stops.push(() => server.stop());
  return server;
}

function mailSettings(port: number, more: Partial<EmailSettings> = {}): EmailSettings {
  return {
    host: 'localhost',
    port,
    tls: 'starttls',
    username: undefined,
    password: undefined,
    from: 'cqlock@example.org',
    to: ['ops@example.org'],
    ca: LOCALHOST_CERTIFICATE,
    ...more,
  };
}

describe('a webhook', () => {
  it('gets JSON that is signed over its time and every byte', async () => {
    const server = await webhookServer();
    await webhookChannel({ url: server.url, secret: SECRET }, systemClock).deliver(
      notice('key_inaccessible'),
    );
    const [call] = server.calls;
    if (call === undefined) throw new TypeError('no call');
    expect(call.body).toEqual({
      id: '0a0b0c0d-0000-4000-8000-000000000001',
      event: 'key_inaccessible',
      at: '2026-01-01T00:00:00.000Z',
      keyspace: 'ks',
      table: 'ünïcode',
      key_arn: KEY,
      reason: 'KEY_DISABLED',
      drop_at: '2026-01-08T00:00:00.000Z',
      days_left: 7,
      backup_id: 'backup-1',
      backup_expires_at: '2026-02-12T00:00:00.000Z',
    });
    expect(call.headers).toMatchObject({
      'content-type': 'application/json',
      'x-cqlock-event': 'key_inaccessible',
      'x-cqlock-notice': '0a0b0c0d-0000-4000-8000-000000000001',
    });
    expect(isSigned(call, SECRET)).toBe(true);
    expect(isSigned(call, `${SECRET}.`)).toBe(false);
    expect(isSigned({ ...call, text: call.text.replace('7', '6') }, SECRET)).toBe(false);
  });

  it.each([301, 307, 400, 404, 500, 503] as const)(
    'that answers %d did not take it',
    async (status) => {
      const server = await webhookServer();
      server.answer = status;
      const channel = webhookChannel({ url: server.url, secret: SECRET }, systemClock);
      await expect(channel.deliver(notice('key_back'))).rejects.toMatchObject({
        code: 'NOTICE_WEBHOOK',
        message: `the webhook answered ${String(status)}`,
      });
      expect(server.calls).toHaveLength(1);
    },
  );

  it.each(['reset', 'hang'] as const)('that does not answer (%s) did not take it', async (how) => {
    const server = await webhookServer();
    server.answer = how;
    const channel = webhookChannel({ url: server.url, secret: SECRET }, systemClock);
    await expect(channel.deliver(notice('key_back'))).rejects.toMatchObject({
      code: 'NOTICE_WEBHOOK',
      message: 'the webhook does not answer',
    });
  });

  it('is named without its URL, the same for the same one', () => {
    const make = (url: string): string => webhookChannel({ url, secret: SECRET }, systemClock).name;
    expect(make('https://example.org/t0ken')).toMatch(/^webhook:[0-9a-f]{16}$/);
    expect(make('https://example.org/t0ken')).toBe(make('https://example.org/t0ken'));
    expect(make('https://example.org/t0ken')).not.toBe(make('https://example.org/other'));
  });
});

describe('a mail server', () => {
  it.each(['implicit', 'starttls', 'none'] as const)('is used with TLS %s', async (tls) => {
    const server = await mailServer({ tls });
    const to = ['ops@example.org', 'second@example.org'];
    for (const channel of emailChannels(mailSettings(server.port, { tls, to }))) {
      await channel.deliver(notice('key_inaccessible'));
    }
    expect(server.mails.map(({ recipients }) => recipients)).toEqual(to.map((one) => [one]));
    expect(server.mails.map(({ isEncrypted }) => isEncrypted)).toEqual([
      tls !== 'none',
      tls !== 'none',
    ]);
    const text = server.mails[0]?.text ?? '';
    expect(text).toContain('From: cqlock@example.org');
    expect(text).toContain('X-Cqlock-Event: key_inaccessible');
    expect(text).toContain('Message-ID: <0a0b0c0d-0000-4000-8000-000000000001@cqlock>');
  });

  it('gets the login, over TLS only', async () => {
    const login = { user: 'u', password: 'p@ss' };
    const server = await mailServer({ tls: 'starttls', login });
    const right = mailSettings(server.port, { username: 'u', password: 'p@ss' });
    await emailChannels(right)[0]?.deliver(notice('key_back'));
    expect(server.mails[0]).toMatchObject({ isEncrypted: true, user: 'u' });
    const wrong = emailChannels({ ...right, password: 'other' })[0];
    await expect(wrong?.deliver(notice('key_back'))).rejects.toMatchObject({
      code: 'NOTICE_EMAIL',
    });
  });

  it('without TLS gets nothing when TLS is asked for', async () => {
    const server = await mailServer({ tls: 'none' });
    const channel = emailChannels(mailSettings(server.port))[0];
    await expect(channel?.deliver(notice('key_back'))).rejects.toMatchObject({
      code: 'NOTICE_EMAIL',
    });
    expect(server.mails).toEqual([]);
  });

  it('whose certificate nobody vouches for gets nothing', async () => {
    const server = await mailServer({ tls: 'implicit' });
    const { ca: _, ...settings } = mailSettings(server.port, { tls: 'implicit' });
    const channel = emailChannels(settings)[0];
    await expect(channel?.deliver(notice('key_back'))).rejects.toMatchObject({
      code: 'NOTICE_EMAIL',
    });
    expect(server.mails).toEqual([]);
  });

  it.each(EVENTS)('is sent a text for people about %s', async (event) => {
    const server = await mailServer({ tls: 'none' });
    await emailChannels(mailSettings(server.port, { tls: 'none' }))[0]?.deliver(notice(event));
    const text = server.mails[0]?.text ?? '';
    expect(text).toMatch(/^Subject: =\?UTF-8\?/m);
    // Soft line breaks of quoted-printable.
    expect(text.replaceAll('=\r\n', '')).toContain(KEY);
  });
});

describe('notices that wait', () => {
  let directory: string;
  let webhook: WebhookReceiver;
  let mail: MailReceiver;
  const clock = shiftedClock();

  beforeEach(async () => {
    directory = join(await mkdtemp(join(tmpdir(), 'cqlock-notices-')), 'notices');
    stops.push(() => rm(join(directory, '..'), { recursive: true, force: true }));
    webhook = await webhookServer();
    mail = await mailServer({ tls: 'starttls' });
  });

  /** What a process does with notices. */
  function process() {
    const channels: NoticeChannel[] = [
      webhookChannel({ url: webhook.url, secret: SECRET }, clock),
      ...emailChannels(mailSettings(mail.port, { to: ['a@example.org', 'b@example.org'] })),
    ];
    const outbox = new NoticeDirectory(directory, clock);
    const results: string[] = [];
    const courier = new Courier({
      channels,
      outbox,
      clock,
      logger: silentLogger,
      metrics: { countNotice: (_, channel, result) => results.push(`${channel} ${result}`) },
    });
    stops.push(() => Promise.resolve(courier.stop()));
    let kept = (): void => undefined;
    const isKept = new Promise<void>((resolve) => (kept = resolve));
    const notices = new KeyNotices({
      channels: channels.map(({ name }) => name),
      keep: (pending) => outbox.keep(pending),
      onKept: () => {
        kept();
      },
      clock,
      logger: silentLogger,
    });
    return { courier, results, isKept, notices };
  }

  function refusal() {
    const error = new KeyAccessError('KEY_NOT_FOUND', `the KMS has no key ${KEY}`);
    return { keyspace: 'ks', table: 't', keyArn: KEY, error };
  }

  it('are delivered by every channel and then gone', async () => {
    const { courier, results, isKept, notices } = process();
    notices.keyRefused(refusal());
    await isKept;
    await courier.deliver();
    expect(webhook.calls.map(({ body }) => body)).toMatchObject([
      { event: 'key_refused', keyspace: 'ks', table: 't', key_arn: KEY, reason: 'KEY_NOT_FOUND' },
    ]);
    expect(mail.mails.flatMap(({ recipients }) => recipients).sort()).toEqual([
      'a@example.org',
      'b@example.org',
    ]);
    expect(results.sort()).toEqual(['email delivered', 'email delivered', 'webhook delivered']);
    expect(await readdir(directory)).toEqual([]);
  });

  it('go on trying where they failed only, later and later', async () => {
    const { courier, results, isKept, notices } = process();
    webhook.answer = 500;
    mail.refused.add('b@example.org');
    notices.keyRefused(refusal());
    await isKept;
    await courier.deliver();
    await courier.deliver();
    expect(results.sort()).toEqual(['email delivered', 'email failed', 'webhook failed']);
    clock.shift(5_000);
    await courier.deliver();
    clock.shift(9_000);
    await courier.deliver();
    expect(webhook.calls).toHaveLength(2);
    webhook.answer = 200;
    mail.refused.clear();
    clock.shift(1_000);
    await courier.deliver();
    expect(webhook.calls).toHaveLength(3);
    expect(mail.mails.flatMap(({ recipients }) => recipients)).toEqual([
      'a@example.org',
      'b@example.org',
    ]);
    expect(await readdir(directory)).toEqual([]);
  });

  it('of a process that ended are delivered by another one, after ten minutes', async () => {
    const dead = process();
    webhook.answer = 503;
    dead.notices.keyRefused(refusal());
    await dead.isKept;
    await dead.courier.deliver();
    dead.courier.stop();
    webhook.answer = 200;
    const next = process();
    await next.courier.deliver();
    expect(next.results).toEqual([]);
    clock.shift(11 * 60_000);
    await next.courier.deliver();
    expect(next.results).toEqual(['webhook delivered']);
    expect(await readdir(directory)).toEqual([]);
  });

  it('are given up after seven days', async () => {
    const { courier, results, isKept, notices } = process();
    webhook.answer = 500;
    notices.keyRefused(refusal());
    await isKept;
    await courier.deliver();
    clock.shift(7 * 86_400_000);
    await courier.deliver();
    expect(results.filter((result) => result.startsWith('webhook'))).toEqual([
      'webhook failed',
      'webhook given_up',
    ]);
    expect(await readdir(directory)).toEqual([]);
  });
});
