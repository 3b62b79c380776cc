/** The thread that PKCS#11 calls run in: one request after the other, each with one answer. */
import { parentPort, workerData } from 'node:worker_threads';
import type { TokenRequest, WorkerSettings } from './messages.ts';
import { TokenSession } from './token_session.ts';

const session = new TokenSession(workerData as WorkerSettings);

parentPort?.on('message', ({ id, request }: { id: number; request: TokenRequest }) => {
  parentPort?.postMessage({ id, answer: session.run(request) });
});
