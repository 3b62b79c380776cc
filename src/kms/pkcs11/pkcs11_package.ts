import { createRequire } from 'node:module';
import { ConfigError } from '../../errors/index.ts';

/**
 * Looks whether the optional package pkcs11js is there; it is not loaded.
 * @throws ConfigError CONFIG_KMS saying how to install it.
 */
export function requirePkcs11Package(): void {
  try {
    createRequire(import.meta.url).resolve('pkcs11js');
  } catch (cause) {
    throw new ConfigError(
      'CONFIG_KMS',
      'the KMS provider pkcs11 needs the package pkcs11js, which is not installed: it is compiled when it is installed, so install a C++ compiler, make and python3, then npm install pkcs11js beside cqlock',
      { cause },
    );
  }
}
