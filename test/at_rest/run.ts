/**
 * Nothing in plain at rest, on a Cassandra and a proxy of its own: markers through every statement form, then a search of all
 * files of Cassandra, its log, the proxy's log and state, and everything that passed between the two. Ends with 'N passed, N
 * failed': one for each marker of either side.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { withStack } from '../support/stack.ts';
import { startTcpRecorder, type TcpRecorder } from '../support/tcp_recorder.ts';
import { runAtRest } from './at_rest.ts';

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

const scratch = await mkdtemp(join(tmpdir(), 'cqlock-at-rest-'));
const capture = join(scratch, 'wire');
const controlCapture = join(scratch, 'control');
const proxyLog = join(scratch, 'proxy.log');
const recorders: TcpRecorder[] = [];
try {
  const report = await withStack(
    {
      // Traces and prepared statements are kept in tables, so these too must reach the disk.
      cassandra: { cheapSchemaChanges: false, yaml: { auto_snapshot: true } },
      proxy: { env: { CQLOCK_LOG_LEVEL: 'trace' } },
      beforeProxy: async ({ host, port }) => {
        const recorder = await startTcpRecorder({ host, port }, capture);
        recorders.push(recorder);
        return { host: recorder.host, port: recorder.port };
      },
    },
    async ({ cassandra, direct, proxied, proxy }) => {
      const control = await startTcpRecorder(direct, controlCapture);
      recorders.push(control);
      return runAtRest({
        direct: { host: control.host, port: control.port },
        proxy: proxied,
        cassandraPaths: [cassandra.dataDir],
        otherPaths: [scratch, proxy.dataDir],
        controlPaths: [controlCapture],
        flush: async () => {
          await cassandra.nodetool('flush');
          await writeFile(proxyLog, proxy.output());
        },
        say,
      });
    },
  );
  const through = recorders[0]?.connections() ?? 0;
  if (through < 2) throw new TypeError(`${through} connections between proxy and Cassandra seen`);
  const failed = new Set(report.leaked.map(({ marker }) => marker)).size + report.missed.length;
  say(`${report.markers - failed} passed, ${failed} failed`);
  process.exitCode = report.ok ? 0 : 1;
} finally {
  for (const recorder of recorders) await recorder.stop();
  await rm(scratch, { recursive: true, force: true });
}
