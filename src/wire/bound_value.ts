/** A bind value that is not set: the column keeps what it has. Exists from protocol v4 on. Spec: native_protocol_v4 3, [value]. */
export const UNSET: unique symbol = Symbol('unset');

/** What a bind marker can be given: bytes, null, or nothing at all. */
export type BoundValue = Uint8Array | null | typeof UNSET;
