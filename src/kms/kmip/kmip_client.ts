import { readFileSync } from 'node:fs';
import { connect, createSecureContext } from 'node:tls';
import type { SecureContext, TLSSocket } from 'node:tls';
import { ConfigError, KeyUnavailableError } from '../../errors/index.ts';
import { Tag } from './tags.ts';
import {
  bytes,
  decodeTtlv,
  enumeration,
  find,
  integer,
  messageLength,
  numberOf,
  structure,
  textOf,
} from './ttlv.ts';
import type { Ttlv } from './ttlv.ts';

const MAX_MESSAGE_BYTES = 1024 * 1024;
const HEAD_BYTES = 8;

/** What came of an operation: its payload, or the reason and words of the server. */
export type KmipAnswer =
  { readonly payload: Ttlv | undefined } | { readonly reason: number; readonly message: string };

/** A server, and the PEM files of mutual TLS with it. */
interface KmipConnection {
  readonly address: { readonly host: string; readonly port: number };
  readonly caFile: string;
  readonly certificateFile: string;
  readonly keyFile: string;
}

/** Requests to one KMIP server, each on a connection of its own: they are few, and nothing can be out of step. */
export class KmipClient {
  readonly #options: KmipConnection;
  #context: SecureContext;

  /** @throws ConfigError CONFIG_KMS when a file cannot be read, or key and certificate do not fit together. */
  constructor(options: KmipConnection) {
    this.#options = options;
    this.#context = contextOf(options);
  }

  /**
   * One operation.
   * @throws KeyUnavailableError KEY_UNAVAILABLE when no KMIP server answers; KEY_KMS_CONFIG when TLS fails for its certificates.
   */
  async run(
    operation: number,
    payload: readonly Buffer[],
    signal?: AbortSignal,
  ): Promise<KmipAnswer> {
    const request = structure(Tag.REQUEST_MESSAGE, [
      structure(Tag.REQUEST_HEADER, [
        structure(Tag.PROTOCOL_VERSION, [
          integer(Tag.PROTOCOL_VERSION_MAJOR, 1),
          integer(Tag.PROTOCOL_VERSION_MINOR, 4),
        ]),
        integer(Tag.BATCH_COUNT, 1),
      ]),
      structure(Tag.BATCH_ITEM, [
        enumeration(Tag.OPERATION, operation),
        structure(Tag.REQUEST_PAYLOAD, payload),
      ]),
    ]);
    const answer = await this.#exchange(request, signal);
    request.fill(0);
    const message = decodeTtlv(answer);
    const item = find(message, Tag.BATCH_ITEM);
    const status = numberOf(find(item, Tag.RESULT_STATUS));
    if (message.tag !== Tag.RESPONSE_MESSAGE || item === undefined || status === undefined) {
      throw new KeyUnavailableError('KEY_UNAVAILABLE', 'what answers is not a KMIP server');
    }
    if (status === 0) return { payload: find(item, Tag.RESPONSE_PAYLOAD) };
    return {
      reason: numberOf(find(item, Tag.RESULT_REASON)) ?? 0,
      message: textOf(find(item, Tag.RESULT_MESSAGE)) ?? '',
    };
  }

  async #exchange(request: Buffer, signal: AbortSignal | undefined): Promise<Buffer> {
    const socket = connect({ ...this.#options.address, secureContext: this.#newestContext() });
    const abort = (): void => {
      socket.destroy(new KeyUnavailableError('KEY_UNAVAILABLE', 'the KMIP server is too slow'));
    };
    signal?.addEventListener('abort', abort);
    try {
      return await readMessage(socket, request);
    } finally {
      signal?.removeEventListener('abort', abort);
      socket.destroy();
    }
  }

  /** While files are being replaced and do not fit together, those before stay in force. */
  #newestContext(): SecureContext {
    try {
      this.#context = contextOf(this.#options);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
    }
    return this.#context;
  }
}

/** Certificate and key as the files have them now. Connections are few, so they are read for each. */
function contextOf(options: KmipConnection): SecureContext {
  const files = {
    ca: fileOf(options.caFile),
    cert: fileOf(options.certificateFile),
    key: fileOf(options.keyFile),
  };
  try {
    return createSecureContext({ ...files, minVersion: 'TLSv1.2' });
  } catch (cause) {
    throw new ConfigError(
      'CONFIG_KMS',
      `${options.keyFile} is not the key of the certificate in ${options.certificateFile}, which KMIP needs, or one of them is not PEM; give both of one pair`,
      { cause },
    );
  }
}

async function readMessage(socket: TLSSocket, request: Buffer): Promise<Buffer> {
  return await new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let received = 0;
    socket.once('secureConnect', () => socket.write(request));
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      received += chunk.length;
      if (received < HEAD_BYTES) return;
      const all = Buffer.concat(chunks);
      const length = messageLength(all);
      if (length > MAX_MESSAGE_BYTES || received > length) {
        reject(new KeyUnavailableError('KEY_UNAVAILABLE', 'what answers is not a KMIP server'));
      } else if (received === length) resolve(all);
    });
    socket.once('error', (error: Error) => {
      reject(connectionError(error));
    });
    socket.once('close', () => {
      reject(new KeyUnavailableError('KEY_UNAVAILABLE', 'the KMIP server closed the connection'));
    });
  });
}

function connectionError(error: Error): KeyUnavailableError {
  if (error instanceof KeyUnavailableError) return error;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  // Certificates that do not fit are no outage.
  if (/CERT|SELF_SIGNED|ISSUER|ALTNAME|TLSV1_ALERT|SSLV3_ALERT|UNABLE_TO_VERIFY/.test(code)) {
    return new KeyUnavailableError(
      'KEY_KMS_CONFIG',
      `the KMIP server and the proxy do not take each other's certificates (${code})`,
      { cause: error },
    );
  }
  return new KeyUnavailableError('KEY_UNAVAILABLE', `the KMIP server does not answer (${code})`, {
    cause: error,
  });
}

function fileOf(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new ConfigError(
      'CONFIG_KMS',
      `cannot read the file ${path} for KMIP: correct the path or its permissions`,
      { cause: error },
    );
  }
}

/** Cryptographic parameters and inputs that Encrypt and Decrypt share. */
export function cipherInputs(options: {
  readonly uniqueIdentifier: Buffer;
  readonly parameters: Buffer;
  readonly input: Uint8Array;
  readonly nonce: Uint8Array;
  readonly additionalData: Uint8Array;
}): Buffer[] {
  return [
    options.uniqueIdentifier,
    options.parameters,
    bytes(Tag.DATA, options.input),
    bytes(Tag.IV_COUNTER_NONCE, options.nonce),
    bytes(Tag.ADDITIONAL_DATA, options.additionalData),
  ];
}
