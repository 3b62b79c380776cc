import { readFile } from 'node:fs/promises';
import { KeyUnavailableError } from '../../errors/index.ts';
import { SingleFlight } from '../../util/index.ts';
import type { Clock, TimerHandle } from '../../util/index.ts';
import { objectField } from './vault_client.ts';
import type { VaultAnswer, VaultClient } from './vault_client.ts';

/** How the proxy proves to Vault who it is. Files are read again at each log-in. */
export type VaultAuth =
  | { readonly kind: 'token'; readonly token: string }
  | { readonly kind: 'token-file'; readonly path: string }
  | {
      readonly kind: 'approle';
      readonly mount: string;
      readonly roleId: string;
      readonly secretId: string;
    }
  | {
      readonly kind: 'kubernetes';
      readonly mount: string;
      readonly role: string;
      readonly tokenFile: string;
    };

const RENEW_AFTER = 2 / 3;
const RENEW_RETRY_MS = 15_000;
/** Longest delay that timers take. */
const MAX_DELAY_MS = 2_000_000_000;

/** The token of the proxy: got when it is first needed, renewed after two thirds of its life, got anew when it is gone. */
export class VaultToken {
  readonly #client: VaultClient;
  readonly #auth: VaultAuth;
  readonly #clock: Clock;
  readonly #logins = new SingleFlight<string, string>();
  #token: string | undefined;
  #timer: TimerHandle | undefined;

  constructor(client: VaultClient, auth: VaultAuth, clock: Clock) {
    this.#client = client;
    this.#auth = auth;
    this.#clock = clock;
  }

  /** The token; logs in where there is none. @throws KeyUnavailableError KEY_KMS_CONFIG when Vault does not take the proxy. */
  async get(signal: AbortSignal): Promise<string> {
    return this.#token ?? (await this.#logins.run('', () => this.#login(signal)));
  }

  /** Whether Vault still knows `token`; a token it does not know is forgotten. */
  async isKnown(token: string, signal: AbortSignal): Promise<boolean> {
    const { status } = await this.#client.ask('GET', 'auth/token/lookup-self', { token, signal });
    if (status === 200) return true;
    if (this.#token === token) this.#forget();
    return false;
  }

  #forget(): void {
    this.#timer?.cancel();
    this.#token = undefined;
  }

  async #login(signal: AbortSignal): Promise<string> {
    const auth = this.#auth;
    switch (auth.kind) {
      case 'token':
        return await this.#adopt(auth.token, signal);
      case 'token-file':
        return await this.#adopt(await textOf(auth.path), signal);
      case 'approle':
        return await this.#loginAt(auth.mount, signal, {
          role_id: auth.roleId,
          secret_id: auth.secretId,
        });
      case 'kubernetes':
        return await this.#loginAt(auth.mount, signal, {
          role: auth.role,
          jwt: await textOf(auth.tokenFile),
        });
    }
  }

  /** A token that was given: how long it lives, Vault tells where the token may ask. */
  async #adopt(token: string, signal: AbortSignal): Promise<string> {
    const answer = await this.#client.ask('GET', 'auth/token/lookup-self', { token, signal });
    const data = objectField(answer.body, 'data');
    if (answer.status === 200) this.#keep(token, data['ttl'], data['renewable']);
    else this.#token = token;
    return token;
  }

  async #loginAt(
    mount: string,
    signal: AbortSignal,
    body: Readonly<Record<string, string>>,
  ): Promise<string> {
    const answer = await this.#client.ask('POST', `auth/${mount}/login`, { body, signal });
    const auth = objectField(answer.body, 'auth');
    const token = auth['client_token'];
    if (answer.status !== 200 || typeof token !== 'string') throw notTaken(answer);
    this.#keep(token, auth['lease_duration'], auth['renewable']);
    return token;
  }

  #keep(token: string, seconds: unknown, isRenewable: unknown): void {
    this.#forget();
    this.#token = token;
    // A life of 0 never ends.
    if (typeof seconds !== 'number' || seconds <= 0) return;
    const delayMs = Math.min(seconds * 1000 * RENEW_AFTER, MAX_DELAY_MS);
    this.#timer = this.#clock.after(delayMs, () => {
      if (isRenewable === true) void this.#renew(token);
      else this.#renewByLogin(token);
    });
  }

  async #renew(token: string): Promise<void> {
    let answer: VaultAnswer;
    try {
      answer = await this.#client.ask('POST', 'auth/token/renew-self', { token, body: {} });
    } catch {
      if (this.#token !== token) return;
      this.#timer = this.#clock.after(RENEW_RETRY_MS, () => void this.#renew(token));
      return;
    }
    if (this.#token !== token) return;
    const auth = objectField(answer.body, 'auth');
    if (answer.status === 200) this.#keep(token, auth['lease_duration'], auth['renewable']);
    else this.#renewByLogin(token);
  }

  /** The next call logs in; a given token is used until Vault refuses it. */
  #renewByLogin(token: string): void {
    if (this.#token === token && this.#auth.kind !== 'token') this.#forget();
  }
}

async function textOf(path: string): Promise<string> {
  try {
    return (await readFile(path, 'utf8')).trim();
  } catch (error) {
    throw new KeyUnavailableError('KEY_KMS_CONFIG', `cannot read the file ${path} for Vault`, {
      cause: error,
    });
  }
}

function notTaken(answer: VaultAnswer): KeyUnavailableError {
  return new KeyUnavailableError(
    'KEY_KMS_CONFIG',
    `Vault does not take the log-in of the proxy (status ${answer.status}); look at its role and mount`,
  );
}
