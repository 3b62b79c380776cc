import { connect } from 'node:net';

/** An OPTIONS request of protocol v4: version, flags, stream, opcode, length of the body. */
const OPTIONS_REQUEST = Uint8Array.of(0x04, 0x00, 0x00, 0x00, 0x05, 0x00, 0x00, 0x00, 0x00);
const VERSION_OF_RESPONSE = 0x84;
const OPCODE_SUPPORTED = 0x06;

/**
 * Whether something at `host`:`port` answers OPTIONS with SUPPORTED, as a Cassandra does that takes clients.
 * Spec: native_protocol_v4 4.1.3.
 */
export function answersOptions(host: string, port: number, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    let received = Buffer.alloc(0);
    const finish = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(timeoutMs, () => {
      finish(false);
    });
    socket.once('error', () => {
      finish(false);
    });
    socket.once('close', () => {
      finish(false);
    });
    socket.once('connect', () => {
      socket.write(OPTIONS_REQUEST);
    });
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < 9) return;
      finish(received[0] === VERSION_OF_RESPONSE && received[4] === OPCODE_SUPPORTED);
    });
  });
}
