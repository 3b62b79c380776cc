import { createHash, createHmac } from 'node:crypto';
import { NoticeError } from '../errors/index.ts';
import type { Notice, NoticeChannel } from '../lifecycle/index.ts';
import type { Clock } from '../util/index.ts';

const TIMEOUT_MS = 10_000;

/** Where notices are POSTed to. */
export interface WebhookSettings {
  readonly url: string;
  /** Key of the signature, as text. */
  readonly secret: string;
}

/**
 * POSTs notices as JSON. The header `X-Cqlock-Signature: t=<Unix seconds>,v1=<hex>` holds HMAC-SHA-256 under the secret of
 * `<t>.<body>`, so that a receiver knows the sender and can refuse old ones; `X-Cqlock-Notice` has the id. Any answer but
 * 2xx counts as not delivered; redirects are not followed.
 */
export function webhookChannel(settings: WebhookSettings, clock: Clock): NoticeChannel {
  const { url, secret } = settings;
  return {
    name: `webhook:${createHash('sha256').update(url).digest('hex').slice(0, 16)}`,
    kind: 'webhook',
    deliver: async (notice) => {
      const body = JSON.stringify(webhookBody(notice));
      const seconds = String(Math.floor(clock.nowMs() / 1000));
      const signature = createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex');
      const status = await post(url, body, {
        'Content-Type': 'application/json',
        'User-Agent': 'cqlock',
        'X-Cqlock-Event': notice.event,
        'X-Cqlock-Notice': notice.id,
        'X-Cqlock-Signature': `t=${seconds},v1=${signature}`,
      });
      if (status < 200 || status > 299) {
        throw new NoticeError('NOTICE_WEBHOOK', `the webhook answered ${String(status)}`);
      }
    },
  };
}

/** Times as ISO 8601; what does not apply is left out. */
function webhookBody(notice: Notice): Record<string, unknown> {
  const { id, event, keyspace, table, keyArn, reason, daysLeft, backupId } = notice;
  const facts = {
    id,
    event,
    at: time(notice.atMs),
    keyspace,
    table,
    key_arn: keyArn,
    reason,
    drop_at: time(notice.dropAtMs),
    days_left: daysLeft,
    backup_id: backupId,
    backup_expires_at: time(notice.backupExpiresAtMs),
  };
  return Object.fromEntries(Object.entries(facts).filter(([, fact]) => fact !== null));
}

function time(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}

async function post(
  url: string,
  body: string,
  headers: Readonly<Record<string, string>>,
): Promise<number> {
  try {
    const response = await fetch(url, {
      method: 'POST',
      body,
      headers,
      redirect: 'manual',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    await response.body?.cancel();
    return response.status;
  } catch (cause) {
    throw new NoticeError('NOTICE_WEBHOOK', 'the webhook does not answer', { cause });
  }
}
