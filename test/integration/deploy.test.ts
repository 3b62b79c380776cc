/** What deploys cqlock, judged by others: the schemas that Kubernetes publishes, and systemd. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { execFile } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pythonEnvironment } from '../support/kms_servers/python_environment.ts';

const DEPLOY = resolve(import.meta.dirname, '../../deploy');
const MANIFESTS = ['cqlock.yaml', 'init.yaml'];
const VERSIONS = ['1.30.0', '1.37.0'];

let scratch: string;
let python: Awaited<ReturnType<typeof pythonEnvironment>>;

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'cqlock-deploy-'));
  python = await pythonEnvironment('kubernetes', ['kubernetes-validate==1.37.0']);
});

afterAll(async () => {
  await rm(scratch, { recursive: true, force: true });
});

function judge(command: string, args: readonly string[]): Promise<{ code: number; text: string }> {
  return new Promise((done) => {
    execFile(command, args, { timeout: 60_000 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 127;
      done({ code, text: stdout + stderr });
    });
  });
}

/** A copy of a file with one mistake in it. */
async function broken(path: string, right: string, wrong: string): Promise<string> {
  const text = await readFile(path, 'utf8');
  expect(text).toContain(right);
  const copy = join(scratch, path.split('/').at(-1) ?? '');
  await writeFile(copy, text.replace(right, wrong));
  return copy;
}

describe('the manifests of Kubernetes', () => {
  it.for(VERSIONS)(
    'follow the schemas of %s, which know no other fields',
    async (version, context) => {
      const environment = python;
      if (environment.missing !== undefined) return context.skip(environment.missing);
      const validate = (...files: string[]): Promise<{ code: number; text: string }> =>
        judge(join(environment.bin, 'kubernetes-validate'), ['--strict', '-k', version, ...files]);
      const right = await validate(...MANIFESTS.map((name) => join(DEPLOY, 'kubernetes', name)));
      expect(right.code, right.text).toBe(0);
      expect(right.text).toContain('deployment/cqlock');
      expect(right.text).toContain('job/cqlock-init');
      const wrong = await broken(
        join(DEPLOY, 'kubernetes/cqlock.yaml'),
        'readOnlyRootFilesystem:',
        'readonlyRootFilesystem:',
      );
      expect((await validate(wrong)).code).not.toBe(0);
    },
  );
});

describe('the unit of systemd', () => {
  it('is one that systemd takes', async (context) => {
    const unit = join(DEPLOY, 'systemd/cqlock.service');
    const right = await judge('systemd-analyze', ['verify', unit]);
    if (right.code === 127) return context.skip('there is no systemd-analyze');
    expect(right).toEqual({ code: 0, text: '' });
    const wrong = await broken(unit, 'ProtectHome=true', 'ProtectHouse=true');
    expect((await judge('systemd-analyze', ['verify', wrong])).text).toContain('ProtectHouse');
  });
});
