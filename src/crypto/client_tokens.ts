import { createHash } from 'node:crypto';
import { CiphertextError, CqlErrorCode, InvalidRequestError } from '../errors/index.ts';
import { randomSecret, u32 } from './bytes.ts';
import { sivOpenMany, sivSealMany } from './siv.ts';
import type { SivKey } from './siv_key.ts';

const PAGING_VERSION = 1;
const NONCE_BYTES = 16;
const PAGING_HEADER = 1 + NONCE_BYTES;
const PAGING_PURPOSE = Buffer.from('cqlock/1/paging', 'ascii');
const PREPARED_PURPOSE = Buffer.from('cqlock/1/prepared', 'ascii');

/**
 * Encrypts a paging state for the client.
 *
 * @param associatedData what the state belongs to (statement, table record), in a fixed order; at most 100 items
 * @returns version, nonce (16 bytes), tag and cipher text
 * Spec: format 9
 */
export function pagingSeal(
  key: SivKey,
  associatedData: readonly Uint8Array[],
  content: Uint8Array,
): Buffer {
  const nonce = randomSecret(NONCE_BYTES);
  const components = [PAGING_PURPOSE, ...associatedData, nonce];
  const [sealed] = sivSealMany(key, [{ components, plaintext: content }]);
  return Buffer.concat([Buffer.of(PAGING_VERSION), nonce, sealed as Buffer]);
}

/**
 * Opens a paging state that a client sent back.
 *
 * @throws {@link InvalidRequestError} with code PROTOCOL_ERROR, as Cassandra does, when it is altered or of another statement
 * Spec: format 9
 */
export function pagingOpen(
  key: SivKey,
  associatedData: readonly Uint8Array[],
  state: Uint8Array,
): Buffer {
  if (state.length < PAGING_HEADER + 16 || state[0] !== PAGING_VERSION) throw invalidPagingState();
  const nonce = state.subarray(1, PAGING_HEADER);
  const components = [PAGING_PURPOSE, ...associatedData, nonce];
  try {
    const jobs = [{ components, sealed: state.subarray(PAGING_HEADER) }];
    return sivOpenMany(key, jobs, 'a paging state')[0] as Buffer;
  } catch (error) {
    if (error instanceof CiphertextError) throw invalidPagingState();
    throw error;
  }
}

function invalidPagingState(): InvalidRequestError {
  return new InvalidRequestError('Invalid value for the paging state', CqlErrorCode.PROTOCOL_ERROR);
}

/**
 * The id of a prepared statement: the same on every proxy, and collision resistant, so that no client can put its text
 * in the place of another's.
 *
 * @returns 16 bytes
 * Spec: format 9
 */
export function preparedStatementId(keyspace: string | undefined, text: string): Buffer {
  const hash = createHash('sha256');
  const add = (part: Uint8Array): void => {
    hash.update(u32(part.length)).update(part);
  };
  add(PREPARED_PURPOSE);
  hash.update(Buffer.of(keyspace === undefined ? 0 : 1));
  if (keyspace !== undefined) add(Buffer.from(keyspace, 'utf8'));
  add(Buffer.from(text, 'utf8'));
  return hash.digest().subarray(0, 16);
}
