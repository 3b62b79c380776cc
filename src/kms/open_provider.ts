import { readFileSync } from 'node:fs';
import { ConfigError } from '../errors/index.ts';
import type { KmsProvider } from './kms_provider.ts';
import type { KmsProviderSettings } from './provider_settings.ts';
import { remoteCallLimits } from './remote_calls.ts';

/**
 * Opens a KMS provider of customer managed keys. Its code and libraries are loaded here, so that a proxy without it starts
 * as fast as before. No call is made: a KMS that is down does not keep the proxy from starting.
 *
 * @throws ConfigError CONFIG_KMS when a library or file of the provider cannot be loaded.
 */
export async function openKmsProvider(
  settings: KmsProviderSettings,
  shared: { readonly callTimeoutMs: number; readonly takesBareNames: boolean },
): Promise<KmsProvider> {
  const limits = remoteCallLimits(shared.callTimeoutMs);
  try {
    switch (settings.kind) {
      case 'aws': {
        const { AwsKms } = await import('./aws/index.ts');
        return new AwsKms({ ...settings, takesBareNames: shared.takesBareNames, limits });
      }
      case 'vault': {
        const { VaultKms } = await import('./vault/index.ts');
        return new VaultKms({ ...settings, limits });
      }
      case 'pkcs11': {
        const { Pkcs11Kms, requirePkcs11Package } = await import('./pkcs11/index.ts');
        requirePkcs11Package();
        return new Pkcs11Kms({ ...settings, pin: pinOf(settings.pin), limits });
      }
      case 'kmip': {
        const { KmipKms } = await import('./kmip/index.ts');
        return new KmipKms({ ...settings, limits });
      }
    }
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw new ConfigError('CONFIG_KMS', `the KMS provider ${settings.kind} cannot be loaded`, {
      cause: error,
    });
  }
}

function pinOf(pin: Extract<KmsProviderSettings, { readonly kind: 'pkcs11' }>['pin']): string {
  if (pin.kind === 'pin') return pin.value;
  try {
    return readFileSync(pin.path, 'utf8').trim();
  } catch (error) {
    throw new ConfigError('CONFIG_KMS', `cannot read the PIN file ${pin.path}`, { cause: error });
  }
}
