import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../config/index.ts';
import { ConfigError } from '../errors/index.ts';
import {
  createRootKeyFile,
  EmbeddedKms,
  KeyStore,
  loadRootKey,
  openKmsProvider,
} from '../kms/index.ts';
import type { KmsProvider } from '../kms/index.ts';

/**
 * Opens the embedded KMS in the state directory; makes its key store, and the default root key file, where that is allowed.
 *
 * @throws ConfigError naming the setting to look at.
 */
export async function openEmbeddedKms(
  config: Config,
  mayCreate: boolean,
): Promise<{ readonly store: KeyStore; readonly provider: EmbeddedKms }> {
  const path = keyStorePath(config);
  const exists = KeyStore.exists(path);
  if (!exists && !mayCreate) {
    throw new ConfigError(
      'CONFIG_NO_KEY_STORE',
      `there is no key store at ${path}: run cqlock init for a new cluster, restore it from its backup (cqlock keys restore), or set CQLOCK_STATE_DIR to the directory that has it`,
    );
  }
  const { rootKey } = config;
  if (rootKey.kind === 'file' && !existsSync(rootKey.path)) {
    if (exists) {
      throw new ConfigError(
        'CONFIG_ROOT_KEY',
        `the root key ${rootKey.path} that opens the key store ${path} is missing; put it back from its backup (CQLOCK_ROOT_KEY_FILE)`,
      );
    }
    createRootKeyFile(rootKey.path);
  }
  const options = { path, rootKey: loadRootKey(rootKey) };
  const store = exists ? KeyStore.open(options) : await KeyStore.create(options);
  return { store, provider: new EmbeddedKms({ store }) };
}

/** Whether the state directory has a key store. */
export function hasKeyStore(config: Config): boolean {
  return KeyStore.exists(keyStorePath(config));
}

function keyStorePath(config: Config): string {
  return join(config.stateDir, 'keystore.cqlock');
}

/**
 * The KMSs of the settings beside the embedded one. None of them is called yet.
 *
 * @throws ConfigError CONFIG_KMS when a provider cannot be loaded.
 */
export async function openKmsProviders(config: Config): Promise<KmsProvider[]> {
  const { providers, bareNames, callTimeoutMs } = config.kms;
  return await Promise.all(
    providers.map((provider) =>
      openKmsProvider(provider, {
        callTimeoutMs,
        takesBareNames: bareNames === provider.kind,
      }),
    ),
  );
}
