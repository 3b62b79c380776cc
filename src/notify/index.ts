/**
 * The ways to the owner of the tables: webhook and e-mail, and the directory where notices wait that no record can hold.
 * The only place, with `net`, that talks to what is neither Cassandra nor a KMS.
 *
 * May import: lifecycle (ports), errors, util. Start reading at webhook_channel.ts.
 */
export { emailChannels } from './email_channel.ts';
export type { EmailSettings } from './email_channel.ts';
export { NoticeDirectory } from './notice_directory.ts';
export { webhookChannel } from './webhook_channel.ts';
export type { WebhookSettings } from './webhook_channel.ts';
