/**
 * Vault's Transit engine as its documentation describes it: keys, encrypt and decrypt with associated data, tokens, AppRole
 * log-in. It stands in for a Vault where there is none; the tests on a real one are in test/integration/kms.
 */
import { createCipheriv, createDecipheriv, randomBytes, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A key of the engine. */
export interface TransitKey {
  readonly material: Buffer;
  type: string;
  derived: boolean;
  soft_deleted: boolean;
}

/** A running engine; what is public can be changed by the test. */
export interface TransitServer {
  readonly address: string;
  readonly keys: Map<string, TransitKey>;
  /** Tokens that are valid, with the policies' answer. */
  readonly tokens: Map<string, 'allowed' | 'denied'>;
  /** Paths that were asked for, in order. */
  readonly log: string[];
  /** Status and body to give to everything. */
  override: { readonly status: number; readonly body: string } | undefined;
  newKey(name: string): TransitKey;
  stop(): Promise<void>;
}

type Reply = readonly [status: number, body: unknown];

/** Listens on a free port of 127.0.0.1; the mount is `transit`, the AppRole `role` with the secret `secret`. */
export async function startTransitServer(): Promise<TransitServer> {
  const server = createServer((request, response) => {
    void bodyOf(request).then((body) => {
      engine.log.push(`${request.method ?? ''} ${request.url ?? ''}`);
      const [status, answer] =
        engine.override === undefined
          ? reply(engine, request, body)
          : [engine.override.status, engine.override.body];
      const text = typeof answer === 'string' ? answer : JSON.stringify(answer);
      response.writeHead(status, { 'content-type': 'application/json' }).end(text);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const engine: TransitServer = {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    keys: new Map(),
    tokens: new Map(),
    log: [],
    override: undefined,
    newKey: (name) => {
      const key = {
        material: randomBytes(32),
        type: 'aes256-gcm96',
        derived: false,
        soft_deleted: false,
      };
      engine.keys.set(name, key);
      return key;
    },
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return engine;
}

function reply(
  engine: TransitServer,
  request: IncomingMessage,
  body: Readonly<Record<string, string>>,
): Reply {
  const path = (request.url ?? '').replace(/^\/v1\//, '');
  if (path === 'auth/approle/login') {
    if (body['role_id'] !== 'role' || body['secret_id'] !== 'secret') {
      return [400, { errors: ['invalid role or secret ID'] }];
    }
    const token = `token-${randomUUID()}`;
    engine.tokens.set(token, 'allowed');
    return [200, { auth: { client_token: token, lease_duration: 3600, renewable: true } }];
  }
  const token = String(request.headers['x-vault-token'] ?? '');
  const rights = engine.tokens.get(token);
  if (rights === undefined) return [403, { errors: ['permission denied', 'invalid token'] }];
  if (path === 'auth/token/lookup-self') return [200, { data: { ttl: 3600, renewable: true } }];
  if (path === 'auth/token/renew-self') {
    return [200, { auth: { client_token: token, lease_duration: 3600, renewable: true } }];
  }
  if (rights === 'denied') return [403, { errors: ['permission denied'] }];
  const [, verb, name = ''] = /^transit\/(keys|encrypt|decrypt)\/([^/]+)$/.exec(path) ?? [];
  if (verb === undefined) return [404, { errors: ['no handler for route'] }];
  let key = engine.keys.get(name);
  if (verb === 'keys') {
    if (key === undefined) return [404, { errors: [] }];
    const { type, derived, soft_deleted } = key;
    return [200, { data: { name, type, derived, soft_deleted, latest_version: 1 } }];
  }
  if (key?.soft_deleted === true) return [400, { errors: ['key is soft-deleted'] }];
  const associatedData = Buffer.from(body['associated_data'] ?? '', 'base64');
  if (verb === 'encrypt') {
    // As the real one does where the policy allows to create.
    key ??= engine.newKey(name);
    const nonce = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', key.material, nonce).setAAD(associatedData);
    const sealed = Buffer.concat([
      cipher.update(Buffer.from(body['plaintext'] ?? '', 'base64')),
      cipher.final(),
    ]);
    const ciphertext = Buffer.concat([nonce, sealed, cipher.getAuthTag()]).toString('base64');
    return [200, { data: { ciphertext: `vault:v1:${ciphertext}`, key_version: 1 } }];
  }
  if (key === undefined) return [400, { errors: ['encryption key not found'] }];
  return decrypt(key, body['ciphertext'] ?? '', associatedData);
}

function decrypt(key: TransitKey, ciphertext: string, associatedData: Buffer): Reply {
  const [, version, text = ''] = /^vault:v(\d+):(.*)$/.exec(ciphertext) ?? [];
  if (version === undefined) return [400, { errors: ['invalid ciphertext: no prefix'] }];
  if (Number(version) > 1) {
    return [400, { errors: ['invalid ciphertext: version is too new'] }];
  }
  const sealed = Buffer.from(text, 'base64');
  if (sealed.length < 28) return [400, { errors: ['invalid ciphertext: could not decode'] }];
  const decipher = createDecipheriv('aes-256-gcm', key.material, sealed.subarray(0, 12))
    .setAAD(associatedData)
    .setAuthTag(sealed.subarray(-16));
  try {
    const opened = Buffer.concat([decipher.update(sealed.subarray(12, -16)), decipher.final()]);
    return [200, { data: { plaintext: opened.toString('base64') } }];
  } catch {
    return [400, { errors: ['cipher: message authentication failed'] }];
  }
}

async function bodyOf(request: IncomingMessage): Promise<Record<string, string>> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString('utf8');
  return text === '' ? {} : (JSON.parse(text) as Record<string, string>);
}
