// The worker thread of the PKCS#11 provider from its sources, for tests that run without a build.
import { register } from 'node:module';

register('./ts_loader.mjs', import.meta.url);
await import('../../src/kms/pkcs11/pkcs11_worker.ts');
