import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { ConfigError } from '../../errors/index.ts';

/**
 * A secret for a command: from a file, from standard input where that is no terminal, else typed without being shown.
 * @throws ConfigError CONFIG_ARGUMENTS when there is none.
 */
export async function readSecret(prompt: string, file: string | undefined): Promise<string> {
  const text = file === undefined ? await typedOrPiped(prompt) : fromFile(file);
  const secret = text.replace(/\r?\n$/, '');
  if (secret !== '') return secret;
  throw new ConfigError('CONFIG_ARGUMENTS', `${prompt}: nothing was given`);
}

function fromFile(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new ConfigError('CONFIG_ARGUMENTS', `the file ${file} cannot be read`, { cause });
  }
}

async function typedOrPiped(prompt: string): Promise<string> {
  if (!process.stdin.isTTY) {
    const chunks: Buffer[] = [];
    for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks).toString('utf8');
  }
  process.stderr.write(`${prompt}: `);
  const nowhere = new Writable({
    write: (_chunk, _encoding, done) => {
      done();
    },
  });
  const terminal = createInterface({ input: process.stdin, output: nowhere, terminal: true });
  try {
    return await new Promise((resolve) => {
      terminal.question('', resolve);
    });
  } finally {
    terminal.close();
    process.stderr.write('\n');
  }
}
