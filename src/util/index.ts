/**
 * Small building blocks without domain words: exhaustive checks, the clock port, ends of turns, single-flight.
 * Imports nothing from the rest of the project.
 */
export { assertNever } from './assert_never.ts';
export { systemClock } from './clock.ts';
export type { Clock, TimerHandle } from './clock.ts';
export { SingleFlight } from './single_flight.ts';
export { systemTurnEnds } from './turn_ends.ts';
export type { TurnEnds } from './turn_ends.ts';
