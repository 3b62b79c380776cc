// The unit and property tests on the current LTS of Node, whatever Node runs this. Its binary comes from npm.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './setup.mjs';

const VERSION = '24.21.0';
const CANNOT_RUN = 77;

const name = `node-${process.platform}-${process.arch}`;
const folder = join(ROOT, '.cache', `node-${VERSION}`);
const node = join(folder, 'node_modules', name, 'bin', 'node');

if (process.platform !== 'linux' && process.platform !== 'darwin') {
  console.log(`no Node ${VERSION} for ${process.platform} on npm: not run`);
  process.exit(CANNOT_RUN);
}
if (!existsSync(node)) {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{"private":true}\n');
  const install = ['install', '--no-audit', '--no-fund', '--loglevel=error', `${name}@${VERSION}`];
  const { status } = spawnSync('npm', install, { cwd: folder, stdio: 'inherit' });
  if (status !== 0) process.exit(1);
}
console.log(`Node ${VERSION}`);
const vitest = join(ROOT, 'node_modules', 'vitest', 'vitest.mjs');
const { status } = spawnSync(node, [vitest, 'run', ...process.argv.slice(2)], {
  cwd: ROOT,
  stdio: 'inherit',
});
process.exit(status ?? 1);
