import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXAMPLES } from '../../src/app/commands/examples.ts';
import { builtProduct } from '../support/built_product.ts';

let directory: string;
let main: string;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'cqlock-cli-'));
  main = await builtProduct();
}, 60_000);
afterAll(() => {
  rmSync(directory, { recursive: true, force: true });
});

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function cqlock(
  args: readonly string[],
  options: { input?: string; env?: Record<string, string> } = {},
): Promise<Ended> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [main, ...args],
      { cwd: directory, env: { PATH: process.env['PATH'] ?? '', HOME: directory, ...options.env } },
      (error, stdout, stderr) => {
        resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr });
      },
    );
    child.stdin?.end(options.input ?? '');
  });
}

describe('the command line', () => {
  it('ends with 2 for what is called wrongly and for wrong settings, with 1 for what fails', async () => {
    expect((await cqlock(['nonsense'])).code).toBe(2);
    expect((await cqlock(['start', '--nonsense'])).code).toBe(2);
    expect((await cqlock(['role', 'add'])).code).toBe(2);
    const wrong = await cqlock(['start', '--config', 'nowhere.yaml']);
    expect(wrong.code).toBe(2);
    expect(wrong.stderr).toMatch(/nowhere\.yaml cannot be read .*\[CONFIG_FILE\]/);
    const status = await cqlock(['status'], { env: { CQLOCK_HTTP_LISTEN: '127.0.0.1:1' } });
    expect(status.code).toBe(1);
    expect(status.stderr).toContain('no proxy answers at http://127.0.0.1:1');
    expect((await cqlock(['--version'])).code).toBe(0);
  }, 60_000);

  it('shows examples and exit codes in its help', async () => {
    const help = await cqlock(['--help']);
    expect(help.code).toBe(0);
    expect(help.stdout).toContain('Exit codes: 0 done');
    expect((await cqlock(['role', 'add', '--help'])).stdout).toContain(
      'cqlock role add app --password',
    );
  }, 60_000);

  it('names line and setting of a file that is wrong', async () => {
    writeFileSync(join(directory, 'wrong.yaml'), 'log_level: info\nlistn: 127.0.0.1:1\n');
    const { code, stderr } = await cqlock(['check', '-c', 'wrong.yaml']);
    expect(code).toBe(2);
    expect(stderr).toMatch(/wrong\.yaml:2: listn: there is no such setting/);
  }, 60_000);

  it('checks without Cassandra, and says what an operator should know', async () => {
    writeFileSync(
      join(directory, 'ok.yaml'),
      'tls:\n  mode: required\n  certificate_file: no.crt\n  key_file: no.key\n',
    );
    const { code, stdout, stderr } = await cqlock([
      'check',
      '-c',
      'ok.yaml',
      '--offline',
      '--json',
    ]);
    expect(code).toBe(2);
    expect(stderr).toContain('CONFIG_CHECK');
    const report = JSON.parse(stdout) as {
      ok: boolean;
      findings: { level: string; message: string }[];
    };
    expect(report.ok).toBe(false);
    const text = report.findings.map(({ level, message }) => `${level} ${message}`).join('\n');
    expect(text).toMatch(
      /error ok\.yaml:3: tls\.certificate_file: TLS of the listener for clients: .*no\.crt cannot be read/,
    );
    expect(text).toMatch(/warning delegated: Cassandra alone authenticates/);
  }, 60_000);

  it('keeps a list of roles, and shows no password', async () => {
    const env = { CQLOCK_AUTHENTICATION: 'password', CQLOCK_ROLES_FILE: 'roles.yaml' };
    const added = await cqlock(['role', 'add', 'app', '--password'], {
      input: 'a good password\n',
      env,
    });
    expect(added).toMatchObject({ code: 0 });
    const again = await cqlock(['role', 'add', 'job', '--certificate', 'CN=job', 'DNS:job'], {
      env,
    });
    expect(again.code).toBe(0);
    expect((await cqlock(['role', 'add', 'x', '--certificate', 'job'], { env })).code).toBe(2);
    expect(
      (await cqlock(['role', 'add', 'x', '--password'], { input: 'short', env })).stderr,
    ).toContain('at least 8');
    expect((await cqlock(['role', 'add', 'x'], { env })).stderr).toContain('needs --password');
    const { stdout } = await cqlock(['role', 'list', '--json'], { env });
    expect(JSON.parse(stdout)).toEqual([
      {
        name: 'app',
        password: true,
        certificates: [],
        cassandraRole: 'app',
        cassandraPassword: false,
      },
      {
        name: 'job',
        password: false,
        certificates: ['CN=job', 'DNS:job'],
        cassandraRole: 'job',
        cassandraPassword: false,
      },
    ]);
    expect((await cqlock(['role', 'remove', 'job'], { env })).code).toBe(2);
    expect((await cqlock(['role', 'remove', 'job', '--yes'], { env })).code).toBe(0);
    const file = readFileSync(join(directory, 'roles.yaml'), 'utf8');
    expect(file).not.toContain('good password');
    expect(file).not.toContain('job');
  }, 60_000);

  it('completes commands and options in bash', async () => {
    const { stdout } = await cqlock(['completion', 'bash']);
    const script = join(directory, 'completion.bash');
    writeFileSync(script, stdout);
    const complete = (words: readonly string[]): Promise<string[]> =>
      new Promise((resolve, reject) => {
        const line = `source ${script}; COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${String(words.length - 1)}; _cqlock; echo "\${COMPREPLY[@]}"`;
        execFile('bash', ['-c', line], (error, out) => {
          if (error === null) resolve(out.trim().split(/\s+/));
          else reject(new Error(error.message));
        });
      });
    expect(await complete(['cqlock', 'sta'])).toEqual(['start', 'status']);
    expect(await complete(['cqlock', 'role', ''])).toEqual(
      expect.arrayContaining(['add', 'list', 'remove', 'create']),
    );
    expect(await complete(['cqlock', 'role', 'add', 'app', '--cassandra-r'])).toEqual([
      '--cassandra-role',
    ]);
    for (const shell of ['zsh', 'fish']) {
      expect((await cqlock(['completion', shell])).stdout).toContain('status');
    }
  }, 60_000);

  it('has examples of every command, and a place for each in docs/cli.md', async () => {
    const { stdout } = await cqlock(['completion', 'bash']);
    const words = [...stdout.matchAll(/^ {4}'([a-z][a-z -]*)'\) words=/gm)].map(
      ([, found]) => found,
    );
    const leaves = words.filter(
      (one) => !words.some((other) => other?.startsWith(`${one ?? ''} `)),
    );
    expect(leaves.length).toBeGreaterThan(30);
    expect(leaves.filter((one) => EXAMPLES[one ?? ''] === undefined)).toEqual([]);
    const document = readFileSync(new URL('../../docs/cli.md', import.meta.url), 'utf8');
    for (const leaf of leaves) {
      const [first = '', ...rest] = (leaf ?? '').split(' ');
      const row = document.split('\n').find((line) => {
        const [, cell = ''] = line.split('|');
        return cell.includes(`\`${first}`) && rest.slice(0, 1).every((word) => cell.includes(word));
      });
      expect(row, leaf).toBeDefined();
    }
  }, 60_000);

  it('has examples only of commands and options that are there', async () => {
    const { stdout } = await cqlock(['completion', 'bash']);
    for (const [words, lines] of Object.entries(EXAMPLES)) {
      const [, options] = new RegExp(`^ {4}'${words}'\\) words='(.*)' ;;$`, 'm').exec(stdout) ?? [];
      expect(options, words).toBeDefined();
      for (const line of lines) {
        const used = line.split(/[|>#]/, 1)[0]?.match(/ --[a-z-]+/g) ?? [];
        for (const option of used)
          expect(`${options ?? ''} --config`, line).toContain(option.trim());
      }
    }
  }, 60_000);
});
