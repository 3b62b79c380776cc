import type { Catalog, SchemaChanges } from '../schema/index.ts';
import type { Clock, TimerHandle } from '../util/index.ts';

/** What upkeep works with. */
export interface CatalogUpkeepOptions {
  readonly catalog: Pick<Catalog, 'refresh'>;
  readonly changes: Pick<SchemaChanges, 'recover'>;
  readonly clock: Clock;
  /** Mean time between two rounds, milliseconds. */
  readonly periodMs: number;
  /** A number from 0 (inclusive) to 1: spreads the rounds of several proxies. */
  readonly random: () => number;
  /** Told about a round that failed; the next one comes as usual. */
  readonly onFailure: (error: unknown) => void;
}

/**
 * Reads the catalog again and settles abandoned schema changes, for ever: schema events say nothing about records that
 * were edited by hand, and nobody else looks after the claims of a proxy that died. Rounds never overlap.
 * @returns how to stop it; a round that runs is not interrupted.
 */
export function startCatalogUpkeep(options: CatalogUpkeepOptions): () => void {
  const { catalog, changes, clock, periodMs, random, onFailure } = options;
  let timer: TimerHandle | undefined;
  let isStopped = false;
  const round = async (): Promise<void> => {
    try {
      await catalog.refresh();
      if (!isStopped) await changes.recover();
    } catch (error) {
      if (!isStopped) onFailure(error);
    }
    next();
  };
  const next = (): void => {
    if (isStopped) return;
    timer = clock.after(periodMs * (0.8 + 0.4 * random()), () => {
      void round();
    });
  };
  next();
  return () => {
    isStopped = true;
    timer?.cancel();
  };
}
