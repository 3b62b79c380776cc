import { randomBytes } from 'node:crypto';
import type { KmsKeyEntry } from '../key_entry.ts';
import { KmsFault } from './kms_fault.ts';

/** A day, milliseconds. */
export const DAY_MS = 86_400_000;
/** Days between automatic rotations where none are given. */
export const DEFAULT_ROTATION_DAYS = 365;
const MAX_ON_DEMAND = 25;

/** Lets a disabled key be used again. */
export function enabled(key: KmsKeyEntry): KmsKeyEntry {
  notPending(key);
  return key.state === 'enabled' ? key : { ...key, state: 'enabled' };
}

/** Stops all use of a key. */
export function disabled(key: KmsKeyEntry): KmsKeyEntry {
  notPending(key);
  return key.state === 'disabled' ? key : { ...key, state: 'disabled' };
}

/** Starts the waiting period, 7 to 30 days. */
export function pendingDeletion(key: KmsKeyEntry, days: number, nowMs: number): KmsKeyEntry {
  notPending(key);
  return { ...key, state: 'pending_deletion', deletionAtMs: nowMs + days * DAY_MS };
}

/** Ends the waiting period; the key is then disabled, as in AWS KMS. */
export function deletionCancelled(key: KmsKeyEntry): KmsKeyEntry {
  if (key.state !== 'pending_deletion') {
    throw new KmsFault('KMSInvalidStateException', `${key.arn} is not pending deletion.`);
  }
  return { ...key, state: 'disabled', deletionAtMs: null };
}

/** Turns automatic rotation on, or sets another period; the first one is a period from now. */
export function rotationOn(key: KmsKeyEntry, periodDays: number, nowMs: number): KmsKeyEntry {
  usable(key);
  if (key.rotation?.periodDays === periodDays) return key;
  return { ...key, rotation: { periodDays, nextAtMs: nowMs + periodDays * DAY_MS } };
}

/** Turns automatic rotation off; what was rotated stays so. */
export function rotationOff(key: KmsKeyEntry): KmsKeyEntry {
  usable(key);
  return key.rotation === null ? key : { ...key, rotation: null };
}

/** New key material at once; the schedule of automatic rotation stays as it is. */
export function rotatedOnDemand(key: KmsKeyEntry, nowMs: number): KmsKeyEntry {
  usable(key);
  if (key.rotations.filter((rotation) => rotation.kind === 'on_demand').length >= MAX_ON_DEMAND) {
    throw new KmsFault(
      'LimitExceededException',
      `the key material of ${key.arn} was rotated on demand ${MAX_ON_DEMAND} times, which is the limit`,
    );
  }
  return rotated(key, 'on_demand', nowMs);
}

/** Whether automatic rotation is due. Disabled keys wait until they are enabled again. */
export function isRotationDue(key: KmsKeyEntry, nowMs: number): boolean {
  return key.state === 'enabled' && key.rotation !== null && key.rotation.nextAtMs <= nowMs;
}

/** New key material where automatic rotation is due, and the next date; once, however long nobody looked. */
export function rotatedWhenDue(key: KmsKeyEntry, nowMs: number): KmsKeyEntry {
  if (!isRotationDue(key, nowMs) || key.rotation === null) return key;
  const { periodDays } = key.rotation;
  const nextAtMs = nowMs + periodDays * DAY_MS;
  return { ...rotated(key, 'automatic', nowMs), rotation: { periodDays, nextAtMs } };
}

/** @throws KmsFault unless the key may be used. */
export function usable(key: KmsKeyEntry): void {
  if (key.state === 'disabled') throw new KmsFault('DisabledException', `${key.arn} is disabled.`);
  notPending(key);
}

/** @throws KmsFault when the key is to be deleted. */
export function notPending(key: KmsKeyEntry): void {
  if (key.state === 'pending_deletion') {
    throw new KmsFault('KMSInvalidStateException', `${key.arn} is pending deletion.`);
  }
}

function rotated(key: KmsKeyEntry, kind: 'automatic' | 'on_demand', nowMs: number): KmsKeyEntry {
  const material = randomBytes(32);
  const version = key.materialVersion + 1;
  const next = {
    ...key,
    material: material.toString('base64'),
    materialVersion: version,
    earlier: [...key.earlier, { version: key.materialVersion, material: key.material }],
    rotations: [...key.rotations, { version, atMs: nowMs, kind }],
  };
  material.fill(0);
  return next;
}
