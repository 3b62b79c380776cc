import { ProtocolError } from '../../errors/index.ts';

const VERSION = 1;
const LENGTH = 9;

/** Makes the paging state after `offset` result rows; `statement` is a fingerprint of what was asked. */
export function encodePagingState(offset: number, statement: number): Uint8Array {
  const state = Buffer.alloc(LENGTH);
  state[0] = VERSION;
  state.writeUInt32BE(offset, 1);
  state.writeUInt32BE(statement >>> 0, 5);
  return state;
}

/** The number of result rows already delivered. @throws ProtocolError if the state is not one of this statement. */
export function decodePagingState(state: Uint8Array, statement: number): number {
  const view = Buffer.from(state.buffer, state.byteOffset, state.byteLength);
  if (view.length !== LENGTH || view[0] !== VERSION || view.readUInt32BE(5) !== statement >>> 0) {
    throw new ProtocolError('PROTOCOL_PAGING_STATE', 'Invalid value for the paging state');
  }
  return view.readUInt32BE(1);
}

/** FNV-1a over text: tells statements apart by accident, not against an attacker (the rows are public to the client). */
export function fingerprint(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return hash >>> 0;
}
