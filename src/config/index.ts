/**
 * The settings of the proxy: one table of environment variables, validated whole at start, with defaults. A configuration
 * file gives the same settings under the keys of file_keys.ts; the environment wins over it. A message names the setting, the
 * line of the file and what is wrong, and never repeats the value of a secret. Reads no environment itself: `app` passes it in.
 *
 * Imports errors and util. Start at load_config.ts.
 */
export { describeConfig } from './describe_config.ts';
export { CONFIG_FILE_VARIABLE, loadConfig, SETTING_NAMES } from './load_config.ts';
export { FILE_KEYS, SECRETS } from './file_keys.ts';
export { withPlace } from './setting_places.ts';
export { isLoopback } from './tls_settings.ts';
export { formatAddress, parseAddress } from './address.ts';
export type { Address } from './address.ts';
export type { AuthenticationConfig } from './authentication_settings.ts';
export type { CassandraTlsConfig, ClientTlsConfig, TlsVersion } from './tls_types.ts';
export type { KmsConfig, KmsProviderConfig } from './kms_types.ts';
export type {
  BackupTargetSetting,
  Config,
  KmsListenConfig,
  LogLevel,
  NotifyConfig,
  RootKeySetting,
  UpstreamConfig,
} from './types.ts';
