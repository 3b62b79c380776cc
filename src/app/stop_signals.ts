/** How long a second signal counts as an echo of the first: a terminal signals npm and this process, and npm passes it on. */
const ECHO_MS = 1_000;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Aborts when the process is asked to end, by a signal or because the script that runs it (tools/start.mjs) is gone. A second request, later than an echo, ends the process at once; what it
 * started is then killed by its exit handlers.
 */
export function abortOnStopSignals(say: (line: string) => void): AbortSignal {
  const controller = new AbortController();
  let firstAt: number | undefined;
  for (const name of SIGNALS) {
    process.on(name, () => {
      const now = performance.now();
      if (firstAt === undefined) {
        firstAt = now;
        say('stopping (once more: stop at once)');
        controller.abort();
      } else if (now - firstAt > ECHO_MS) {
        process.exit(130);
      }
    });
  }
  if (process.channel !== undefined) {
    process.on('disconnect', () => {
      controller.abort();
    });
    process.channel.unref();
  }
  return controller.signal;
}
