import { AuthenticationError } from '../errors/index.ts';
import type { Transport } from '../proxy/index.ts';
import { encodeEnvelope, encodeError, HEADER_BYTES, Opcode } from '../wire/index.ts';

/** A client that is refused is cut after this time, whether it has said something or has read its answer or not. */
const REFUSAL_MS = 2_000;
/** Oldest and newest version whose answers have a header of the same shape. */
const [OLDEST, NEWEST] = [3, 5];

/**
 * Answers the first request of a client with an error, and closes. Nothing but the header of that request is read. TLS by Node has
 * no alert for a certificate that is refused, and drivers take a connection that only closes for a server that is slow.
 * @param code why its certificate is refused, in OpenSSL's words
 */
export function refuseClient(transport: Transport, code: string): void {
  const timer = setTimeout(() => {
    transport.destroy();
  }, REFUSAL_MS);
  let header = Buffer.alloc(0);
  transport.setHandlers({
    onData: (chunk) => {
      if (header.length === HEADER_BYTES) return;
      header = Buffer.concat([header, chunk.subarray(0, HEADER_BYTES - header.length)]);
      if (header.length < HEADER_BYTES) return;
      transport.write(refusal(header, code));
      transport.end();
    },
    onDrain: () => undefined,
    onClose: () => {
      clearTimeout(timer);
    },
  });
}

function refusal(header: Buffer, code: string): Buffer {
  const error = new AuthenticationError(
    'LOGIN_UNTRUSTED',
    `the proxy does not accept the client's certificate (${code}): show one that is signed by the CA of tls.client_ca_file and has not expired`,
  );
  const version = Math.min(Math.max(header.readUInt8(0) & 0x7f, OLDEST), NEWEST);
  return encodeEnvelope(
    { version, isResponse: true, flags: 0, streamId: header.readInt16BE(2), opcode: Opcode.ERROR },
    encodeError({ code: error.cqlCode, message: error.message }),
  );
}
