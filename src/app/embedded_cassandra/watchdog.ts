import { spawn } from 'node:child_process';
import { Socket } from 'node:net';

/**
 * Waits for the end of its standard input, which comes when the process at the other end ends in any way, also by SIGKILL.
 * Then it asks process $1 to end, and after 30 seconds forces it, as long as $1 has $2 on its command line.
 */
const SCRIPT = `
cat >/dev/null
owned() {
  if [ -r "/proc/$1/cmdline" ]; then tr '\\0' ' ' <"/proc/$1/cmdline"; else ps -o command= -p "$1"; fi 2>/dev/null |
    grep -Fq -e "$2"
}
owned "$1" "$2" && kill -TERM "$1"
n=0
while [ $n -lt 30 ] && owned "$1" "$2"; do sleep 1; n=$((n + 1)); done
owned "$1" "$2" && kill -KILL "$1"
`;

/**
 * Sees to it that process `pid` does not outlive this one. A shell, because it has to be small and to survive what ends this
 * process.
 * @param mark a word of the command line of `pid`, so that a later process with its id is left alone.
 * @returns ends the watch; to be called when `pid` is gone.
 */
export function watchOver(pid: number, mark: string): () => void {
  const watchdog = spawn('sh', ['-c', SCRIPT, 'sh', String(pid), mark], {
    detached: true,
    cwd: '/',
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  // Without a shell there is no watchdog; a left-over is then found by the next start.
  watchdog.on('error', () => undefined);
  const input = watchdog.stdin;
  input.on('error', () => undefined);
  watchdog.unref();
  if (input instanceof Socket) input.unref();
  return () => {
    input.end();
  };
}
