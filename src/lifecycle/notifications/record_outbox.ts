import type { Catalog } from '../../schema/index.ts';
import { afterNotices } from '../access_transitions.ts';
import type { Outbox, PendingNotice } from '../ports.ts';
import { noticeOf } from './notice.ts';

/** Notices that records hold: each was written in one with the change it tells of. */
export class RecordOutbox implements Outbox {
  readonly #catalog: Pick<Catalog, 'readRecords' | 'change'>;
  readonly #isResponsible: () => boolean;

  /** @param isResponsible whether this process delivers; only one of the cluster does */
  constructor(catalog: Pick<Catalog, 'readRecords' | 'change'>, isResponsible: () => boolean) {
    this.#catalog = catalog;
    this.#isResponsible = isResponsible;
  }

  /** See {@link Outbox.pending}. */
  async pending(): Promise<readonly PendingNotice[]> {
    if (!this.#isResponsible()) return [];
    const { records } = await this.#catalog.readRecords();
    return [...records.values()].flatMap(({ record }) =>
      record.kind === 'table'
        ? (record.access?.notices ?? []).map((stored) => ({
            notice: noticeOf(record, stored),
            channels: stored.channels,
          }))
        : [],
    );
  }

  /** See {@link Outbox.settle}. */
  async settle(done: ReadonlyMap<string, readonly string[]>): Promise<void> {
    await this.#catalog.change(({ records }) => {
      const put = [...records.values()].flatMap(({ record }) => {
        const next = record.kind === 'table' ? afterNotices(record, done) : undefined;
        return next === undefined ? [] : [next];
      });
      return put.length === 0 ? undefined : { put };
    });
  }
}

/** Several outboxes as one. */
export function joinedOutbox(outboxes: readonly Outbox[]): Outbox {
  return {
    pending: async () => (await Promise.all(outboxes.map((outbox) => outbox.pending()))).flat(),
    settle: async (done) => {
      for (const outbox of outboxes) await outbox.settle(done);
    },
  };
}
