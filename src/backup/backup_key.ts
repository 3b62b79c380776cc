import { createHmac, randomBytes } from 'node:crypto';
import {
  constantTimeEqual,
  hkdf,
  randomSecret,
  SivKey,
  sivOpenMany,
  sivSealMany,
  zero,
} from '../crypto/index.ts';
import { BackupError, CiphertextError } from '../errors/index.ts';

const MAGIC = Buffer.from('CQLB\x01', 'latin1');
const NONCE_BYTES = 16;
const TAG_BYTES = 16;
const HEAD_BYTES = MAGIC.length + 1 + NONCE_BYTES;
const WRAP_VERSION = 1;

/** Kinds of sealed objects. Spec: backup format 3 */
const KINDS = { plan: 1, chunk: 2, manifest: 3 } as const;

/** Which object of a backup it is; part of what is authenticated. */
export interface ObjectIdentity {
  readonly kind: keyof typeof KINDS;
  /** Of a chunk, from 0; 0 for the others. */
  readonly number: number;
  /** True for the chunk after which there is none; false for the others. */
  readonly isLast: boolean;
}

/** The backup DEK in use: seals and opens the objects of one backup. Spec: backup format 2, 3 */
export class BackupKey {
  /** 16 bytes; also the id of the DEK. */
  readonly backupId: Uint8Array;
  readonly #siv: SivKey;
  readonly #mac: Buffer;

  private constructor(backupId: Uint8Array, siv: SivKey, mac: Buffer) {
    this.backupId = backupId;
    this.#siv = siv;
    this.#mac = mac;
  }

  /** @param dek 32 bytes; not kept, the caller zeroes it */
  static derive(dek: Uint8Array, backupId: Uint8Array): BackupKey {
    const bytes = hkdf(dek, backupId, 'backup', 64);
    const siv = SivKey.fromBytes(bytes);
    zero(bytes);
    return new BackupKey(Uint8Array.from(backupId), siv, hkdf(dek, backupId, 'backup/mac', 32));
  }

  /** Seals an object. */
  seal(identity: ObjectIdentity, plaintext: Uint8Array): Buffer {
    const nonce = randomBytes(NONCE_BYTES);
    const components = [this.#identity(identity), nonce];
    const [sealed] = sivSealMany(this.#siv, [{ components, plaintext }]);
    return Buffer.concat([MAGIC, Buffer.of(KINDS[identity.kind]), nonce, sealed as Buffer]);
  }

  /**
   * Opens an object.
   * @throws BackupError BACKUP_INTEGRITY when it is altered, or another object than `identity` says
   */
  open(identity: ObjectIdentity, object: Uint8Array): Buffer {
    if (
      object.length < HEAD_BYTES + TAG_BYTES ||
      Buffer.compare(object.subarray(0, MAGIC.length), MAGIC) !== 0 ||
      object[MAGIC.length] !== KINDS[identity.kind]
    ) {
      throw damaged(identity);
    }
    const nonce = object.subarray(MAGIC.length + 1, HEAD_BYTES);
    const components = [this.#identity(identity), nonce];
    try {
      const [plaintext] = sivOpenMany(
        this.#siv,
        [{ components, sealed: object.subarray(HEAD_BYTES) }],
        'a backup',
      );
      return plaintext as Buffer;
    } catch (error) {
      if (error instanceof CiphertextError) throw damaged(identity, error);
      throw error;
    }
  }

  /** HMAC-SHA-256 of the body of an envelope, 32 bytes. */
  envelopeMac(body: Uint8Array): Buffer {
    return createHmac('sha256', this.#mac)
      .update('cqlock/1/backup-envelope\0')
      .update(this.backupId)
      .update(body)
      .digest();
  }

  /** @throws BackupError BACKUP_INTEGRITY when the MAC is not that of the body */
  checkEnvelope(body: Uint8Array, mac: Uint8Array): void {
    if (!constantTimeEqual(this.envelopeMac(body), mac)) {
      throw new BackupError(
        'BACKUP_INTEGRITY',
        `the key envelope of backup ${hex(this.backupId)} fails authentication: it was altered`,
      );
    }
  }

  /** Ends the key. */
  dispose(): void {
    this.#siv.dispose();
    zero(this.#mac);
  }

  #identity({ kind, number, isLast }: ObjectIdentity): Buffer {
    const tail = Buffer.alloc(5);
    tail.writeUInt32BE(number);
    tail[4] = isLast ? 1 : 0;
    return Buffer.concat([
      Buffer.from('cqlock/1/backup\0', 'latin1'),
      Buffer.of(KINDS[kind]),
      this.backupId,
      tail,
    ]);
  }
}

/** The tag of a sealed object, 16 bytes; it names one content. */
export function tagOf(object: Uint8Array): Buffer {
  return Buffer.from(object.subarray(HEAD_BYTES, HEAD_BYTES + TAG_BYTES));
}

/** A new backup DEK, 32 bytes; the caller zeroes it. */
export function newBackupDek(): Buffer {
  return randomSecret(32);
}

/** What a backup DEK that is wrapped under the catalog's key is bound to; each 16 bytes. */
export interface CatalogWrapContext {
  readonly clusterId: Uint8Array;
  readonly tableId: Uint8Array;
  readonly backupId: Uint8Array;
}

/** Wraps a backup DEK under `mk/backup`: 65 bytes. Spec: backup format 2 */
export function wrapUnderCatalog(
  key: SivKey,
  context: CatalogWrapContext,
  dek: Uint8Array,
): Buffer {
  const [sealed] = sivSealMany(key, [{ components: [wrapData(context)], plaintext: dek }]);
  return Buffer.concat([Buffer.of(WRAP_VERSION), context.backupId, sealed as Buffer]);
}

/**
 * Opens a backup DEK that is wrapped under `mk/backup`; the caller zeroes it.
 * @throws BackupError BACKUP_INTEGRITY
 */
export function unwrapUnderCatalog(
  key: SivKey,
  context: CatalogWrapContext,
  wrapped: Uint8Array,
): Buffer {
  const isForm =
    wrapped.length === 65 &&
    wrapped[0] === WRAP_VERSION &&
    Buffer.compare(wrapped.subarray(1, 17), context.backupId) === 0;
  try {
    if (isForm) {
      const job = { components: [wrapData(context)], sealed: wrapped.subarray(17) };
      return sivOpenMany(key, [job], 'a wrapped key')[0] as Buffer;
    }
  } catch (error) {
    if (!(error instanceof CiphertextError)) throw error;
  }
  throw new BackupError(
    'BACKUP_INTEGRITY',
    `the wrapped key of backup ${hex(context.backupId)} fails authentication: it was altered, or is of another cluster`,
  );
}

function wrapData(context: CatalogWrapContext): Buffer {
  return Buffer.concat([
    Buffer.from('cqlock/1/backup-dek\0', 'latin1'),
    context.clusterId,
    context.tableId,
    context.backupId,
  ]);
}

function damaged({ kind, number }: ObjectIdentity, cause?: unknown): BackupError {
  const what = kind === 'chunk' ? `chunk ${String(number)}` : `the ${kind}`;
  return new BackupError(
    'BACKUP_INTEGRITY',
    `${what} of a backup fails authentication: it was altered, moved or taken from another backup`,
    { cause },
  );
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
