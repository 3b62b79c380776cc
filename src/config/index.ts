/**
 * The settings of the proxy: one table of environment variables, validated whole at start, with defaults. A message names
 * the setting and what is wrong with it and never repeats the value of a secret. Reads no environment itself: `app` passes
 * it in. A configuration file gives the same settings later; the environment wins over it.
 *
 * Imports errors and util. Start at load_config.ts.
 */
export { describeConfig } from './describe_config.ts';
export { loadConfig } from './load_config.ts';
export { formatAddress, parseAddress } from './address.ts';
export type { Address } from './address.ts';
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
