import { ConfigError } from '../errors/index.ts';
import type { ProxyFactory } from './proxy_factory.ts';

/** Makes the proxy of the parts: records, keys, catalog, listener. */
export const createProxy: ProxyFactory = () =>
  Promise.reject(new ConfigError('CONFIG_NO_PROXY', 'this build has no proxy yet'));
