import { resolve } from 'node:path';
import type { Address } from './address.ts';
import { isLoopback } from './tls_settings.ts';
import type { KmsListenConfig } from './types.ts';

/** The settings that the listener is made of. */
interface KmsListenValues {
  readonly CQLOCK_KMS_LISTEN?: Address | undefined;
  readonly CQLOCK_KMS_TLS_CERT_FILE?: string | undefined;
  readonly CQLOCK_KMS_TLS_KEY_FILE?: string | undefined;
}

/** The listener of the embedded KMS; undefined when it is not set. */
export function kmsListenSetting(
  values: KmsListenValues,
  workingDir: string,
): KmsListenConfig | undefined {
  const {
    CQLOCK_KMS_LISTEN: address,
    CQLOCK_KMS_TLS_CERT_FILE: cert,
    CQLOCK_KMS_TLS_KEY_FILE: key,
  } = values;
  if (address === undefined) return undefined;
  const hasTls = cert !== undefined && key !== undefined;
  return {
    address,
    tls: hasTls
      ? { certFile: resolve(workingDir, cert), keyFile: resolve(workingDir, key) }
      : undefined,
  };
}

/** What is wrong between the settings. Data keys travel here in the clear, so only the host itself may go without TLS. */
export function kmsListenContradictions(values: KmsListenValues): string[] {
  const {
    CQLOCK_KMS_LISTEN: address,
    CQLOCK_KMS_TLS_CERT_FILE: cert,
    CQLOCK_KMS_TLS_KEY_FILE: key,
  } = values;
  if ((cert === undefined) !== (key === undefined)) {
    return ['CQLOCK_KMS_TLS_CERT_FILE, CQLOCK_KMS_TLS_KEY_FILE: both or none must be set'];
  }
  if (address === undefined || cert !== undefined || isLoopback(address.host)) return [];
  return [
    'CQLOCK_KMS_LISTEN: another address than a loopback one needs CQLOCK_KMS_TLS_CERT_FILE and CQLOCK_KMS_TLS_KEY_FILE',
  ];
}
