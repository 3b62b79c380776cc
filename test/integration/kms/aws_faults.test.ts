import { CreateKeyCommand } from '@aws-sdk/client-kms';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AwsKms } from '../../../src/kms/aws/index.ts';
import { remoteCallLimits } from '../../../src/kms/remote_calls.ts';
import { httpAnswer, startFaultProxy } from '../../support/fault_proxy.ts';
import type { Fault, FaultProxy } from '../../support/fault_proxy.ts';
import { awsAdministrator, startMoto, TEST_REGION } from '../../support/kms_servers/aws_servers.ts';

process.env['AWS_ACCESS_KEY_ID'] = 'test';
process.env['AWS_SECRET_ACCESS_KEY'] = 'test';

const BUDGET_MS = 2_000;
/** What a busy machine may take on top. */
const SLACK_MS = 5_000;
const CONTEXT = { 'cqlock:table-id': '0a' };
const AWS_JSON = 'application/x-amz-json-1.1';

const FAULTS: readonly (readonly [string, Fault])[] = [
  ['nothing listens', 'refuse'],
  ['it says nothing', 'hang'],
  ['it resets the connection', 'reset'],
  ['it talks garbage', 'garbage'],
  ['its answer ends early', 'truncate'],
  ['its answer never ends', 'trickle'],
  ['500', httpAnswer('500 Internal Server Error', AWS_JSON, '{"__type":"KMSInternalException"}')],
  ['503 in words', httpAnswer('503 Service Unavailable', 'text/html', '<h1>down</h1>')],
  ['throttling', httpAnswer('400 Bad Request', AWS_JSON, '{"__type":"ThrottlingException"}')],
  ['key unavailable', httpAnswer('500 x', AWS_JSON, '{"__type":"KeyUnavailableException"}')],
  ['403 of something else', httpAnswer('403 Forbidden', 'text/html', '<h1>proxy login</h1>')],
  ['404 of something else', httpAnswer('404 Not Found', 'text/plain', 'no')],
  ['200 of something else', httpAnswer('200 OK', 'text/html', '<h1>welcome</h1>')],
  ['200 with nothing', httpAnswer('200 OK', AWS_JSON, '{}')],
  ['200 with a short key', httpAnswer('200 OK', AWS_JSON, '{"Plaintext":"AAAA","KeyId":"x"}')],
];

const server = await startMoto();

describe.skipIf(server.missing !== undefined)(
  `AWS KMS behind a network that fails ${server.missing ?? ''}`,
  () => {
    const motoPort = server.missing === undefined ? server.port : 0;
    let faults: FaultProxy;
    let keyArn = '';
    let blob: Uint8Array;

    const provider = (): AwsKms =>
      new AwsKms({
        region: TEST_REGION,
        endpoint: `http://127.0.0.1:${faults.port}`,
        granteePrincipal: undefined,
        takesBareNames: false,
        limits: remoteCallLimits(BUDGET_MS),
      });

    beforeAll(async () => {
      faults = await startFaultProxy(motoPort);
      const { KeyMetadata: key } = await awsAdministrator(motoPort).send(new CreateKeyCommand({}));
      keyArn = key?.Arn ?? '';
      ({ blob } = await provider().generateDataKey(keyArn, CONTEXT));
    });

    afterAll(async () => {
      await faults.stop();
      if (server.missing === undefined) await server.stop();
    });

    it.each(FAULTS)('%s: unavailable in time, and well again after it', async (_, fault) => {
      const kms = provider();
      await faults.set(fault);
      const unavailable = { name: 'KeyUnavailableError', code: 'KEY_UNAVAILABLE' };
      for (const call of [
        () => kms.decrypt(keyArn, blob, CONTEXT),
        () => kms.describeKey(keyArn),
        () => kms.generateDataKey(keyArn, CONTEXT),
      ]) {
        const startedMs = performance.now();
        await expect(call()).rejects.toMatchObject(unavailable);
        expect(performance.now() - startedMs).toBeLessThan(BUDGET_MS + SLACK_MS);
      }
      await faults.set('none');
      expect((await provider().decrypt(keyArn, blob, CONTEXT)).length).toBe(32);
    });

    it('a fault that passes is not seen: the call is tried again', async () => {
      const kms = provider();
      await faults.set('reset');
      const answer = kms.decrypt(keyArn, blob, CONTEXT);
      await faults.set('none');
      expect((await answer).length).toBe(32);
    });

    it('a KMS that is down is left alone after some tries, and asked again later', async () => {
      const kms = new AwsKms({
        region: TEST_REGION,
        endpoint: `http://127.0.0.1:${faults.port}`,
        granteePrincipal: undefined,
        takesBareNames: false,
        limits: { ...remoteCallLimits(BUDGET_MS), breakAfter: 3, breakMs: 500 },
      });
      await faults.set('reset');
      const unavailable = { code: 'KEY_UNAVAILABLE' };
      await expect(kms.decrypt(keyArn, blob, CONTEXT)).rejects.toMatchObject(unavailable);
      const before = faults.connections;
      await faults.set('none');
      await expect(kms.decrypt(keyArn, blob, CONTEXT)).rejects.toMatchObject(unavailable);
      expect(faults.connections).toBe(before);
      await new Promise((resolve) => setTimeout(resolve, 600));
      expect((await kms.decrypt(keyArn, blob, CONTEXT)).length).toBe(32);
    });

    it('a refusal is asked for once, never again', async () => {
      await faults.set('none');
      const before = faults.connections;
      const absent = keyArn.replace(/[^/]+$/, '00000000-0000-0000-0000-000000000000');
      await expect(provider().describeKey(absent)).rejects.toMatchObject({ code: 'KEY_NOT_FOUND' });
      expect(faults.connections).toBe(before + 1);
    });

    it.each(['UnrecognizedClientException', 'ExpiredTokenException', 'InvalidSignatureException'])(
      '%s is a matter of the settings, not of the key',
      async (type) => {
        await faults.set(httpAnswer('400 Bad Request', AWS_JSON, `{"__type":"${type}"}`));
        await expect(provider().decrypt(keyArn, blob, CONTEXT)).rejects.toMatchObject({
          name: 'KeyUnavailableError',
          code: 'KEY_KMS_CONFIG',
        });
        await faults.set('none');
      },
    );

    it.each([
      ['DisabledException', 'KEY_DISABLED'],
      ['AccessDeniedException', 'KEY_ACCESS_DENIED'],
      ['IncorrectKeyException', 'METADATA_WRAPPED_KEY'],
    ])('%s becomes %s', async (type, code) => {
      const body = `{"__type":"${type}","message":"x is disabled."}`;
      await faults.set(httpAnswer('400 Bad Request', AWS_JSON, body));
      await expect(provider().decrypt(keyArn, blob, CONTEXT)).rejects.toMatchObject({ code });
      await faults.set('none');
    });
  },
);
