import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import { UpstreamError } from '../../errors/index.ts';

/**
 * Below the ports that Linux (from 32,768), macOS and Windows (from 49,152) give to outgoing connections: a port that is
 * found free here and listened on seconds later must not meanwhile be the local end of somebody's connection.
 */
const FIRST = 20_000;
const LAST = 32_000;
const TRIES = 100;

/**
 * A port of 127.0.0.1 that nobody listens on right now, drawn at random. Until this process ends no other call draws it, in
 * no process of this machine: two that start a Cassandra at once, which listens seconds later, never get the same.
 * @throws UpstreamError UPSTREAM_START when a hundred ports drawn are all in use.
 */
export async function findFreePort(): Promise<number> {
  for (let i = 0; i < TRIES; i++) {
    const port = randomInt(FIRST, LAST);
    if ((await isPortFree(port)) && (await reserve(port))) return port;
  }
  throw new UpstreamError(
    'UPSTREAM_START',
    `no free port between ${String(FIRST)} and ${String(LAST)} of 127.0.0.1 was found. Stop what uses them.`,
  );
}

/** Whether `port` of 127.0.0.1 can be listened on. */
export function isPortFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => {
      resolve(false);
    });
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
      server.close(() => {
        resolve(true);
      });
    });
  });
}

/**
 * Marks a port as drawn by a UDP socket of its number, which the kernel gives to one only and frees when the process ends.
 * Nothing is received with it. @returns whether it was not marked before
 */
function reserve(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const mark = createSocket('udp4');
    mark.once('error', () => {
      resolve(false);
    });
    mark.bind({ port, address: '127.0.0.1', exclusive: true }, () => {
      mark.unref();
      resolve(true);
    });
  });
}
