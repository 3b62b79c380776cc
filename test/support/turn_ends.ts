/** The ends of a turn of the event loop of Node. */
import type { TurnEnds } from '../../src/encryption/index.ts';

/** As the proxy has them. */
export const TURN_ENDS: TurnEnds = {
  afterEvent: (callback) => {
    process.nextTick(callback);
  },
  afterTurn: setImmediate,
};
