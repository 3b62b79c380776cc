import { Worker } from 'node:worker_threads';
import { KeyUnavailableError } from '../../errors/index.ts';
import type { TokenAnswer, TokenRequest, WorkerSettings } from './messages.ts';

/** The worker thread of a token; started at the first request, and again when it ended. Does not keep the process alive. */
export class TokenThread {
  readonly #settings: WorkerSettings;
  readonly #script: URL;
  #worker: Worker | undefined;
  #waiting = new Map<number, (answer: TokenAnswer | Error) => void>();
  #lastId = 0;

  /** @param script what the worker runs */
  constructor(settings: WorkerSettings, script: URL) {
    this.#settings = settings;
    this.#script = script;
  }

  /** Sends a request. @throws KeyUnavailableError KEY_UNAVAILABLE when the worker ends before it answers. */
  async run(request: TokenRequest): Promise<TokenAnswer> {
    const worker = (this.#worker ??= this.#start());
    const id = (this.#lastId += 1);
    const answer = await new Promise<TokenAnswer | Error>((resolve) => {
      this.#waiting.set(id, resolve);
      worker.ref();
      worker.postMessage({ id, request });
    });
    if (this.#waiting.size === 0) worker.unref();
    if (answer instanceof Error) {
      throw new KeyUnavailableError('KEY_UNAVAILABLE', 'the PKCS#11 library ended', {
        cause: answer,
      });
    }
    return answer;
  }

  #start(): Worker {
    const worker = new Worker(this.#script, { workerData: this.#settings });
    worker.unref();
    worker.on('message', ({ id, answer }: { id: number; answer: TokenAnswer }) => {
      this.#waiting.get(id)?.(answer);
      this.#waiting.delete(id);
    });
    const end = (error: Error): void => {
      if (this.#worker === worker) this.#worker = undefined;
      const waiting = [...this.#waiting.values()];
      this.#waiting = new Map();
      for (const resolve of waiting) resolve(error);
    };
    worker.on('error', end);
    worker.on('exit', () => {
      end(new KeyUnavailableError('KEY_UNAVAILABLE', 'the thread of the token ended'));
    });
    return worker;
  }
}
