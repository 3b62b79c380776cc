// `npm start`: sets a fresh clone up, then runs `cqlock start` (or the command given) until it is asked to stop.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { build, checkNode, installPackages, ROOT } from './setup.mjs';

checkNode();
await installPackages();
await build();

// Pages make much short-lived garbage: a larger young generation costs memory and saves a fifth of the CPU time.
const NODE_OPTIONS = ['--max-semi-space-size=64', '--min-semi-space-size=16'];

// `npm start -- init` runs another command of cqlock.
const given = process.argv.slice(2);

// The channel tells the child when this process is gone, even by SIGKILL.
const child = spawn(
  process.execPath,
  [...NODE_OPTIONS, join(ROOT, 'dist/app/main.js'), ...(given.length === 0 ? ['start'] : given)],
  {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
  },
);
child.once('exit', (code) => process.exit(code ?? 1));
child.once('error', (error) => {
  console.error(`cqlock could not be started: ${error.message}`);
  process.exit(1);
});

// On Ctrl-C the terminal signals npm, this process and the child; this one waits for the child to end. A signal sent to
// this process alone has to be passed on; the child takes a second one within a second as an echo.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));

// npm killed: nobody is left to pass a signal on.
if (process.env.npm_lifecycle_event === 'start') {
  const parent = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(watch);
    child.kill('SIGTERM');
  }, 1_000);
}
