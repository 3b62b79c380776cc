/** A socket on which a test sends any bytes it likes, and sees all frames that come and whether the peer closes. */
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import type { Endpoint } from '../../support/endpoint.ts';
import { readResponse } from '../../support/raw_codec.ts';
import type { RawResult } from '../../support/raw_codec.ts';

/** One frame as it came. */
export interface SeenFrame {
  readonly version: number;
  readonly flags: number;
  readonly stream: number;
  readonly opcode: number;
  readonly body: Buffer;
}

/** A connection without any manners. */
export class RawSocket {
  readonly socket: Socket;
  readonly frames: SeenFrame[] = [];
  isClosed = false;
  #bytes: Buffer = Buffer.alloc(0);

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.isClosed = true;
    });
    socket.on('data', (chunk: Buffer) => {
      this.#receive(chunk);
    });
  }

  /** Connects. */
  static async open({ host, port }: Endpoint): Promise<RawSocket> {
    const socket = connect({ host, port });
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    return new RawSocket(socket);
  }

  /** Sends bytes. */
  send(bytes: Uint8Array): void {
    this.socket.write(bytes);
  }

  /** Waits for so many frames in all. @throws Error when they do not come. */
  async seen(count: number, timeoutMs = 10_000): Promise<readonly SeenFrame[]> {
    await this.#until(() => this.frames.length >= count, `${String(count)} frames`, timeoutMs);
    return this.frames;
  }

  /** Waits until the peer closes. @throws Error when it does not. */
  async closed(timeoutMs = 5_000): Promise<void> {
    await this.#until(() => this.isClosed, 'the end of the connection', timeoutMs);
  }

  /** Closes. */
  end(): void {
    this.socket.destroy();
  }

  async #until(isDone: () => boolean, what: string, timeoutMs: number): Promise<void> {
    const giveUpAt = Date.now() + timeoutMs;
    while (!isDone()) {
      if (Date.now() > giveUpAt || (this.isClosed && !isDone())) {
        throw new Error(`waited for ${what}; ${String(this.frames.length)} frames came`);
      }
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }

  #receive(chunk: Buffer): void {
    let bytes = Buffer.concat([this.#bytes, chunk]);
    while (bytes.length >= 9 && bytes.length >= 9 + bytes.readInt32BE(5)) {
      const end = 9 + bytes.readInt32BE(5);
      this.frames.push({
        version: bytes.readUInt8(0),
        flags: bytes.readUInt8(1),
        stream: bytes.readInt16BE(2),
        opcode: bytes.readUInt8(4),
        body: bytes.subarray(9, end),
      });
      bytes = bytes.subarray(end);
    }
    this.#bytes = bytes;
  }
}

/** Reads what a frame says. */
export function resultOf(frame: SeenFrame): RawResult {
  return readResponse(frame.version & 0x7f, frame.opcode, frame.flags, frame.body);
}
