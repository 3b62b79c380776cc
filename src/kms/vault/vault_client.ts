import { readFileSync } from 'node:fs';
import { Agent, request } from 'undici';
import { ConfigError, KeyUnavailableError } from '../../errors/index.ts';

const MAX_ANSWER_BYTES = 1024 * 1024;

/** An answer of Vault: its status and JSON body; `errors` are Vault's own words. */
export interface VaultAnswer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
  readonly errors: readonly string[];
}

/** HTTP to one Vault. Follows no redirects: the token would go along. */
export class VaultClient {
  readonly #address: string;
  readonly #namespace: string;
  readonly #agent: Agent;

  /** @throws ConfigError CONFIG_KMS when the CA file cannot be read. */
  constructor(options: {
    readonly address: string;
    readonly namespace: string;
    readonly caFile: string | undefined;
    readonly attemptMs: number;
  }) {
    this.#address = options.address.replace(/\/+$/, '');
    this.#namespace = options.namespace;
    this.#agent = new Agent({
      connect: {
        timeout: options.attemptMs,
        ...(options.caFile === undefined ? {} : { ca: readCa(options.caFile) }),
      },
      headersTimeout: options.attemptMs,
      bodyTimeout: options.attemptMs,
      maxResponseSize: MAX_ANSWER_BYTES,
    });
  }

  /**
   * One request.
   * @param path after `/v1/`
   * @throws KeyUnavailableError KEY_UNAVAILABLE when no Vault answers, or a part of it that cannot now.
   */
  async ask(
    method: 'GET' | 'POST',
    path: string,
    options: {
      readonly token?: string;
      readonly body?: Readonly<Record<string, string>>;
      readonly signal?: AbortSignal;
    },
  ): Promise<VaultAnswer> {
    let status: number;
    let text: string;
    try {
      const answer = await request(`${this.#address}/v1/${path}`, {
        method,
        dispatcher: this.#agent,
        headers: {
          'x-vault-request': 'true',
          'content-type': 'application/json',
          ...(options.token === undefined ? {} : { 'x-vault-token': options.token }),
          ...(this.#namespace === '' ? {} : { 'x-vault-namespace': this.#namespace }),
        },
        body: options.body === undefined ? null : JSON.stringify(options.body),
        ...(options.signal === undefined ? {} : { signal: options.signal }),
      });
      status = answer.statusCode;
      text = await answer.body.text();
    } catch (error) {
      throw unavailable(`Vault at ${this.#address} does not answer`, error);
    }
    if (status >= 300 && status < 400) {
      throw new KeyUnavailableError(
        'KEY_KMS_CONFIG',
        `Vault at ${this.#address} redirects; set the address of the active node, or let standby nodes forward`,
      );
    }
    // 429 is a rate limit, 412 a replica that is behind, 5xx sealed, standby or broken.
    if (status >= 500 || status === 429 || status === 412) {
      throw unavailable(`Vault at ${this.#address} cannot answer now (status ${status})`);
    }
    const body = status === 204 ? {} : parsed(text);
    if (body === undefined) {
      throw unavailable(`what answers at ${this.#address} is not Vault (status ${status})`);
    }
    const { errors } = body;
    if (status >= 400 && !Array.isArray(errors)) {
      throw unavailable(`what answers at ${this.#address} is not Vault (status ${status})`);
    }
    const words = Array.isArray(errors) ? errors.filter((word) => typeof word === 'string') : [];
    return { status, body, errors: words };
  }
}

/** A field of an answer that must be an object. */
export function objectField(
  body: Readonly<Record<string, unknown>>,
  name: string,
): Readonly<Record<string, unknown>> {
  const value = body[name];
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

function parsed(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}

function readCa(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new ConfigError(
      'CONFIG_KMS',
      `cannot read the CA file ${path} of Vault: correct the path or its permissions`,
      {
        cause: error,
      },
    );
  }
}

function unavailable(message: string, cause?: unknown): KeyUnavailableError {
  return new KeyUnavailableError('KEY_UNAVAILABLE', message, { cause });
}
