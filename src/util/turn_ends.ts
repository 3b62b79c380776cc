/** Where in a turn of the event loop a callback can be run. */
export interface TurnEnds {
  /** After all that the present event has to do: the bytes of one socket. */
  afterEvent(callback: () => void): void;
  /** After the events of all sockets that are ready. */
  afterTurn(callback: () => void): void;
}

/** Those of Node's event loop. */
export const systemTurnEnds: TurnEnds = {
  afterEvent: (callback) => {
    process.nextTick(callback);
  },
  afterTurn: setImmediate,
};
