/** States of a KMS key. A deleted key is gone: it has no entry. */
export type KmsKeyState = 'enabled' | 'disabled' | 'pending_deletion';

/** Key material that encrypts nothing any more and decrypts for ever. */
export interface EarlierMaterial {
  readonly version: number;
  /** 32 bytes, base64. */
  readonly material: string;
}

/** One change of key material. */
export interface RotationEntry {
  /** Version of the material that came in. */
  readonly version: number;
  readonly atMs: number;
  readonly kind: 'automatic' | 'on_demand';
}

/** One file of grants (see GrantFiles): only with this entry can it be opened, and no other file fits it. */
export interface GrantBucket {
  readonly file: string;
  /** 32 bytes, base64; made for this one file. */
  readonly key: string;
  readonly count: number;
}

/** One KMS key of the embedded KMS. */
export interface KmsKeyEntry {
  readonly arn: string;
  /** 16 random bytes, hex; first bytes of every blob made with the key. */
  readonly id: string;
  readonly state: KmsKeyState;
  readonly serviceOwned: boolean;
  readonly purpose: string;
  /** What a service-owned key is for; empty for customer managed keys. */
  readonly owner: string;
  readonly description: string;
  readonly createdAtMs: number;
  readonly deletionAtMs: number | null;
  /** 32 bytes, base64: what encrypts now. */
  readonly material: string;
  /** Starts with 1 and grows with every rotation. */
  readonly materialVersion: number;
  readonly earlier: readonly EarlierMaterial[];
  /** All rotations, the first one first. */
  readonly rotations: readonly RotationEntry[];
  /** Automatic rotation; null: off. */
  readonly rotation: { readonly periodDays: number; readonly nextAtMs: number } | null;
  /** The key policy as it was put; null: the default one. */
  readonly policy: string | null;
  readonly tags: Readonly<Record<string, string>>;
  /** By the first byte of the grants' ids, hex. */
  readonly grants: Readonly<Record<string, GrantBucket>>;
}

/** What an entry of key store format 1 lacks. */
export const NEW_KEY_DEFAULTS = {
  materialVersion: 1,
  earlier: [],
  rotations: [],
  rotation: null,
  policy: null,
  tags: {},
  grants: {},
} as const satisfies Partial<KmsKeyEntry>;

/** One alias. */
export interface AliasEntry {
  readonly targetArn: string;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
}

/** One access key of the listener. */
export interface AccessEntry {
  /** Name of the user that signs with it; part of the principal's ARN. */
  readonly user: string;
  readonly secret: string;
  /** What the user may do where a key policy leaves it to the account, e.g. `kms:*`, `kms:Decrypt`. */
  readonly actions: readonly string[];
  readonly createdAtMs: number;
}
