// What a fresh clone needs before anything runs: the right Node, packages, a build. Plain Node, no packages: it runs first.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const STAMP = join(ROOT, 'node_modules', '.cqlock-lock-hash');
const BUILT = join(ROOT, 'dist', '.built');

/** Ends with a sentence if this Node is not one of package.json's `engines`. */
export function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const isSupported = (major === 20 && minor >= 19) || (major === 22 && minor >= 13) || major >= 24;
  if (isSupported) return;
  console.error(
    `cqlock needs Node 20.19 or later, 22.13 or later, or 24 and later; this is ${process.version}.`,
  );
  process.exit(2);
}

/** Runs a command in the repository with its output shown; resolves with its exit code. */
export function run(command, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: ROOT,
      stdio: 'inherit',
      shell: process.platform === 'win32',
      ...options,
    });
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(code ?? (signal === null ? 1 : 128)));
  });
}

/** `npm ci` when packages are missing or belong to another lock file. */
export async function installPackages() {
  const lock = readFileSync(join(ROOT, 'package-lock.json'));
  const hash = createHash('sha256').update(lock).digest('hex');
  if (existsSync(STAMP) && readFileSync(STAMP, 'utf8') === hash) return;
  if (installedByHand()) {
    writeFileSync(STAMP, hash);
    return;
  }
  console.log('installing packages (npm ci)');
  // Development packages are needed to build, whatever NODE_ENV says.
  const code = await run('npm', [
    'ci',
    '--include=dev',
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
  ]);
  if (code !== 0) {
    console.error('npm ci failed; see above. Is the npm registry reachable?');
    process.exit(code);
  }
  writeFileSync(STAMP, hash);
}

/** Whether someone ran npm install or npm ci after the lock file last changed. */
function installedByHand() {
  const installed = join(ROOT, 'node_modules', '.package-lock.json');
  if (!existsSync(installed)) return false;
  return statSync(installed).mtimeMs >= statSync(join(ROOT, 'package-lock.json')).mtimeMs;
}

/** Compiles when there is no build or a source is newer than it. */
export async function build() {
  if (existsSync(BUILT) && statSync(BUILT).mtimeMs >= newestSource()) return;
  console.log('building');
  const started = new Date();
  rmSync(join(ROOT, 'dist'), { recursive: true, force: true });
  const code = await run(process.execPath, [
    join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc'),
    '-p',
    'tsconfig.build.json',
  ]);
  if (code !== 0) {
    console.error('the build failed; see above');
    process.exit(code);
  }
  writeFileSync(BUILT, `${started.toISOString()}\n`);
}

function newestSource() {
  let newest = 0;
  const visit = (path) => {
    const stat = statSync(path);
    newest = Math.max(newest, stat.mtimeMs);
    if (stat.isDirectory()) for (const name of readdirSync(path)) visit(join(path, name));
  };
  for (const name of ['src', 'tsconfig.json', 'tsconfig.build.json', 'package-lock.json']) {
    visit(join(ROOT, name));
  }
  return newest;
}
