/** A KMS of customer managed keys in memory, with grants, whose keys and answers a test decides. */
import { randomBytes } from 'node:crypto';
import {
  KeyAccessError,
  KeyUnavailableError,
  MetadataIntegrityError,
} from '../../src/errors/index.ts';
import type {
  DataKey,
  EncryptionContext,
  GrantRequest,
  KmsKeyDescription,
  KmsProvider,
} from '../../src/kms/index.ts';

const ALIAS = 'fake:alias/';

/** The KMS. Its ARNs begin with `fake:`, its blobs are looked up and hold nothing. */
export class FakeCustomerKms implements KmsProvider {
  readonly name = 'fake';
  readonly states = new Map<string, 'enabled' | 'disabled' | 'pending_deletion'>();
  readonly aliases = new Map<string, string>();
  /** Grant names by id. */
  readonly grants = new Map<string, { readonly keyArn: string; readonly name: string }>();
  isReachable = true;
  mayGrant = true;
  /** Called before each operation answers. */
  onCall: (operation: string) => void | Promise<void> = () => undefined;
  readonly #blobs = new Map<string, { keyArn: string; context: string; plaintext: Buffer }>();

  /** Makes an enabled key. */
  key(name: string): string {
    const arn = `fake:${name}`;
    this.states.set(arn, 'enabled');
    return arn;
  }

  /** `<key> <use>` of every grant. */
  granted(): string[] {
    return [...this.grants.values()]
      .map(({ keyArn, name }) => `${keyArn} ${name.split('-').at(-1) ?? ''}`)
      .sort();
  }

  recognises(identifier: string): boolean {
    return identifier.startsWith('fake:');
  }

  async resolveKey(identifier: string): Promise<string> {
    const arn = identifier.startsWith(ALIAS) ? this.aliases.get(identifier) : identifier;
    await this.#ask('resolveKey', arn, false);
    return arn ?? '';
  }

  async generateDataKey(keyArn: string, context: EncryptionContext): Promise<DataKey> {
    const plaintext = randomBytes(32);
    return { plaintext, blob: await this.encrypt(keyArn, plaintext, context), keyArn };
  }

  async encrypt(keyArn: string, plaintext: Uint8Array, context: EncryptionContext) {
    await this.#ask('encrypt', keyArn);
    const blob = randomBytes(16);
    this.#blobs.set(blob.toString('hex'), {
      keyArn,
      context: JSON.stringify(context),
      plaintext: Buffer.from(plaintext),
    });
    return blob;
  }

  async decrypt(keyArn: string, blob: Uint8Array, context: EncryptionContext) {
    await this.#ask('decrypt', keyArn);
    const held = this.#blobs.get(Buffer.from(blob).toString('hex'));
    if (held?.keyArn !== keyArn || held.context !== JSON.stringify(context)) {
      throw new MetadataIntegrityError('METADATA_WRAPPED_KEY', 'not of this key and context');
    }
    return Buffer.from(held.plaintext);
  }

  async reEncrypt(
    source: { readonly keyArn: string; readonly context: EncryptionContext },
    blob: Uint8Array,
    target: { readonly keyArn: string; readonly context: EncryptionContext },
  ) {
    const plaintext = await this.decrypt(source.keyArn, blob, source.context);
    return this.encrypt(target.keyArn, plaintext, target.context);
  }

  async describeKey(keyArn: string): Promise<KmsKeyDescription> {
    await this.#ask('describeKey', keyArn, false);
    const state = this.states.get(keyArn) ?? 'enabled';
    return { keyArn, state, serviceOwned: false, description: '', deletionAtMs: undefined };
  }

  async createGrant(keyArn: string, request: GrantRequest): Promise<string> {
    await this.#ask('createGrant', keyArn);
    if (!this.mayGrant) throw new KeyAccessError('KEY_ACCESS_DENIED', `no grants on ${keyArn}`);
    const id = `${keyArn}/${request.name}`;
    this.grants.set(id, { keyArn, name: request.name });
    await this.onCall('granted');
    return id;
  }

  async retireGrant(keyArn: string, grantId: string): Promise<void> {
    await this.onCall('retireGrant');
    if (!this.isReachable) throw new KeyUnavailableError('KEY_STORE_LOCK', 'not reachable');
    if (this.grants.get(grantId)?.keyArn === keyArn) this.grants.delete(grantId);
  }

  async #ask(operation: string, keyArn: string | undefined, mustBeEnabled = true): Promise<void> {
    await this.onCall(operation);
    if (!this.isReachable) throw new KeyUnavailableError('KEY_STORE_LOCK', 'not reachable');
    const state = this.states.get(keyArn ?? '');
    if (state === undefined) throw new KeyAccessError('KEY_NOT_FOUND', 'there is no such key');
    if (!mustBeEnabled || state === 'enabled') return;
    throw state === 'disabled'
      ? new KeyAccessError('KEY_DISABLED', `${keyArn ?? ''} is disabled`)
      : new KeyAccessError('KEY_PENDING_DELETION', `${keyArn ?? ''} is pending deletion`);
  }
}
